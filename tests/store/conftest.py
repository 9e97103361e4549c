"""A real PostgreSQL for the tests of stores, started once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from recprism.testing.postgres import NoPostgres, PostgresServer, running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server of our own; skips where none can be started."""
    pytest.importorskip("psycopg")
    try:
        with running_postgres() as server:
            yield server
    except NoPostgres as why:
        pytest.skip(f"no PostgreSQL here: {why}")
