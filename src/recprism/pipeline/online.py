"""What a training takes from the store: events, items, and who nothing may be learned from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from recprism.data.events import CONTEXT
from recprism.data.items import label_column, number_column
from recprism.data.online import SCHEMA, Online, contexts_of
from recprism.data.times import OPEN_END, from_micros, to_micros
from recprism.model import Learned
from recprism.project import Project
from recprism.records import Event
from recprism.store import Erasures, Store, StoredItem, open_project_store

_PAGE = 20_000
"""So many events are in memory as records at a time."""


@dataclass(frozen=True)
class Observed:
    """What the store held when a training began, and how to tell whether that changed."""

    online: Online
    learned: Learned
    state: Sequence[Any]


def read_store(project: Project, *, purge: bool = False) -> Observed:
    """Everything in a project's store that a training needs to know.

    What is older than `privacy.retention` is not read, and with `purge` removed from the store.
    Rows of erased people from before their erasure are left out of the sources too. Raises
    `StoreError` when the store cannot be read, or the key of its erasures is gone.
    """
    with closing(open_project_store(project)) as store:
        contexts = contexts_of(project.spec)
        pages, last = [_frame([], contexts)], 0
        for page in _pages(store):
            last = page[-1][0]
            pages.append(_frame([event for _, event in page], contexts))
        events = _retained(project, pl.concat(pages), store if purge else None)
        quiet, erased = store.unpersonalized(), Erasures(project.path, store).everyone()
        items, last_item = _put_items(project, store)
        learned = Learned(store.identity() if last else "", last, dict(erased.moments))
    always = dict.fromkeys(quiet, OPEN_END)

    def left_out(users: Sequence[str]) -> Mapping[str, int]:
        # Who wants no personal lists is left out for all time, who was erased up to then.
        return erased.left_out(users) | {user: always[user] for user in users if user in always}

    state = [learned.store, last, events.height, quiet, sorted(erased.moments.items()), last_item]
    online = Online(events, left_out if always or erased else None, items)
    return Observed(online, learned, state if any(state) else [])


def _pages(store: Store) -> Iterator[list[tuple[int, Event]]]:
    last = 0
    while page := store.events_after(last, _PAGE):
        yield page
        last = page[-1][0]


def _put_items(project: Project, store: Store) -> tuple[dict[str, pl.DataFrame], int]:
    """The items that were put and not deleted, by kind as in `Online.items`, and the number of the
    last change. Deletions stay in the store, which hides these items from every artifact."""
    rows: dict[str, list[StoredItem]] = {}
    last = 0
    while page := store.items_after(last, _PAGE):
        last = page[-1][0]
        for _, item in page:
            if not item.is_deleted and item.kind in project.spec.items:
                rows.setdefault(item.kind, []).append(item)
    return {kind: _item_frame(project, kind, items) for kind, items in rows.items()}, last


def _item_frame(project: Project, kind: str, items: Sequence[StoredItem]) -> pl.DataFrame:
    """What was said of items; what was guessed when they were put is guessed anew."""
    section = project.spec.items[kind]
    said = {
        "id": [item.id for item in items],
        "title": [item.title or item.text for item in items],
        "text": [item.text for item in items],
        **{label_column(n): [item.labels.get(n) for item in items] for n in section.labels},
    }
    numbers = {number_column(n): [item.numbers.get(n) for item in items] for n in section.numbers}
    schema = {**dict.fromkeys(said, pl.String), **dict.fromkeys(numbers, pl.Float64)}
    return pl.DataFrame({**said, **numbers}, schema)


def _retained(project: Project, events: pl.DataFrame, store: Store | None) -> pl.DataFrame:
    """The events that may be kept; `store` forgets all others, and old impressions."""
    retention = project.spec.privacy.retention
    if retention is None:
        return events
    wall = datetime.now(UTC).replace(tzinfo=None)
    newest = events["time"].max() if project.spec.clock == "data" else None
    now = from_micros(newest) if isinstance(newest, int) else wall
    if store is not None:
        store.purge(now - retention, wall - retention)
    return events.filter(pl.col("time") >= to_micros(now - retention))


def _frame(events: Sequence[Event], contexts: Sequence[str]) -> pl.DataFrame:
    """Events as columns, see `recprism.data.online.SCHEMA`."""
    columns: dict[str, list[Any]] = {
        name: [getattr(event, name) for event in events]
        for name in SCHEMA
        if name not in ("time", "value")
    }
    columns["time"] = [to_micros(event.time or datetime.min) for event in events]
    columns["value"] = [math.nan if e.value is None else e.value for e in events]
    for name in contexts:
        columns[f"{CONTEXT}{name}"] = [event.context.get(name) for event in events]
    schema = {**SCHEMA, **{f"{CONTEXT}{name}": pl.String for name in contexts}}
    return pl.DataFrame({name: columns[name] for name in schema}, schema)
