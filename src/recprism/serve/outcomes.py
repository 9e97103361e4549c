"""What came of what was shown: how many shows, and after how many of them which action.

In come a store and a period, out go rows by task, slot and artifact. The one decision worth
knowing: an event belongs to one show. The one whose answer it names (`request_id`); without that
the last one of the same item to the same user within a window, where both clocks are the real one.
It is read user by user, which costs a moment per thousand users: a report, not for each page.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from recprism.records import Event
from recprism.store import Impression, Store

PAGE = 1000

Cell = tuple[str, str | None, str | None]
"""Task, slot, artifact."""


@dataclass
class Tally:
    """Shows of one cell, and how many of them each action followed."""

    shows: int = 0
    actions: Counter[str] = field(default_factory=Counter)


def count_outcomes(store: Store, since: datetime, window: timedelta | None) -> dict[Cell, Tally]:
    """The tally of each cell, of what was shown at or after `since` (real time, UTC).

    `window` None joins by request alone, for projects whose events are on another clock.
    """
    cells: dict[Cell, Tally] = defaultdict(Tally)
    for user in everyone(store):
        shown = store.impressions_of(user, since)
        if not shown:
            continue
        for one in shown:
            cells[_cell(one)].shows += 1
        for one, action in followed(shown, store.events_of(user), window):
            cells[_cell(one)].actions[action] += 1
    return dict(cells)


def as_rows(cells: dict[Cell, Tally]) -> list[dict[str, Any]]:
    """The tallies as documents, most shows first; a rate is actions per show."""
    rows = [
        {
            "task": task,
            "slot": slot,
            "artifact": artifact,
            "shows": tally.shows,
            "actions": dict(tally.actions),
            "rates": {name: round(n / tally.shows, 6) for name, n in tally.actions.items()},
        }
        for (task, slot, artifact), tally in cells.items()
    ]
    return sorted(rows, key=lambda row: (-int(row["shows"]), str(row["task"]), str(row["slot"])))


def followed(
    shown: Sequence[Impression], events: Iterable[Event], window: timedelta | None
) -> set[tuple[Impression, str]]:
    """Shows of one user and the actions that followed them, each pair once."""
    of_item: dict[tuple[str, str], list[Impression]] = defaultdict(list)
    for one in shown:
        of_item[one.kind, one.item].append(one)
    found = set()
    for event in events:
        match = find_show(of_item.get((event.kind, event.item), ()), event, window)
        if match is not None:
            found.add((match, event.action))
    return found


def find_show(
    shown: Sequence[Impression], event: Event, window: timedelta | None
) -> Impression | None:
    """The show, of those that an event could follow, that it belongs to; None for none."""
    if event.request_id is not None:
        return next((one for one in shown if one.request_id == event.request_id), None)
    if window is None or event.time is None:
        return None
    before = [one for one in shown if one.time <= event.time < one.time + window]
    return max(before, key=lambda one: one.time, default=None)


def everyone(store: Store) -> Iterator[str]:
    """All users that a store knows."""
    last = ""
    while page := store.people(last, PAGE):
        yield from page
        last = page[-1]


def _cell(one: Impression) -> Cell:
    return one.task, one.slot, one.artifact
