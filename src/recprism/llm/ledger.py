"""What calls cost and what they answered: one SQLite file beside the artifacts.

Every call gets its row before it is sent, with an estimate of its cost, and the true numbers when
it ends: several processes share one budget, and a process that dies leaves the estimate standing.
The audit log holds no text, only the hash of the redacted prompt and the names of its fields. The
cache holds answers by the hash of everything that decides them.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recprism.atomic import transaction, use_write_ahead_log
from recprism.errors import DiskFull, LLMUnavailable, is_disk_full
from recprism.llm.requests import State

SCHEMA_VERSION = 2
_BUSY_S = 2.0
_SCHEMA = """
CREATE TABLE calls (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, role TEXT NOT NULL, request TEXT NOT NULL,
    backend TEXT NOT NULL, model TEXT NOT NULL, fields TEXT NOT NULL, prompt_hash TEXT NOT NULL,
    tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, took_ms REAL NOT NULL,
    cost REAL NOT NULL, state TEXT NOT NULL
);
CREATE INDEX calls_by_role ON calls (role, at);
CREATE TABLE answers (
    hash TEXT PRIMARY KEY, at REAL NOT NULL, subject TEXT, value TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX answers_by_subject ON answers (subject);
"""
_JUDGED = """
CREATE TABLE judged (
    role TEXT NOT NULL, model TEXT NOT NULL, accepted INTEGER NOT NULL, refused INTEGER NOT NULL,
    PRIMARY KEY (role, model)
) WITHOUT ROWID;
"""
_STEPS = (_SCHEMA, _JUDGED)
"""What brings a file from one version to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The most that a role may spend within the last `per_s` seconds; None means no limit."""

    calls: int | None = None
    tokens: int | None = None
    cost: float | None = None
    per_s: float = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A row of the audit log as it is written before the call."""

    role: str
    request: str
    backend: str
    model: str
    fields: tuple[str, ...]
    prompt_hash: str
    tokens_in: int
    tokens_out: int
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a role spent with a model; `cached` counts answers that no model was asked for.

    `accepted` and `refused` count answers in words that the guard let pass or not.
    """

    role: str
    model: str
    calls: int
    cached: int
    failed: int
    accepted: int
    refused: int
    tokens_in: int
    tokens_out: int
    took_ms: float
    cost: float


class Ledger:
    """The audit log and the cache of one project, safe to share between threads and processes.

    Raises `DiskFull` when the file cannot grow and `LLMUnavailable` when it cannot be used: a call
    that cannot be logged is not made.
    """

    def __init__(self, path: Path | None) -> None:
        """`path` None keeps everything in memory. Nothing is made before the first write."""
        self.path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def begin(self, call: Call, budget: Budget | None) -> int | None:
        """Log a call before it is made and return its number; None when the budget is spent."""
        with self._writing() as db:
            now = time.time()
            if budget is not None and not _fits(db, call, budget, now):
                return None
            return _insert(db, call, now, "open")

    def end(
        self, number: int, state: State, usage: tuple[int, int, float] | None, took_ms: float
    ) -> None:
        """Write how a call ended; without `usage` (tokens in, out, cost) the estimate stands."""
        with self._writing() as db:
            if usage is not None:
                db.execute(
                    "UPDATE calls SET tokens_in = ?, tokens_out = ?, cost = ? WHERE id = ?",
                    (*usage, number),
                )
            db.execute(
                "UPDATE calls SET state = ?, took_ms = ? WHERE id = ?", (state, took_ms, number)
            )

    def cached(self, call: Call, key: str) -> str | None:
        """The JSON of a cached answer, None when there is none; its use is logged."""
        with self._reading() as db:
            row = db.execute("SELECT value FROM answers WHERE hash = ?", (key,)).fetchone()
        if row is None:
            return None
        with self._writing() as db:
            _insert(db, call, time.time(), "cached")
        return str(row[0])

    def keep(self, key: str, value: str, subject: str | None) -> None:
        """Remember an answer; `subject` is the hash of the person it is about, if it is."""
        with self._writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO answers (hash, at, subject, value) VALUES (?, ?, ?, ?)",
                (key, time.time(), subject, value),
            )

    def forget(self, subject: str | None = None) -> int:
        """Drop the answers about one subject, or all of them; returns how many."""
        where, values = ("", ()) if subject is None else (" WHERE subject = ?", (subject,))
        with self._writing() as db:
            count = db.execute("DELETE FROM answers" + where, values).rowcount
        with self._reading() as db:  # the write-ahead log still has what was deleted
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return count

    def judge(self, role: str, model: str, accepted: int, refused: int) -> None:
        """Count answers that were shown and answers that were not."""
        with self._writing() as db:
            db.execute(
                "INSERT INTO judged VALUES (?, ?, ?, ?) ON CONFLICT (role, model) DO UPDATE SET"
                " accepted = accepted + excluded.accepted, refused = refused + excluded.refused",
                (role, model, accepted, refused),
            )

    def spent(self) -> list[Spent]:
        """What was spent so far, by role and model."""
        with self._reading() as db:
            rows = db.execute(
                "SELECT role, model, SUM(state != 'cached'), SUM(state = 'cached'),"
                " SUM(state NOT IN ('cached', 'used')), IFNULL(accepted, 0), IFNULL(refused, 0),"
                " SUM(tokens_in), SUM(tokens_out), SUM(took_ms), SUM(cost)"
                " FROM calls LEFT JOIN judged USING (role, model)"
                " GROUP BY role, model ORDER BY role, model"
            ).fetchall()
        names = tuple(Spent.__dataclass_fields__)
        return [Spent(**dict(zip(names, row, strict=True))) for row in rows]

    def calls(self) -> list[dict[str, Any]]:
        """The audit log, oldest first."""
        with self._reading() as db:
            cursor = db.execute("SELECT * FROM calls ORDER BY id")
            names = [column[0] for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor]
        return [row | {"fields": json.loads(row["fields"])} for row in rows]

    def close(self) -> None:
        """Let go of the file; calling it twice is fine."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._plain_errors(), transaction(self._open()) as db:
            yield db

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._plain_errors():
            yield self._open()

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None:
            return self._connection
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        place = ":memory:" if self.path is None else self.path
        db = sqlite3.connect(place, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            _prepare(db, place)
        except BaseException:
            db.close()
            raise
        self._connection = db
        return db

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            if is_disk_full(error):
                raise DiskFull(self.path or "memory") from error
            raise LLMUnavailable(
                f"The record of calls `{self.path}` cannot be used: {error}. Without it no model "
                "is asked; make the file writable, or move it away."
            ) from error


def _prepare(db: sqlite3.Connection, place: Path | str) -> None:
    use_write_ahead_log(db)
    db.execute("PRAGMA secure_delete = ON")
    # A crash of the machine may lose the last rows, never the file; calls are too many for more.
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("BEGIN IMMEDIATE")
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA_VERSION:
        db.execute("ROLLBACK")
        raise LLMUnavailable(
            f"`{place}` has schema version {version}, this RecPrism reads up to {SCHEMA_VERSION}. "
            "Upgrade RecPrism, or move the file away."
        )
    for statement in filter(str.strip, ";".join(_STEPS[version:]).split(";")):
        db.execute(statement)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    db.execute("COMMIT")


def _fits(db: sqlite3.Connection, call: Call, budget: Budget, now: float) -> bool:
    calls, tokens, cost = db.execute(
        "SELECT COUNT(*), TOTAL(tokens_in + tokens_out), TOTAL(cost) FROM calls"
        " WHERE role = ? AND at > ? AND state != 'cached'",
        (call.role, now - budget.per_s),
    ).fetchone()
    wanted: Sequence[tuple[float | None, float]] = (
        (budget.calls, calls + 1),
        (budget.tokens, tokens + call.tokens_in + call.tokens_out),
        (budget.cost, cost + call.cost),
    )
    return all(limit is None or sum_ <= limit for limit, sum_ in wanted)


def _insert(db: sqlite3.Connection, call: Call, now: float, state: str) -> int:
    tokens_in, tokens_out, cost = call.tokens_in, call.tokens_out, call.cost
    if state == "cached":
        tokens_in = tokens_out = 0
        cost = 0.0
    row = db.execute(
        "INSERT INTO calls (at, role, request, backend, model, fields, prompt_hash, tokens_in,"
        " tokens_out, took_ms, cost, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)",
        (now, call.role, call.request, call.backend, call.model, json.dumps(call.fields),
         call.prompt_hash, tokens_in, tokens_out, cost, state),
    )  # fmt: skip
    return int(row.lastrowid or 0)
