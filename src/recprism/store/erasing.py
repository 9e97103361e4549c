"""Removing a person from the tables: their own rows, and their name in the rows of others.

Looking for a name in other rows reads the whole table, so it happens before the transaction, while
others may write.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Row, bindparam, delete, select, text, update
from sqlalchemy.engine import Connection

from recprism.records import Event
from recprism.store.database import Database
from recprism.store.mentions import (
    PEOPLE,
    event_without,
    is_about,
    is_item_about,
    is_telling,
)
from recprism.store.records import write_event
from recprism.store.tables import (
    event_of,
    events,
    impression_of,
    impressions,
    item_of,
    items,
    people,
)


@dataclass(frozen=True)
class Traces:
    """Rows of others by their numbers: events to remove, to keep in other words, impressions, and
    items."""

    events: list[int] = field(default_factory=list)
    mentions: list[dict[str, Any]] = field(default_factory=list)
    impressions: list[int] = field(default_factory=list)
    items: list[int] = field(default_factory=list)


def find_traces(connection: Connection, database: Database, user: str) -> Traces:
    """Rows of others that are about `user` or name them (see `recprism.store.mentions`)."""
    written = json.dumps(user, ensure_ascii=False)
    needles = {
        "user": user,
        # As `write_event` writes it, where an item follows its kind.
        "item": f'"kind":"{PEOPLE}","item":{written},',
        "inside": written[1:-1],
        "kind": PEOPLE,
    }
    about = [database.contains("content", "item")]
    shown = ["kind = :kind AND item = :user"]
    if is_telling(user):
        about += [database.contains("content", "inside"), database.contains("key", "user")]
        columns = ('"user"', "request_id", "task", "kind", "item", "slot")
        shown += [database.contains(column, "user") for column in columns]
    found = Traces()
    for row in _find(connection, "events", about, needles):
        event = event_of(row)
        left = event_without(event, user)
        if left is None:
            found.events.append(row.arrival)
        elif left is not event:
            found.mentions.append(_mended(row, left))
    for row in _find(connection, "impressions", shown, needles):
        if is_about(impression_of(row), user):
            found.impressions.append(row.arrival)
    # Items are few, and looked at one by one.
    for row in connection.execute(select(items)):
        if is_item_about(item_of(row), user):
            found.items.append(row.arrival)
    return found


def remove(connection: Connection, user: str, found: Traces) -> dict[str, int]:
    """Remove a user's rows and their traces; how many rows, by what."""
    removed = {
        "events": connection.execute(delete(events).where(events.c.user == user)).rowcount,
        "impressions": connection.execute(
            delete(impressions).where(impressions.c.user == user)
        ).rowcount,
        "people": connection.execute(delete(people).where(people.c.id == user)).rowcount,
        "mentions": len(found.mentions),
    }
    for table, name, rows in (
        (events, "events", found.events),
        (impressions, "impressions", found.impressions),
        (items, "mentions", found.items),
    ):
        for arrival in rows:
            gone = delete(table).where(table.c.arrival == bindparam("it"))
            removed[name] += connection.execute(gone, {"it": arrival}).rowcount
    if found.mentions:
        mend = update(events).where(events.c.arrival == bindparam("it"))
        mend = mend.values(content=bindparam("text"), key=bindparam("left_key"))
        connection.execute(mend, found.mentions)
    return removed


def _find(
    connection: Connection, table: str, any_of: Sequence[str], needles: dict[str, str]
) -> Sequence[Row[Any]]:
    """Rows of others for which one of some conditions holds."""
    condition = " OR ".join(any_of)
    query = text(f'SELECT * FROM {table} WHERE "user" <> :user AND ({condition})')
    used = {name: value for name, value in needles.items() if f":{name}" in query.text}
    return connection.execute(query, used).all()


def _mended(row: Row[Any], left: Event) -> dict[str, Any]:
    """The row of an event without the name of somebody."""
    # An event that came without a time is kept without one: the column says when it counts for.
    has_time = json.loads(row.content)["time"] is not None
    content = write_event(left if has_time else replace(left, time=None))
    return {"it": row.arrival, "text": content, "left_key": left.idempotency_key}
