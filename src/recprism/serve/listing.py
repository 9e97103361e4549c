"""Pages of users and items, sorted by id, so that a page goes on where the last one ended even
when another artifact came between."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from itertools import islice
from typing import Any

from recprism.data.dataset import Ids
from recprism.engine import Engine
from recprism.serve.reading import write_cursor
from recprism.store import Store


def page_of_users(
    engine: Engine | None, store: Store, after: str, n: int, query: str
) -> dict[str, Any]:
    """At most `n` ids above `after` with `query` in them, and the cursor of the next page."""
    live = store.people(after, n + 1, query)
    known: Iterator[str] = iter(())
    if engine is not None:
        known = _above(engine.model.catalog.users.ids, after, lambda user: query in user)
    found = list(islice(dict.fromkeys(merge(live, islice(known, n + 1))), n + 1))
    return {"users": found[:n], "cursor": _cursor(found, n)}


def page_of_items(engine: Engine, kind: str, after: str, n: int, query: str) -> dict[str, Any]:
    """At most `n` items of a kind with `query` in id or title, whatever the case: those trained and
    not deleted since, and those that came after.

    Raises `UnknownName` for a kind.
    """
    new = engine.new_ids(kind)
    wanted = query.casefold()

    def fits(item: str) -> bool:
        if engine.is_deleted(kind, item):
            return False
        return wanted in item.casefold() or wanted in engine.title(kind, item).casefold()

    newer = (item for item in new if item > after and fits(item))
    found = list(islice(merge(_above(engine.ids(kind), after, fits), newer), n + 1))
    items = [
        {"id": item, "title": engine.title(kind, item), "labels": engine.labels(kind, item)}
        for item in found[:n]
    ]
    return {"kind": kind, "items": items, "cursor": _cursor(found, n)}


def _above(ids: Ids, after: str, fits: Callable[[str], bool]) -> Iterator[str]:
    begin = bisect_right(ids.in_order, after)
    return (one for one in islice(ids.in_order, begin, None) if fits(one))


def _cursor(found: Sequence[str], n: int) -> str | None:
    return write_cursor(found[n - 1]) if len(found) > n else None
