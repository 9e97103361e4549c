"""Counting what was shown, and walking over everyone who is known: the longer queries."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import TextClause, bindparam, func, select, text
from sqlalchemy.engine import Connection

from recprism.store.database import Database
from recprism.store.records import Impression, Limit
from recprism.store.tables import impressions, to_us

Thing = tuple[str, str, str]
"""A user, a kind and an item."""
Counts = Mapping[str, Mapping[Thing, int]]
"""How often things were shown since a task's limit began, by task."""

_KNOWN = """
WITH RECURSIVE known (id) AS (
    SELECT {start}
    UNION ALL
    SELECT (SELECT MIN(next.id) FROM (
        SELECT MIN("user") AS id FROM events WHERE "user" > known.id
        UNION ALL SELECT MIN("user") FROM impressions WHERE "user" > known.id
        UNION ALL SELECT MIN(people.id) FROM people WHERE people.id > known.id) AS next)
    FROM known WHERE known.id IS NOT NULL)
SELECT id FROM known WHERE id IS NOT NULL AND id > :after {filter} LIMIT :n
"""


_SHOWN_SINCE: Final = (
    select(impressions.c.kind, impressions.c.item, func.count())
    .where(impressions.c.user == bindparam("user"), impressions.c.time >= bindparam("since"))
    .group_by(impressions.c.kind, impressions.c.item)
)


def known_people(database: Database, *, with_query: bool) -> TextClause:
    """Ids above `:after`, at most `:n`, that contain `:query`.

    Each step seeks the next id in the indexes, so that a user with many events costs as much as one
    with a single event, and a page does not cost the whole table.
    """
    matches = database.contains("id", "query")
    known = _KNOWN.format(start=database.start, filter=f"AND {matches}" if with_query else "")
    return text(known)


def count_earlier(
    connection: Connection, shown: Sequence[Impression], limits: Mapping[str, Limit]
) -> Counts:
    """How often the users of `shown` were shown each thing since the limit of each task began."""
    counts: dict[str, Counter[Thing]] = defaultdict(Counter)
    rows: dict[tuple[str, int], list[tuple[str, str, int]]] = {}
    for task, user in sorted({(one.task, one.user) for one in shown if one.task in limits}):
        since = to_us(limits[task].since)
        if (user, since) not in rows:
            found = connection.execute(_SHOWN_SINCE, {"user": user, "since": since})
            rows[user, since] = [tuple(row) for row in found]
        for kind, item, n in rows[user, since]:
            counts[task][user, kind, item] = n
    return counts


def settle_shown(
    shown: Sequence[Impression], limits: Mapping[str, Limit], counts: Counts
) -> list[bool]:
    """Which of `shown` stay within their limits, each counting for those after it."""
    granted: dict[Thing, list[datetime]] = defaultdict(list)
    allowed: list[bool] = []
    for one in shown:
        thing, limit = (one.user, one.kind, one.item), limits.get(one.task)
        if limit is not None:
            n = counts.get(one.task, {}).get(thing, 0)
            n += sum(time >= limit.since for time in granted[thing])
            if n >= limit.shows:
                allowed.append(False)
                continue
        granted[thing].append(one.time)
        allowed.append(True)
    return allowed
