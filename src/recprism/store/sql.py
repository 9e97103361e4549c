"""A store in a database, SQLite or PostgreSQL, by SQLAlchemy Core.

In come and out go the records of `recprism.store.records`. The one decision worth knowing: whatever
must not happen twice (a key of an event, a place within a limit) is looked up and written in one
transaction that excludes others of its kind, so that one code holds for both databases.
"""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Executable, Row, bindparam, delete, insert, or_, select, update
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from recprism.errors import StoreError
from recprism.records import Answer, Event
from recprism.store import erasing, showing
from recprism.store.database import Database
from recprism.store.mentions import trace_of
from recprism.store.records import (
    AddResult,
    ApiKey,
    Impression,
    Limit,
    Mark,
    Person,
    StoredItem,
    is_storable,
)
from recprism.store.store import (
    check_batch,
    check_item,
    check_person,
    impressions_in,
    refuse_key,
    settle_batch,
)
from recprism.store.tables import (
    IDENTITY,
    SCHEMA_VERSION,
    about,
    api_keys,
    erasures,
    event_of,
    event_row,
    events,
    from_us,
    impression_of,
    impression_row,
    impressions,
    item_of,
    item_row,
    items,
    key_of,
    key_row,
    make_tables,
    people,
    person_of,
    person_row,
    to_us,
)

_KEYS_AT_ONCE = 500
"""So many parameters fit in a query of any database."""

_OWN = select(events.c.content, events.c.time, events.c.key).where(
    events.c.user == bindparam("user")
)
_IN_TIME = (events.c.time, events.c.arrival)
_EVENTS_OF = _OWN.order_by(*_IN_TIME)
_NOT_LEARNED = _OWN.where(
    or_(events.c.arrival > bindparam("arrival"), events.c.time >= bindparam("until"))
).order_by(*_IN_TIME)
_EVENTS_AFTER = (
    select(events)
    .where(events.c.arrival > bindparam("arrival"))
    .order_by(events.c.arrival)
    .limit(bindparam("n"))
)
_PERSON = select(people).where(people.c.id == bindparam("user"))
_ITEM = select(items).where(items.c.kind == bindparam("of_kind"), items.c.item == bindparam("user"))
_ITEMS_AFTER = (
    select(items)
    .where(items.c.arrival > bindparam("arrival"))
    .order_by(items.c.arrival)
    .limit(bindparam("n"))
)
_KEY = select(api_keys).where(api_keys.c.id == bindparam("user"))
_IMPRESSIONS_OF = (
    select(impressions)
    .where(impressions.c.user == bindparam("user"), impressions.c.time >= bindparam("since"))
    .order_by(impressions.c.arrival)
)


class SqlStore:
    """A store in `database`, shared by threads and processes.

    Nothing is made or asked before the first call. The first one that writes makes the tables; an
    older version of them is refused until `recprism.store.migrating` brought it up to date.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._opening = threading.Lock()
        self._engine: Engine | None = None
        self._is_ready = False
        self._identity = ""
        self._closing: weakref.finalize[..., SqlStore] | None = None

    def add_events(self, events_: Sequence[Event], now: datetime) -> AddResult:
        sound, rejected = check_batch(events_, now)
        keys = {one.event.idempotency_key for one in sound} - {None}
        with self._writing("events") as connection:
            earlier = _contents(connection, sorted(map(str, keys)))
            new, result = settle_batch(sound, rejected, earlier)
            if new:
                connection.execute(insert(events), [event_row(one) for one in new])
        return result

    def identity(self) -> str:
        if not self._identity:
            rows = self._rows(select(about.c.value).where(about.c.name == IDENTITY))
            self._identity = rows[0].value if rows else ""
        return self._identity

    def events_of(self, user: str, learned: Mark | None = None) -> list[Event]:
        if learned is None or learned.store != self.identity():
            return [event_of(row) for row in self._own_rows(_EVENTS_OF, user)]
        known = {"arrival": learned.arrival, "until": to_us(learned.until)}
        return [event_of(row) for row in self._own_rows(_NOT_LEARNED, user, **known)]

    def events_after(self, arrival: int, n: int) -> list[tuple[int, Event]]:
        rows = self._rows(_EVENTS_AFTER, arrival=arrival, n=max(0, n))
        return [(row.arrival, event_of(row)) for row in rows]

    def record_impressions(self, answer: Answer, now: datetime) -> None:
        shown = [impression_row(one) for one in impressions_in(answer, now)]
        if shown:
            with self._writing(durable=False) as connection:
                connection.execute(insert(impressions), shown)

    def impressions_of(self, user: str, since: datetime) -> list[Impression]:
        rows = self._own_rows(_IMPRESSIONS_OF, user, since=to_us(since))
        return [impression_of(row) for row in rows]

    def reserve(self, shown: Sequence[Impression], limits: Mapping[str, Limit]) -> list[bool]:
        if not shown:
            return []
        locks = (f"shows:{one.user}" for one in shown)
        with self._writing(*locks, durable=False) as connection:
            counts = showing.count_earlier(connection, shown, limits)
            allowed = showing.settle_shown(shown, limits, counts)
            rows = [impression_row(s) for s, may in zip(shown, allowed, strict=True) if may]
            if rows:
                connection.execute(insert(impressions), rows)
        return allowed

    def put_person(self, person: Person) -> None:
        check_person(person)
        with self._writing(f"person:{person.id}") as connection:
            connection.execute(delete(people).where(people.c.id == person.id))
            connection.execute(insert(people), person_row(person))

    def person(self, user: str) -> Person | None:
        rows = self._own_rows(_PERSON, user)
        return person_of(rows[0]) if rows else None

    def people(self, after: str, n: int, query: str = "") -> list[str]:
        if not (is_storable(after) and is_storable(query)):
            return []
        statement = showing.known_people(self.database, with_query=bool(query))
        rows = self._rows(statement, after=after, n=max(0, n), query=query)
        return sorted(row.id for row in rows)

    def unpersonalized(self) -> list[str]:
        wished = select(people.c.id).where(people.c.personalize.is_(False))
        return sorted(row.id for row in self._rows(wished))

    def erase(self, user: str, digest: str, now: datetime) -> dict[str, int]:
        if not is_storable(user):
            return dict.fromkeys(("events", "impressions", "people", "mentions"), 0)
        with self._reading() as connection:
            found = erasing.find_traces(connection, self.database, user) if connection else None
        with self._writing("events", "items", f"shows:{user}", f"person:{user}") as connection:
            found = found or erasing.Traces()
            removed = erasing.remove(connection, user, found)
            if found.items:
                _put_item(connection, trace_of(digest, now))
            connection.execute(delete(erasures).where(erasures.c.digest == digest))
            connection.execute(insert(erasures), {"digest": digest, "time": to_us(now)})
        self._wipe(events.name, impressions.name, people.name, items.name, user=user)
        return removed

    def erased_at(self, digest: str) -> datetime | None:
        if not is_storable(digest):
            return None
        rows = self._rows(select(erasures).where(erasures.c.digest == bindparam("it")), it=digest)
        return from_us(rows[0].time) if rows else None

    def erasures(self) -> dict[str, datetime]:
        return {row.digest: from_us(row.time) for row in self._rows(select(erasures))}

    def purge(self, before: datetime, shown_before: datetime | None = None) -> dict[str, int]:
        end = before if shown_before is None else shown_before
        if not self.database.exists():
            return {"events": 0, "impressions": 0}
        with self._writing("events") as connection:
            old = delete(events).where(events.c.time < to_us(before))
            shown = delete(impressions).where(impressions.c.time < to_us(end))
            removed = {
                "events": connection.execute(old).rowcount,
                "impressions": connection.execute(shown).rowcount,
            }
        if any(removed.values()):
            self._wipe(events.name, impressions.name)
        return removed

    def put_item(self, item: StoredItem) -> None:
        check_item(item)
        with self._writing("items") as connection:
            _put_item(connection, item)

    def delete_item(self, kind: str, item: str, now: datetime) -> None:
        self.put_item(StoredItem(kind=kind, id=item, changed=now, is_deleted=True))

    def item(self, kind: str, item: str) -> StoredItem | None:
        if not is_storable(kind):
            return None
        rows = self._own_rows(_ITEM, item, of_kind=kind)
        return item_of(rows[0]) if rows else None

    def items_after(self, arrival: int, n: int) -> list[tuple[int, StoredItem]]:
        rows = self._rows(_ITEMS_AFTER, arrival=arrival, n=max(0, n))
        return [(row.arrival, item_of(row)) for row in rows]

    def add_key(self, key: ApiKey) -> None:
        with self._writing("keys") as connection:
            same = select(api_keys.c.id).where(api_keys.c.id == key.id)
            if connection.execute(same).first() is not None:
                raise refuse_key(key)
            connection.execute(insert(api_keys), key_row(key))

    def key(self, key_id: str) -> ApiKey | None:
        rows = self._own_rows(_KEY, key_id)
        return key_of(rows[0]) if rows else None

    def keys(self) -> list[ApiKey]:
        in_order = select(api_keys).order_by(api_keys.c.created, api_keys.c.id)
        return [key_of(row) for row in self._rows(in_order)]

    def revoke_key(self, key_id: str, now: datetime) -> bool:
        unrevoked = update(api_keys).where(api_keys.c.revoked.is_(None))
        return self._change_key(unrevoked.values(revoked=to_us(now)), key_id)

    def touch_key(self, key_id: str, now: datetime) -> None:
        self._change_key(update(api_keys).values(last_used=to_us(now)), key_id)

    def ping(self) -> None:
        self._rows(select(erasures).limit(1))

    def close(self) -> None:
        with self._opening:
            if self._closing is not None:
                self._closing()
            self._engine = self._closing = None
            self._is_ready, self._identity = False, ""

    def _change_key(self, change: Any, key_id: str) -> bool:
        if not is_storable(key_id):
            return False
        with self._writing("keys") as connection:
            return bool(connection.execute(change.where(api_keys.c.id == key_id)).rowcount)

    def _own_rows(self, statement: Executable, user: str, **values: Any) -> Sequence[Row[Any]]:
        """Rows of a user; none for an id that no database could hold."""
        return self._rows(statement, user=user, **values) if is_storable(user) else []

    def _rows(self, statement: Executable, **values: Any) -> Sequence[Row[Any]]:
        with self._reading() as connection:
            return [] if connection is None else connection.execute(statement, values).all()

    @contextmanager
    def _reading(self) -> Iterator[Connection | None]:
        """A connection outside of transactions; None while nothing was ever written."""
        with self._plain_errors():
            engine = self._open(writing=False)
            if engine is None:
                yield None
                return
            with engine.connect() as connection:
                yield connection

    @contextmanager
    def _writing(self, *locks: str, durable: bool = True) -> Iterator[Connection]:
        """One transaction; it is kept when the block ends and undone when it raises."""
        with self._plain_errors():
            engine = self._open(writing=True)
            assert engine is not None
            with self.database.turn(), engine.connect() as connection:
                self.database.begin(connection, locks, durable=durable)
                yield connection
                connection.commit()

    def _wipe(self, *tables: str, user: str | None = None) -> None:
        with self._plain_errors():
            engine = self._open(writing=True)
            assert engine is not None
            self.database.wipe(engine, tables, user)

    def _open(self, *, writing: bool) -> Engine | None:
        """The pool of a store with tables of this version; None when there is nothing to read."""
        if self._is_ready and self._engine is not None:
            return self._engine
        with self._opening:
            if not self.database.exists():
                if not writing:
                    return None
                self.database.make()
            if self._engine is None:
                self._engine = self.database.connect()
                self._closing = weakref.finalize(self, self._engine.dispose)
            with self._engine.connect() as connection:
                found = self.database.version(connection)
            if found == 0 and not writing:
                return None
            if found == 0:
                found = self._make_tables(self._engine)
            check_version(self.database.name, found)
            self._is_ready = True
            return self._engine

    def _make_tables(self, engine: Engine) -> int:
        """Make the tables unless another process was quicker; returns their version."""
        self.database.make()
        with self.database.turn(), engine.connect() as connection:
            self.database.begin(connection, ["tables"])
            if (found := self.database.version(connection)) == 0:
                make_tables(connection)
                found = SCHEMA_VERSION
            connection.commit()
            return found

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            raise self.database.translate(error) from error


def check_version(name: str, found: int) -> None:
    """Raise `StoreError` for tables of another version than this RecPrism's."""
    if found > SCHEMA_VERSION:
        raise StoreError(
            f"`{name}` has schema version {found}, this RecPrism reads up to {SCHEMA_VERSION}. "
            "Upgrade RecPrism, or choose another store under `store: url:`."
        )
    if found < SCHEMA_VERSION:
        raise StoreError(
            f"`{name}` has schema version {found}, this RecPrism needs {SCHEMA_VERSION}. "
            "Run `recprism store migrate` on the project; nothing is lost."
        )


def _put_item(connection: Connection, item: StoredItem) -> None:
    same = (items.c.kind == item.kind) & (items.c.item == item.id)
    connection.execute(delete(items).where(same))
    connection.execute(insert(items), item_row(item))


def _contents(connection: Connection, keys: Sequence[str]) -> dict[str, str]:
    """The contents of earlier events by those of `keys` that were used."""
    found: dict[str, str] = {}
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        some = keys[start : start + _KEYS_AT_ONCE]
        same = select(events.c.key, events.c.content).where(events.c.key.in_(some))
        found |= {row.key: row.content for row in connection.execute(same)}
    return found
