"""Backup and restore of a SQLite store, while it is in use and while it is not.

A backup is a plain SQLite file with everything up to one moment. Restoring keeps the store that was
there until the new one is in place, and keeps its erasures: who was forgotten since the backup
stays on the list of the forgotten.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from recprism.errors import StoreError, UsageError, is_disk_full, watch_disk
from recprism.store.database import Database
from recprism.store.migrating import migrate
from recprism.store.sqlite import SqliteFile
from recprism.store.tables import SCHEMA_VERSION

_TABLES: Final = {"events", "impressions"}
_BUSY_S = 2.0
_SKIPPED: Final = 2**32
"""More events than any store gets between two backups; arrivals have 63 bits."""


def back_up(database: Database, file: Path) -> int:
    """Copy a store to `file`, which others may use meanwhile; returns its size in bytes.

    The file appears in one step, readable by its owner alone, in place of an earlier one. Raises
    `UsageError` for a store that is no file and for a file that is the store, `StoreError` when the
    store cannot be read, `DiskFull` when there is no room.
    """
    store = _file_of(database)
    if not store.exists():
        raise StoreError(f"The store `{store}` does not exist yet: nothing was ever written to it.")
    if file.exists() and file.samefile(store):
        raise UsageError(f"`{file}` is the store itself. Name another file for the backup.")
    with _fresh(file) as fresh:
        _copy(store, fresh)
        _replace(fresh, file)
    return file.stat().st_size


def restore(database: Database, file: Path) -> None:
    """Put a backup in the place of the store; one of an older version is brought up to date.

    Raises `UsageError` for a store that is no file, `StoreError` for a file that is no sound backup
    and for a store that is in use, `DiskFull` when there is no room.
    """
    store = _file_of(database)
    _check(file)
    store.parent.mkdir(parents=True, exist_ok=True)
    with _fresh(store) as fresh:
        _copy(file, fresh)
        migrate(SqliteFile(fresh))
        with closing(_connect(fresh)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            _skip_arrivals(db)
        if store.exists():
            _leave_alone(store)
            _keep_erasures(store, fresh)
        _replace(fresh, store)


def _file_of(database: Database) -> Path:
    if isinstance(database, SqliteFile):
        return database.path
    raise UsageError(
        f"The store `{database.name}` is no file: `pg_dump` makes a backup of it, and `pg_restore` "
        "brings that back."
    )


@contextmanager
def _fresh(file: Path) -> Iterator[Path]:
    """An empty file beside `file`, private and gone at the end."""
    with watch_disk(file):
        descriptor, name = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
        os.close(descriptor)
        try:
            yield Path(name)
        finally:
            for end in ("", "-journal", "-wal", "-shm"):
                Path(f"{name}{end}").unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    """One consistent copy without a log of its own."""
    try:
        with closing(_connect(source)) as old, closing(sqlite3.connect(target)) as new:
            old.backup(new)
            new.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        if is_disk_full(error):
            raise
        raise StoreError(f"`{source}` cannot be copied: {error}.") from error


def _check(file: Path) -> None:
    """Raise `StoreError` unless a file is a backup, whole and not too new."""
    if not file.is_file():
        raise StoreError(f"There is no file `{file}` to restore.")
    try:
        with closing(_connect(file)) as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
            faults = [fault for (fault,) in db.execute("PRAGMA quick_check(1)")]
    except sqlite3.Error as error:
        raise StoreError(f"`{file}` is no sound backup of a store: {error}.") from error
    if faults != ["ok"]:
        raise StoreError(f"`{file}` is no sound backup of a store: {faults[0]}.")
    if not version or not tables >= _TABLES:
        raise StoreError(f"`{file}` is a SQLite file, but no backup of a store of RecPrism.")
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"`{file}` has schema version {version}, this RecPrism reads up to {SCHEMA_VERSION}. "
            "Upgrade RecPrism first."
        )


def _leave_alone(store: Path) -> None:
    """Fold the log of a store into it. Raises `StoreError` while anyone else has it open.

    SQLite leaves write-ahead logging only for the last connection, so this tells.
    """
    try:
        with closing(_connect(store)) as db:
            db.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return
        raise StoreError(
            f"The store `{store}` is in use. Stop the server and whatever else has it open, "
            "then restore again."
        ) from error
    except sqlite3.DatabaseError:
        return  # a damaged store is what a backup is for


def _skip_arrivals(db: sqlite3.Connection) -> None:
    """Leave out the numbers that events after the backup had: a training may have learned them."""
    (last,) = db.execute("SELECT MAX(arrival) FROM events").fetchone()
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    last = max(last or 0, row[0] if row else 0) + _SKIPPED
    db.execute("DELETE FROM sqlite_sequence WHERE name = 'events'")
    db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('events', ?)", (last,))
    db.commit()


def _keep_erasures(old: Path, new: Path) -> None:
    """Copy the list of the forgotten; later times win. Stores of version 1 have none."""
    with suppress(sqlite3.DatabaseError), closing(_connect(old)) as db:
        rows = db.execute("SELECT digest, time FROM erasures").fetchall()
        with closing(sqlite3.connect(new)) as db:
            db.executemany(
                "INSERT INTO erasures VALUES (?, ?) ON CONFLICT (digest) DO UPDATE"
                " SET time = MAX(time, excluded.time)",
                rows,
            )
            db.commit()


def _connect(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file, timeout=_BUSY_S)


def _replace(fresh: Path, file: Path) -> None:
    """Put `fresh` in the place of `file`, after it reached the disk."""
    _sync(fresh)
    fresh.replace(file)
    for end in ("-wal", "-shm"):  # of a damaged store that was there
        Path(f"{file}{end}").unlink(missing_ok=True)
    _sync(file.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
