"""One transaction on a SQLite connection, for everything that keeps its records in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Committed when the block ends and undone when it raises; other writers wait meanwhile.

    `db` is in autocommit mode (`isolation_level=None`), so that nothing else begins one.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
