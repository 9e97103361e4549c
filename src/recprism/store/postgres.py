"""A store in PostgreSQL, for several machines that share one.

The one decision worth knowing: transactions that add events wait for one another (an advisory
lock), so that events become visible in the order of their numbers. A training that learned up to
number 7 has then seen all seven.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from typing import Final

from sqlalchemy import create_engine, inspect, select
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from recprism.errors import DiskFull, MissingExtra, RecPrismError, StoreError, is_disk_full
from recprism.store.tables import schema_version

SCHEMES: Final = ("postgresql", "postgres")
_CONNECT_S = 5
_STATEMENT_S = 10
_POOL = 8
_LOCKS = 0x52505249
"""The class of our advisory locks; those of other programs in the database are others."""


class PostgresDatabase:
    """The PostgreSQL database at `url` (`postgresql://user:password@host:port/database?...`).

    The tables lie in the first schema of its `search_path`. Raises `StoreError` for an address that
    cannot be read and `MissingExtra` without the driver.
    """

    start = 'CAST(:after AS TEXT) COLLATE "C"'

    def __init__(self, url: str) -> None:
        self._url = _read(url)
        host, port = self._url.host or "", self._url.port
        place = f"{host}:{port}" if port else host
        self.name = f"postgresql://{place}/{self._url.database or ''}"
        if find_spec("psycopg") is None:
            raise MissingExtra("postgres", "psycopg", "A store in PostgreSQL")

    def connect(self) -> Engine:
        settings = {
            "statement_timeout": f"{_STATEMENT_S}s",
            "idle_in_transaction_session_timeout": "60s",
            "synchronous_commit": "on",
        }
        asked = self._url.query.get("options", "")
        given = asked if isinstance(asked, str) else " ".join(asked)
        options = " ".join([*(f"-c {name}={value}" for name, value in settings.items()), given])
        return create_engine(
            self._url.difference_update_query(["options"]),
            connect_args={
                "options": options.strip(),
                "connect_timeout": _CONNECT_S,
                "application_name": "recprism",
            },
            # A read is a single statement; `begin` begins the transactions that write.
            isolation_level="AUTOCOMMIT",
            pool_size=_POOL,
            max_overflow=_POOL,
            pool_timeout=_STATEMENT_S,
            pool_pre_ping=True,
            hide_parameters=True,
        )

    def exists(self) -> bool:
        return True

    def make(self) -> None:
        """Whoever runs the server makes the database."""

    def turn(self) -> AbstractContextManager[None]:
        return nullcontext()

    def begin(self, connection: Connection, locks: Sequence[str], *, durable: bool = True) -> None:
        connection.exec_driver_sql("BEGIN")
        if not durable:
            connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
        # Sorted, so that two transactions never wait for each other.
        for number in sorted({_lock_number(name) for name in locks}):
            connection.exec_driver_sql(
                "SELECT pg_advisory_xact_lock(%(kind)s::integer, %(number)s::integer)",
                {"kind": _LOCKS, "number": number},
            )

    def version(self, connection: Connection) -> int:
        if not inspect(connection).has_table(schema_version.name):
            return 0
        return int(connection.execute(select(schema_version.c.version_num)).scalar() or 0)

    def contains(self, column: str, value: str) -> str:
        return f"strpos({column}, :{value}) > 0"

    def wipe(self, engine: Engine, tables: Sequence[str], user: str | None = None) -> None:  # noqa: ARG002
        with engine.connect() as connection:
            connection.exec_driver_sql("SET statement_timeout = 0")
            try:
                for table in tables:
                    connection.exec_driver_sql(f"VACUUM {table}")
            finally:
                connection.exec_driver_sql(f"SET statement_timeout = '{_STATEMENT_S}s'")

    def rewrite(self, engine: Engine) -> None:
        """No version that removed rows without this one's care was ever in PostgreSQL."""

    def translate(self, error: Exception) -> RecPrismError:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        if is_disk_full(cause):
            return DiskFull(self.name)
        lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
        said = self._without_password(lines[0] if lines else type(cause).__name__)
        return StoreError(
            f"The store `{self.name}` cannot be used: {said.rstrip('.')}. Check that the server "
            "runs and lets this user in, or name another store under `store: url:`."
        )

    def _without_password(self, said: str) -> str:
        asked = self._url.query.get("password", ())
        for secret in (self._url.password, *([asked] if isinstance(asked, str) else asked)):
            if secret:
                said = said.replace(str(secret), "***")
        return said


def is_postgres(url: str) -> bool:
    """Whether an address names a PostgreSQL database."""
    return url.partition("://")[0] in SCHEMES and "://" in url


def _read(url: str) -> URL:
    """The address for SQLAlchemy; what cannot be read is not repeated, it may hold a password."""
    try:
        return make_url(url).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError):
        raise StoreError(
            "The address of the PostgreSQL store cannot be read. Write it as "
            "`postgresql://USER:PASSWORD@HOST:PORT/DATABASE`, with `%40` for `@` in a password."
        ) from None


def _lock_number(name: str) -> int:
    """A signed number of 32 bits for a lock."""
    return zlib.crc32(name.encode()) - 2**31
