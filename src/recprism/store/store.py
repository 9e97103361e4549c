"""The interface of a store, and what every store does the same way.

In come live events, the lists that were shown, people and keys; out come one user's events in time
order, what was shown, and whether more may be. The one decision worth knowing: a batch is checked
row by row and never refused as a whole, and a call that writes returns only when what it accepted
is durable (as far as the store is).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from recprism.errors import UsageError
from recprism.records import Answer, Event
from recprism.store.records import (
    AddResult,
    ApiKey,
    Impression,
    Limit,
    Mark,
    Person,
    Rejection,
    StoredItem,
    find_event_fault,
    find_item_fault,
    find_person_fault,
    write_event,
)


class EventStore(Protocol):
    """What users did."""

    def identity(self) -> str:
        """Random text that tells this store from every other; empty before the first write."""
        ...

    def add_events(self, events: Sequence[Event], now: datetime) -> AddResult:
        """Keep `events`; one without a time happened `now`.

        An event whose `idempotency_key` was seen with the same content is a duplicate, with other
        content it is rejected. Faulty events are rejected too; the rest of the batch is kept.
        """
        ...

    def events_of(self, user: str, learned: Mark | None = None) -> list[Event]:
        """One user's events by time, ties in order of arrival; empty for an unknown user.

        With `learned` those that a training knew already are left out; a mark of another store
        leaves nothing out.
        """
        ...

    def events_after(self, arrival: int, n: int) -> list[tuple[int, Event]]:
        """At most `n` events of everyone that came after the one numbered `arrival` (0: all).

        Each with its number, in order of arrival. Numbers grow and are never given twice, and one
        that is seen comes after every smaller one that will ever be seen.
        """
        ...


class ShowStore(Protocol):
    """What users were shown."""

    def record_impressions(self, answer: Answer, now: datetime) -> None:
        """Remember what `answer` showed; an answer without a user leaves nothing."""
        ...

    def impressions_of(self, user: str, since: datetime) -> list[Impression]:
        """What was shown to one user at or after `since`, in the order it was recorded."""
        ...

    def reserve(self, shown: Sequence[Impression], limits: Mapping[str, Limit]) -> list[bool]:
        """For each of `shown`, whether it may be shown; what may is remembered in the same step.

        `limits` are by task; a task without one is always allowed. Counted are all earlier
        impressions of the same user, kind and item since the limit began, those of this call
        included, so that no number of callers at once exceeds a limit.
        """
        ...


class PeopleStore(Protocol):
    """What is known about people beside events, and what was forgotten."""

    def put_person(self, person: Person) -> None:
        """Remember a person, in place of what was said before. Raises `UsageError` for texts that
        cannot be stored."""
        ...

    def person(self, user: str) -> Person | None:
        """What was said about a user; None when nothing was."""
        ...

    def people(self, after: str, n: int, query: str = "") -> list[str]:
        """At most `n` ids above `after`, sorted by code points: everyone who was put, did
        something, or was shown something, with `query` in the id."""
        ...

    def unpersonalized(self) -> list[str]:
        """Ids of everyone who wants no personal lists, sorted."""
        ...

    def erase(self, user: str, digest: str, now: datetime) -> dict[str, int]:
        """Forget a user: rows removed, by `events`, `impressions`, `people` and `mentions`.

        Mentions are events of others that stay without naming this user (see
        `recprism.store.mentions`). That `digest` (which only the project's secret links to the id)
        was erased `now` is remembered in the same step.
        """
        ...

    def erased_at(self, digest: str) -> datetime | None:
        """When the person of a digest was erased last; None for never."""
        ...

    def erasures(self) -> dict[str, datetime]:
        """All digests that were erased, with the time."""
        ...

    def purge(self, before: datetime, shown_before: datetime | None = None) -> dict[str, int]:
        """Remove `events` before one moment and `impressions` before another (default: the same);
        rows removed by these names. Impressions are on the real clock, events on the data's."""
        ...


class ItemStore(Protocol):
    """Items that were put or deleted since the sources were written."""

    def put_item(self, item: StoredItem) -> None:
        """Remember an item, in place of what was said before. Raises `UsageError` for one that
        cannot be stored."""
        ...

    def delete_item(self, kind: str, item: str, now: datetime) -> None:
        """Remember that an item is not to be shown, also one that only the sources know."""
        ...

    def item(self, kind: str, item: str) -> StoredItem | None:
        """What was said of an item last, its deletion too; None when nothing was."""
        ...

    def items_after(self, arrival: int, n: int) -> list[tuple[int, StoredItem]]:
        """At most `n` items that were put or deleted after number `arrival` (0: all), each once.

        Numbers work as those of `events_after`; an item that changes again gets a new one.
        """
        ...


class KeyStore(Protocol):
    """Keys to the service."""

    def add_key(self, key: ApiKey) -> None:
        """Remember a key. Raises `UsageError` when there is one with its id."""
        ...

    def key(self, key_id: str) -> ApiKey | None:
        """A key by its public id, revoked ones included; None when there is none."""
        ...

    def keys(self) -> list[ApiKey]:
        """All keys in the order they were made."""
        ...

    def revoke_key(self, key_id: str, now: datetime) -> bool:
        """Let a key open nothing any more; whether there was one that did until `now`."""
        ...

    def touch_key(self, key_id: str, now: datetime) -> None:
        """Note that a key was used; fine for one that does not exist."""
        ...


class Store(EventStore, ShowStore, PeopleStore, ItemStore, KeyStore, Protocol):
    """Everything about one project that changes between two trainings; safe to share by threads.

    Times are naive, on the clock of the sources for events and on the real one (UTC) for all else;
    `now` is passed in because a project may run on the clock of its data. Every method raises
    `StoreError` when the store cannot be used and `DiskFull` when it cannot grow.
    """

    def ping(self) -> None:
        """Raise `StoreError` when the store cannot be reached."""
        ...

    def close(self) -> None:
        """Let go of files and connections; calling it twice is fine."""
        ...


@dataclass(frozen=True, slots=True)
class Sound:
    """An event that can be stored: its place in the batch, as text, and when it happened."""

    index: int
    event: Event
    content: str
    time: datetime


def check_batch(events: Sequence[Event], now: datetime) -> tuple[list[Sound], list[Rejection]]:
    """The events of a batch that can be stored, and why the others cannot."""
    sound: list[Sound] = []
    rejected: list[Rejection] = []
    for index, event in enumerate(events):
        error = find_event_fault(event, now)
        if error is None:
            sound.append(Sound(index, event, write_event(event), event.time or now))
        else:
            rejected.append(Rejection(index=index, error=error))
    return sound, rejected


def settle_batch(
    sound: Sequence[Sound], rejected: Sequence[Rejection], earlier: Mapping[str, str]
) -> tuple[list[Sound], AddResult]:
    """Which events are new, and the account of the batch.

    `earlier` has the content of each event in the store whose key occurs in the batch.
    """
    contents = dict(earlier)
    new: list[Sound] = []
    refused = list(rejected)
    duplicates = 0
    for one in sound:
        key = one.event.idempotency_key
        if key is None or key not in contents:
            new.append(one)
            if key is not None:
                contents[key] = one.content
        elif contents[key] == one.content:
            duplicates += 1
        else:
            error = f"`idempotency_key`: `{key}` was used before for an event that differs"
            refused.append(Rejection(index=one.index, error=error))
    refused.sort(key=lambda rejection: rejection.index)
    return new, AddResult(accepted=len(new), duplicates=duplicates, rejected=tuple(refused))


def impressions_in(answer: Answer, now: datetime) -> Iterator[Impression]:
    """One impression for every place of every list of `answer`; none without a user."""
    if answer.user is None:
        return
    for task, ranked in answer.lists.items():
        for position, item in enumerate(ranked.items):
            yield Impression(
                user=answer.user,
                time=now,
                request_id=answer.request_id,
                task=task,
                kind=ranked.kind,
                item=item.id,
                position=position,
                slot=item.slot,
                artifact=answer.artifact,
                propensity=item.propensity,
                experiment=ranked.experiment,
                arm=ranked.arm,
            )


def check_person(person: Person) -> None:
    """Raise `UsageError` for a person that cannot be stored."""
    fault = find_person_fault(person)
    if fault is not None:
        raise UsageError(f"The person cannot be kept: {fault}.")


def check_item(item: StoredItem) -> None:
    """Raise `UsageError` for an item that cannot be stored."""
    fault = find_item_fault(item)
    if fault is not None:
        raise UsageError(f"The item cannot be kept: {fault}.")


def refuse_key(key: ApiKey) -> UsageError:
    """What to raise for a key whose id is taken."""
    return UsageError(f"There is a key `{key.id}` already. Make one with another id.")
