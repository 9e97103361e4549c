"""A store that forgets when the process ends: for notebooks, tests and `Engine(store=None)`."""

from __future__ import annotations

import secrets
import threading
from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice

from recprism.records import Answer, Event
from recprism.store.mentions import PEOPLE, event_without, is_about, is_item_about, trace_of
from recprism.store.records import (
    AddResult,
    ApiKey,
    Impression,
    Limit,
    Mark,
    Person,
    StoredItem,
    write_event,
)
from recprism.store.store import (
    Sound,
    check_batch,
    check_item,
    check_person,
    impressions_in,
    refuse_key,
    settle_batch,
)


class MemoryStore:
    """A store in dictionaries, safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._identity = secrets.token_hex(16)
        self._arrivals = 0
        self._events: dict[int, Event] = {}
        self._by_user: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
        self._contents: dict[str, str] = {}
        self._impressions: dict[str, list[Impression]] = defaultdict(list)
        self._people: dict[str, Person] = {}
        self._erased: dict[str, datetime] = {}
        self._items: dict[tuple[str, str], tuple[int, StoredItem]] = {}
        self._item_arrivals = 0
        self._keys: dict[str, ApiKey] = {}

    def add_events(self, events: Sequence[Event], now: datetime) -> AddResult:
        checked = check_batch(events, now)
        with self._lock:
            new, result = settle_batch(*checked, self._contents)
            for one in new:
                self._keep(one)
            return result

    def identity(self) -> str:
        return self._identity

    def events_of(self, user: str, learned: Mark | None = None) -> list[Event]:
        if learned is not None and learned.store != self._identity:
            learned = None
        with self._lock:
            return [
                self._events[arrival]
                for time, arrival in self._by_user.get(user, ())
                if learned is None or arrival > learned.arrival or time >= learned.until
            ]

    def events_after(self, arrival: int, n: int) -> list[tuple[int, Event]]:
        with self._lock:
            numbers = range(arrival + 1, self._arrivals + 1)
            found = ((number, self._events[number]) for number in numbers if number in self._events)
            return list(islice(found, n))

    def record_impressions(self, answer: Answer, now: datetime) -> None:
        with self._lock:
            for shown in impressions_in(answer, now):
                self._impressions[shown.user].append(shown)

    def impressions_of(self, user: str, since: datetime) -> list[Impression]:
        with self._lock:
            return [shown for shown in self._impressions.get(user, ()) if shown.time >= since]

    def reserve(self, shown: Sequence[Impression], limits: Mapping[str, Limit]) -> list[bool]:
        with self._lock:
            return [self._reserve(one, limits.get(one.task)) for one in shown]

    def put_person(self, person: Person) -> None:
        check_person(person)
        with self._lock:
            self._people[person.id] = replace(person, traits=dict(person.traits))

    def person(self, user: str) -> Person | None:
        with self._lock:
            return self._people.get(user)

    def people(self, after: str, n: int, query: str = "") -> list[str]:
        with self._lock:
            known = {*self._people, *self._by_user, *self._impressions}
        return sorted(user for user in known if user > after and query in user)[: max(0, n)]

    def unpersonalized(self) -> list[str]:
        with self._lock:
            return sorted(one.id for one in self._people.values() if not one.personalize)

    def erase(self, user: str, digest: str, now: datetime) -> dict[str, int]:
        with self._lock:
            gone = [n for n, event in self._events.items() if event_without(event, user) is None]
            self._remove_events(gone)
            removed = {
                "events": len(gone),
                "impressions": self._keep_impressions(
                    shown for shown in self._all_shown() if not is_about(shown, user)
                ),
                "people": int(self._people.pop(user, None) is not None),
                "mentions": self._scrub(user) + self._remove_items(user, digest, now),
            }
            self._erased[digest] = now
            return removed

    def erased_at(self, digest: str) -> datetime | None:
        with self._lock:
            return self._erased.get(digest)

    def erasures(self) -> dict[str, datetime]:
        with self._lock:
            return dict(self._erased)

    def purge(self, before: datetime, shown_before: datetime | None = None) -> dict[str, int]:
        end = before if shown_before is None else shown_before
        with self._lock:
            old = [
                arrival
                for moments in self._by_user.values()
                for time, arrival in moments
                if time < before
            ]
            self._remove_events(old)
            kept = (shown for shown in self._all_shown() if shown.time >= end)
            return {"events": len(old), "impressions": self._keep_impressions(kept)}

    def put_item(self, item: StoredItem) -> None:
        check_item(item)
        with self._lock:
            self._item_arrivals += 1
            self._items[item.kind, item.id] = self._item_arrivals, item

    def delete_item(self, kind: str, item: str, now: datetime) -> None:
        self.put_item(StoredItem(kind=kind, id=item, changed=now, is_deleted=True))

    def item(self, kind: str, item: str) -> StoredItem | None:
        with self._lock:
            found = self._items.get((kind, item))
        return None if found is None else found[1]

    def items_after(self, arrival: int, n: int) -> list[tuple[int, StoredItem]]:
        if arrival >= self._item_arrivals:
            return []
        with self._lock:
            found = sorted(self._items.values(), key=lambda one: one[0])
        return [one for one in found if one[0] > arrival][: max(0, n)]

    def add_key(self, key: ApiKey) -> None:
        with self._lock:
            if key.id in self._keys:
                raise refuse_key(key)
            self._keys[key.id] = key

    def key(self, key_id: str) -> ApiKey | None:
        with self._lock:
            return self._keys.get(key_id)

    def keys(self) -> list[ApiKey]:
        with self._lock:
            return sorted(self._keys.values(), key=lambda key: (key.created, key.id))

    def revoke_key(self, key_id: str, now: datetime) -> bool:
        with self._lock:
            key = self._keys.get(key_id)
            if key is None or key.revoked is not None:
                return False
            self._keys[key_id] = replace(key, revoked=now)
            return True

    def touch_key(self, key_id: str, now: datetime) -> None:
        with self._lock:
            if key_id in self._keys:
                self._keys[key_id] = replace(self._keys[key_id], last_used=now)

    def ping(self) -> None:
        """Memory is always there."""

    def close(self) -> None:
        """Nothing to let go of."""

    def _keep(self, one: Sound) -> None:
        self._arrivals += 1
        event = replace(one.event, time=one.time, context=dict(one.event.context))
        self._events[self._arrivals] = event
        insort(self._by_user[event.user], (one.time, self._arrivals))
        if event.idempotency_key is not None:
            self._contents[event.idempotency_key] = one.content

    def _reserve(self, one: Impression, limit: Limit | None) -> bool:
        earlier = self._impressions.get(one.user, ())
        if limit is not None:
            same = [s for s in earlier if (s.kind, s.item) == (one.kind, one.item)]
            if sum(s.time >= limit.since for s in same) >= limit.shows:
                return False
        self._impressions[one.user].append(one)
        return True

    def _remove_events(self, arrivals: Iterable[int]) -> None:
        for arrival in arrivals:
            event = self._events.pop(arrival)
            assert event.time is not None
            moments = self._by_user[event.user]
            moments.remove((event.time, arrival))
            if not moments:
                del self._by_user[event.user]
            self._contents.pop(event.idempotency_key or "", None)

    def _scrub(self, user: str) -> int:
        """Drop a user's name from the events of others; how many named them."""
        n = 0
        for arrival, event in self._events.items():
            left = event_without(event, user)
            if left is not None and left is not event:
                self._events[arrival] = left
                content = self._contents.pop(event.idempotency_key or "", None)
                if content is not None and left.idempotency_key is not None:
                    self._contents[left.idempotency_key] = write_event(left)
                n += 1
        return n

    def _remove_items(self, user: str, digest: str, now: datetime) -> int:
        """Drop the items that are or name a user; how many there were."""
        gone = [key for key, (_, item) in self._items.items() if is_item_about(item, user)]
        for key in gone:
            del self._items[key]
        if gone:
            self._item_arrivals += 1
            self._items[PEOPLE, digest] = self._item_arrivals, trace_of(digest, now)
        return len(gone)

    def _all_shown(self) -> list[Impression]:
        return [shown for found in self._impressions.values() for shown in found]

    def _keep_impressions(self, kept: Iterable[Impression]) -> int:
        """Keep only these; how many went."""
        before = len(self._all_shown())
        fresh: dict[str, list[Impression]] = defaultdict(list)
        for shown in kept:
            fresh[shown.user].append(shown)
        self._impressions = fresh
        return before - len(self._all_shown())
