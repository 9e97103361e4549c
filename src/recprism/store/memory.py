"""A store that forgets when the process ends: for notebooks, tests and `Engine(store=None)`."""

from __future__ import annotations

import threading
from bisect import insort
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from recprism.records import Answer, Event
from recprism.store.records import AddResult, Impression
from recprism.store.store import Kept, add_batch, impressions_in


class MemoryStore:
    """Live events and impressions in dictionaries, safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: dict[str, list[tuple[datetime, int, Event]]] = defaultdict(list)
        self._impressions: dict[str, list[Impression]] = defaultdict(list)
        self._contents: dict[str, str] = {}
        self._arrivals = 0

    def add_events(self, events: Sequence[Event], now: datetime) -> AddResult:
        with self._lock:
            return add_batch(events, now, self._keep)

    def events_of(self, user: str) -> list[Event]:
        with self._lock:
            return [event for _, _, event in self._events.get(user, ())]

    def record_impressions(self, answer: Answer, now: datetime) -> None:
        with self._lock:
            for shown in impressions_in(answer, now):
                self._impressions[shown.user].append(shown)

    def impressions_of(self, user: str, since: datetime) -> list[Impression]:
        with self._lock:
            return [shown for shown in self._impressions.get(user, ()) if shown.time >= since]

    def close(self) -> None:
        """Nothing to let go of."""

    def _keep(self, event: Event, content: str, time: datetime) -> Kept:
        key = event.idempotency_key
        if key is not None:
            earlier = self._contents.setdefault(key, content)
            if earlier is not content:
                return Kept.SAME if earlier == content else Kept.OTHER
        self._arrivals += 1
        insort(self._events[event.user], (time, self._arrivals, replace(event, time=time)))
        return Kept.NEW
