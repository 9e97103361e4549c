"""Transactions and the write-ahead log of SQLite, for everything that keeps its records there."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

LOG_WAIT_S = 5.0
_PAUSE_S = 0.01


def use_write_ahead_log(db: sqlite3.Connection) -> None:
    """Switch to the write-ahead log, waiting while another connection does the same.

    SQLite's own timeout does not wait here: of two connections that switch a new file at once, one
    is told that the database is locked.
    """
    end = time.monotonic() + LOG_WAIT_S
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not busy or time.monotonic() > end:
                raise
        time.sleep(_PAUSE_S)


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
