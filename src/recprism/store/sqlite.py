"""A store in one SQLite file beside the artifacts, which survives a kill at any moment.

The one decision worth knowing: the file is made by the first write, so that asking for lists works
on a read-only disk. Write-ahead logging with full synchronization means that an accepted event is
on the disk before `add_events` returns, and that readers never wait for writers.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import tempfile
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from sqlalchemy import create_engine
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from recprism.atomic import use_write_ahead_log
from recprism.errors import DiskFull, RecPrismError, StoreError, is_disk_full
from recprism.store.leftovers import holds

_BUSY_S = 30.0
_READERS: Final = 8
_MOST_READERS: Final = 64
_PRIVATE: Final = 0o600


class SqliteFile:
    """The SQLite file `path`, shared by threads and processes, readable by its owner alone."""

    start = "CAST(:after AS TEXT)"

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.name = str(path)
        self._turn = threading.Lock()

    def connect(self) -> Engine:
        return create_engine(
            "sqlite://",
            creator=self._open,
            poolclass=QueuePool,
            pool_size=_READERS,
            max_overflow=_MOST_READERS - _READERS,
            pool_timeout=_BUSY_S,
            hide_parameters=True,
        )

    def exists(self) -> bool:
        return self.path.exists()

    def make(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self.path.exists():
            _make_private(self.path)
        with closing(self._open()) as db:
            use_write_ahead_log(db)

    def turn(self) -> threading.Lock:
        return self._turn

    def begin(
        self,
        connection: Connection,
        locks: Sequence[str],  # noqa: ARG002
        *,
        durable: bool = True,
    ) -> None:
        # Connections go from hand to hand, so each transaction says how far it has to reach.
        reach = "FULL" if durable else "NORMAL"
        connection.exec_driver_sql(f"PRAGMA synchronous = {reach}")
        # The file has one writer at a time, so every lock is taken.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def version(self, connection: Connection) -> int:
        return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())

    def contains(self, column: str, value: str) -> str:
        return f"instr({column}, :{value}) > 0"

    def wipe(self, engine: Engine, tables: Sequence[str], user: str | None = None) -> None:  # noqa: ARG002
        # `secure_delete` has overwritten the rows; the write-ahead log still has them.
        self._fold_log(engine)
        if user is not None and holds(self.path, user):
            self.rewrite(engine)

    def rewrite(self, engine: Engine) -> None:
        with self._turn, engine.connect() as connection:
            connection.exec_driver_sql("VACUUM")
        self._fold_log(engine)

    def translate(self, error: Exception) -> RecPrismError:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        if is_disk_full(cause):
            return DiskFull(self.path)
        return StoreError(
            f"The store `{self.path}` cannot be used: {_first_line(cause)}. Check that it is a "
            "SQLite file of RecPrism that you may write, or name another one under `store: url:`."
        )

    def _fold_log(self, engine: Engine) -> None:
        """Move the write-ahead log into the file and empty it."""
        with self._turn, engine.connect() as connection:
            busy, *_ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        if busy:
            raise StoreError(
                f"The rows are removed from the store `{self.path}`, but another process reads "
                "its log, which still holds them. Erase once more when that process is done."
            )

    def _open(self) -> sqlite3.Connection:
        # Without `isolation_level=None` Python would begin transactions of its own.
        db = sqlite3.connect(
            self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
        try:
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA secure_delete = ON")
            self._keep_private()
        except BaseException:
            db.close()
            raise
        return db

    def _keep_private(self) -> None:
        """Take a file of an earlier version from everyone but its owner."""
        for path in (self.path, *(Path(f"{self.path}{end}") for end in ("-wal", "-shm"))):
            try:
                found = path.stat()
                if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) & ~_PRIVATE:
                    path.chmod(_PRIVATE)
            except OSError:  # not there, or on a disk that cannot be written
                continue


def _make_private(path: Path) -> None:
    """An empty file that only its owner may read, unless another one was quicker.

    It is made under another name, because closing a file lets go of all locks of this process on
    it, and somebody else may have opened it already.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    os.close(descriptor)
    try:
        os.link(name, path)
    except FileExistsError:
        return
    except OSError:  # a disk that knows no second names
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, _PRIVATE))
    finally:
        os.unlink(name)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
