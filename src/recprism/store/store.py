"""The interface of a store, and what every store does the same way.

In come live events and the answers that were shown, out come one user's events in time order. The
one decision worth knowing: a batch is checked row by row and never refused as a whole, and the call
returns only when what was accepted is durable (as far as the store is).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from enum import Enum
from typing import Protocol

from recprism.records import Answer, Event
from recprism.store.records import (
    AddResult,
    Impression,
    Rejection,
    find_event_fault,
    write_event,
)


class Store(Protocol):
    """Live events and impressions of one project, safe to share between threads.

    Times are naive, on the clock of the sources; `now` is passed in because a project may run on
    the clock of its data. Every method raises `StoreError` when the store cannot be used and
    `DiskFull` when it cannot grow.
    """

    def add_events(self, events: Sequence[Event], now: datetime) -> AddResult:
        """Keep `events`; one without a time happened `now`.

        An event whose `idempotency_key` was seen with the same content is a duplicate, with other
        content it is rejected. Faulty events are rejected too; the rest of the batch is kept.
        """
        ...

    def events_of(self, user: str) -> list[Event]:
        """One user's events by time, ties in order of arrival; empty for an unknown user."""
        ...

    def record_impressions(self, answer: Answer, now: datetime) -> None:
        """Remember what `answer` showed; an answer without a user leaves nothing."""
        ...

    def impressions_of(self, user: str, since: datetime) -> list[Impression]:
        """What was shown to one user at or after `since`, in the order it was recorded."""
        ...

    def close(self) -> None:
        """Let go of files and connections; calling it twice is fine."""
        ...


class Kept(Enum):
    """What a store did with one sound event."""

    NEW = "new"
    SAME = "same"
    OTHER = "other"


def add_batch(
    events: Sequence[Event], now: datetime, keep: Callable[[Event, str, datetime], Kept]
) -> AddResult:
    """Check each event, let `keep(event, content, time)` store the sound ones, and count."""
    accepted = duplicates = 0
    rejected: list[Rejection] = []
    for index, event in enumerate(events):
        error = find_event_fault(event, now)
        if error is None:
            kept = keep(event, write_event(event), event.time or now)
            accepted += kept is Kept.NEW
            duplicates += kept is Kept.SAME
            if kept is Kept.OTHER:
                key = event.idempotency_key
                error = f"`idempotency_key`: `{key}` was used before for an event that differs"
        if error is not None:
            rejected.append(Rejection(index=index, error=error))
    return AddResult(accepted=accepted, duplicates=duplicates, rejected=tuple(rejected))


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
            )
