"""The default store: one SQLite file beside the artifacts, which survives a kill at any moment.

The one decision worth knowing: the file is made by the first write, so that asking for lists
works on a read-only disk. Write-ahead logging with full synchronization means that an accepted
event is on the disk before `add_events` returns.
"""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from recprism.atomic import transaction, use_write_ahead_log
from recprism.errors import DiskFull, StoreError, is_disk_full
from recprism.records import Answer, Event
from recprism.store.records import AddResult, Impression, read_event
from recprism.store.store import check_batch, impressions_in, settle_batch

SCHEMA_VERSION: Final = 1
_EPOCH = datetime(1970, 1, 1)
_US = timedelta(microseconds=1)
_BUSY_S = 10.0

_SCHEMA = """
CREATE TABLE events (
    arrival INTEGER PRIMARY KEY, user TEXT NOT NULL, time INTEGER NOT NULL,
    key TEXT UNIQUE, content TEXT NOT NULL);
CREATE INDEX events_of ON events (user, time, arrival);
CREATE TABLE impressions (
    arrival INTEGER PRIMARY KEY, user TEXT NOT NULL, time INTEGER NOT NULL,
    request_id TEXT NOT NULL, task TEXT NOT NULL, kind TEXT NOT NULL, item TEXT NOT NULL,
    position INTEGER NOT NULL, slot TEXT);
CREATE INDEX impressions_of ON impressions (user, time, arrival);
"""


class SqliteStore:
    """Live events and impressions in the SQLite file `path`, shared by threads and processes."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._closing: weakref.finalize[..., SqliteStore] | None = None

    def add_events(self, events: Sequence[Event], now: datetime) -> AddResult:
        checked = check_batch(events, now)
        with self._writing() as db:
            keys = {one.event.idempotency_key for one in checked[0]} - {None}
            earlier: dict[str, str] = {}
            for key in keys:
                earlier |= dict(db.execute("SELECT key, content FROM events WHERE key = ?", (key,)))
            new, result = settle_batch(*checked, earlier)
            db.executemany(
                "INSERT INTO events (user, time, key, content) VALUES (?, ?, ?, ?)",
                [(s.event.user, _us(s.time), s.event.idempotency_key, s.content) for s in new],
            )
            return result

    def events_of(self, user: str) -> list[Event]:
        rows = self._read(
            "SELECT content, time, key FROM events WHERE user = ? ORDER BY time, arrival", user
        )
        return [read_event(content, _moment(time), key) for content, time, key in rows]

    def record_impressions(self, answer: Answer, now: datetime) -> None:
        shown = [
            (i.user, _us(i.time), i.request_id, i.task, i.kind, i.item, i.position, i.slot)
            for i in impressions_in(answer, now)
        ]
        if not shown:
            return
        with self._writing() as db:
            db.executemany(
                "INSERT INTO impressions (user, time, request_id, task, kind, item, position, slot)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                shown,
            )

    def impressions_of(self, user: str, since: datetime) -> list[Impression]:
        rows = self._read(
            "SELECT user, time, request_id, task, kind, item, position, slot FROM impressions"
            " WHERE user = ? AND time >= ? ORDER BY arrival",
            user,
            _us(since),
        )
        return [
            Impression(
                user=row[0],
                time=_moment(row[1]),
                request_id=row[2],
                task=row[3],
                kind=row[4],
                item=row[5],
                position=row[6],
                slot=row[7],
            )
            for row in rows
        ]

    def close(self) -> None:
        with self._lock:
            self._forget_connection()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction; it is durable when the block ends and undone when it raises."""
        with self._lock, self._plain_errors(), transaction(self._open()) as db:
            yield db

    def _read(self, query: str, *values: str | int) -> list[tuple[Any, ...]]:
        with self._lock, self._plain_errors():
            if self._connection is None and not self.path.exists():
                return []
            return self._open().execute(query, values).fetchall()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(
                self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
            self._connection = db
            self._closing = weakref.finalize(self, db.close)
            try:
                self._prepare(db)
            except BaseException:
                self._forget_connection()
                raise
        return self._connection

    def _prepare(self, db: sqlite3.Connection) -> None:
        found = _version(db)
        if found > SCHEMA_VERSION:
            raise StoreError(
                f"`{self.path}` has schema version {found}, this RecPrism reads up to "
                f"{SCHEMA_VERSION}. Upgrade RecPrism, or choose another file under `store: url:`."
            )
        db.execute("PRAGMA synchronous = FULL")
        if found == SCHEMA_VERSION:
            return
        use_write_ahead_log(db)
        # Two processes may get here at once: the second one finds the version under the lock.
        db.execute("BEGIN IMMEDIATE")
        if _version(db) == 0:
            for statement in filter(str.strip, _SCHEMA.split(";")):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute("COMMIT")

    def _forget_connection(self) -> None:
        if self._closing is not None:
            self._closing()
        self._connection = self._closing = None

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            if is_disk_full(error):
                raise DiskFull(self.path) from error
            raise StoreError(
                f"The store `{self.path}` cannot be used: {error}. Check that it is a SQLite file "
                "of RecPrism that you may write, or name another one under `store: url:`."
            ) from error


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _us(time: datetime) -> int:
    return (time - _EPOCH) // _US


def _moment(us: int) -> datetime:
    return _EPOCH + us * _US
