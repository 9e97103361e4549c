"""Events that came after training: from the store, the sources, or a data set in memory.

In comes a user id and a moment, out come the user's own later events as arrays. Whatever the
origin, only the asked user's events are folded in; statistics over others stay the artifact's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

import numpy as np

from recprism.data.dataset import (
    UNKNOWN,
    BoolArray,
    Catalog,
    EventLog,
    FloatArray,
    IntArray,
    LongArray,
)
from recprism.data.live import LiveEvents
from recprism.data.times import from_micros, to_micros
from recprism.errors import UnknownItem, UnknownName
from recprism.model import Model
from recprism.records import DISMISS, Event
from recprism.store import Mark, Store

DISMISSED = -2
"""The code of `DISMISS` among a user's live events."""


@dataclass(frozen=True)
class OwnEvents:
    """One user's events, oldest first, all arrays of one length; see `EventLog` for the codes."""

    item: IntArray
    action: IntArray
    time: LongArray
    value: FloatArray
    session: IntArray
    context: Mapping[str, IntArray]

    def __len__(self) -> int:
        return len(self.item)

    @staticmethod
    def of(log: EventLog, span: slice) -> OwnEvents:
        """Some events of a log, without copying."""
        return OwnEvents(
            log.item[span],
            log.action[span],
            log.time[span],
            log.value[span],
            log.session[span],
            {name: codes[span] for name, codes in log.context.items()},
        )

    @staticmethod
    def join(parts: Sequence[OwnEvents]) -> OwnEvents:
        """All events of `parts`, ordered by time (ties in the order of the parts)."""
        parts = [part for part in parts if len(part)] or list(parts[:1])
        if len(parts) == 1:
            return parts[0]
        time = np.concatenate([part.time for part in parts])
        order = np.argsort(time, kind="stable")
        names = dict.fromkeys(name for part in parts for name in part.context)
        return OwnEvents(
            np.concatenate([part.item for part in parts])[order],
            np.concatenate([part.action for part in parts])[order],
            time[order],
            np.concatenate([part.value for part in parts])[order],
            np.concatenate([part.session for part in parts])[order],
            {
                name: np.concatenate(
                    [
                        part.context.get(name, np.full(len(part), UNKNOWN, np.int32))
                        for part in parts
                    ]
                )[order]
                for name in names
            },
        )

    def take(self, keep: BoolArray) -> OwnEvents:
        """The events at `keep` [n]."""
        return OwnEvents(
            self.item[keep],
            self.action[keep],
            self.time[keep],
            self.value[keep],
            self.session[keep],
            {name: codes[keep] for name, codes in self.context.items()},
        )


class LaterEvents(Protocol):
    """Where events after training come from."""

    def of(self, user: str, before: int) -> OwnEvents | None:
        """A user's later events before a moment (microseconds); None when there are none."""
        ...


class FromLog:
    """Later events from a log in memory that numbers users as the catalog does."""

    def __init__(self, catalog: Catalog, log: EventLog, since: int) -> None:
        self._catalog, self._log, self._since = catalog, log, since

    def of(self, user: str, before: int) -> OwnEvents | None:
        span = self._log.span(self._catalog.users.ids.index(user), before)
        skip = int(np.searchsorted(self._log.time[span], self._since))
        return OwnEvents.of(self._log, slice(span.start + skip, span.stop))


class FromSources:
    """Later events as `data/live.py` reads them from the project's sources."""

    def __init__(self, events: LiveEvents) -> None:
        self._events = events

    def of(self, user: str, before: int) -> OwnEvents | None:
        return OwnEvents.of(self._events.log, self._events.span(user, before))


class FromStore:
    """Later events from the store, mapped onto the catalog; unknown items are skipped.

    Without those that the model has learned. Events with the action `dismiss` come with the code
    `DISMISSED`, whatever the catalog knows, and always: a training does not end a dismissal.
    """

    def __init__(self, model: Model, store: Store) -> None:
        catalog = model.catalog
        self._catalog, self._store = catalog, store
        self._learned: Mark | None = None
        if model.learned.arrival:
            until = from_micros(model.until)
            self._learned = Mark(
                store=model.learned.store, arrival=model.learned.arrival, until=until
            )
        self._actions = {name: i for i, name in enumerate(catalog.actions)}
        self._contexts = {
            name: {value: i for i, value in enumerate(values)}
            for name, values in catalog.contexts.items()
        }

    def of(
        self, user: str, before: int, *, is_now: bool = False, catalog: Catalog | None = None
    ) -> OwnEvents | None:
        """The user's live events before a moment, on items of `catalog` (default: those trained).

        Where that moment `is_now` everything that was acknowledged has happened, whatever the clock
        of the worker or client that gave it its time: what lies ahead counts as a moment ago.
        """
        events = self._store.events_of(user, self._learned)
        if self._learned is not None:
            earlier = self._store.events_of(user)
            events = [event for event in events if event.action != DISMISS]
            events += [event for event in earlier if event.action == DISMISS]
            events.sort(key=lambda event: event.time or datetime.min)
        return self._coded(events, before, is_now, catalog or self._catalog)

    def what_if(
        self, events: Sequence[Event], before: int, *, is_now: bool, catalog: Catalog | None = None
    ) -> OwnEvents | None:
        """Events that nobody did, as if the asker had done them before a moment; a time that is
        missing is that moment. What lies after it does not count.

        Raises `UnknownName` for a kind or action, `UnknownItem` for an item.
        """
        known = catalog or self._catalog
        for event in events:
            if event.kind not in known.kinds:
                raise UnknownName("kind", event.kind, known.kinds)
            if known.index(event.kind, event.item) == UNKNOWN:
                raise UnknownItem(event.kind, event.item, len(known.kinds[event.kind]))
            if event.action != DISMISS and event.action not in self._actions:
                raise UnknownName("action", event.action, [*self._actions, DISMISS])
        moment = from_micros(before - 1)
        timed = [replace(event, time=event.time or moment) for event in events]
        timed.sort(key=lambda event: event.time or moment)
        return self._coded(timed, before, is_now, known)

    def _coded(
        self, events: Sequence[Event], before: int, is_now: bool, catalog: Catalog
    ) -> OwnEvents | None:
        """Events in the order of time, in codes; None when none of them counts."""
        found = (self._row(event, before, is_now, catalog) for event in events)
        rows = [row for row in found if row is not None]
        if not rows:
            return None
        item, action, time, value = map(np.array, zip(*(row[:4] for row in rows), strict=True))
        context = {
            name: np.array([row[4].get(name, UNKNOWN) for row in rows], np.int32)
            for name in self._contexts
        }
        return OwnEvents(
            item.astype(np.int32),
            action.astype(np.int32),
            time.astype(np.int64),
            value.astype(np.float32),
            np.full(len(rows), UNKNOWN, np.int32),
            context,
        )

    def _row(
        self, event: Event, before: int, is_now: bool, catalog: Catalog
    ) -> tuple[int, int, int, float, dict[str, int]] | None:
        """One event in codes; None for what the catalog does not know or what came later."""
        action = DISMISSED if event.action == DISMISS else self._actions.get(event.action)
        if action is None or event.time is None:
            return None
        item, time = catalog.index(event.kind, event.item), to_micros(event.time)
        if is_now:
            time = min(time, before - 1)
        if item == UNKNOWN or time >= before:
            return None
        value = float("nan") if event.value is None else event.value
        context = {
            name: codes.get(str(event.context.get(name)), UNKNOWN)
            for name, codes in self._contexts.items()
        }
        return item, action, time, value, context
