"""What goes into a store and comes out: checked events, impressions, limits, people, keys."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from recprism.records import Event

MAX_ID_BYTES: Final = 512
MAX_AHEAD: Final = timedelta(minutes=5)
"""Clocks differ; an event further ahead of now than this is refused."""

_TEXT_FIELDS = ("user", "kind", "item", "action")
_OPTIONAL_FIELDS = ("session", "offer", "request_id", "slot", "idempotency_key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """An event that was not accepted: its position in the batch, from 0, and why."""

    index: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddResult:
    """What became of a batch: how many were new, how many were known already, which were refused.

    `accepted + duplicates + len(rejected)` is the size of the batch.
    """

    accepted: int = 0
    duplicates: int = 0
    rejected: tuple[Rejection, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "rejected": [{"index": r.index, "error": r.error} for r in self.rejected],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Impression:
    """An item that was shown to a user, in which request, list and place, by which artifact.

    `propensity` is the probability with which this request showed the item in this list: 1 where
    nothing was left to chance. `experiment` and `arm` say which experiment the list was part of.
    """

    user: str
    time: datetime
    request_id: str
    task: str
    kind: str
    item: str
    position: int
    slot: str | None = None
    artifact: str | None = None
    propensity: float = 1.0
    experiment: str | None = None
    arm: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """An item may be shown to a user at most `shows` times at or after `since`."""

    shows: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a training knew of a store: events up to number `arrival` that lie before `until`.

    `store` is the store's `identity`: the numbers of another one mean nothing.
    """

    store: str
    arrival: int
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What was said about a user online: traits by name, and whether lists may be personal."""

    id: str
    traits: Mapping[str, str] = field(default_factory=dict)
    personalize: bool = True
    changed: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredItem:
    """An item that was put or deleted online, as it stands now.

    `title`, `text`, `labels` and `numbers` are what was said of it, by the names of the project
    file; `guesses` are labels that it was not given, each with a confidence. `vector` is its text
    as the encoder named `encoder` sees it, as bytes of float16 (empty without). Of a deleted item
    nothing but its id is left.
    """

    kind: str
    id: str
    title: str | None = None
    text: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    guesses: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    encoder: str = ""
    vector: bytes = b""
    changed: datetime
    is_deleted: bool = False


Role = Literal["reader", "writer", "admin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key to the service: its public id, what it may do, and the SHA-256 of its secret (hex).

    A fast hash is enough because a secret has at least 128 random bits.
    """

    id: str
    role: Role
    digest: str
    name: str
    created: datetime
    last_used: datetime | None = None
    revoked: datetime | None = None


def find_id_fault(outside: object) -> str | None:
    """What is wrong with an id, None when it is fine: text of 1 to 512 bytes, nothing invisible."""
    if not isinstance(outside, str):
        return f"an id must be text, found {type(outside).__name__} `{outside}`"
    if not outside:
        return "an id must not be empty"
    # What is printable has neither; the rest is looked at in full, which takes ten times as long.
    if not outside.isprintable() and any(unicodedata.category(c) in ("Cc", "Cs") for c in outside):
        return f"the id {outside!a} holds a control character"
    size = len(outside.encode("utf-8"))
    if size > MAX_ID_BYTES:
        return f"an id must have at most {MAX_ID_BYTES} bytes, found {size}"
    return None


def find_event_fault(event: Event, now: datetime) -> str | None:
    """What is wrong with an event as of `now`, None when it can be stored."""
    for name in _TEXT_FIELDS:
        fault = find_id_fault(getattr(event, name))
        if fault is not None:
            return f"`{name}`: {fault}"
    for name in _OPTIONAL_FIELDS:
        value = getattr(event, name)
        fault = None if value is None else find_id_fault(value)
        if fault is not None:
            return f"`{name}`: {fault}"
    if event.value is not None and not math.isfinite(event.value):
        return f"`value`: found `{event.value}`, a finite number is needed"
    return _find_time_fault(event.time, now) or _find_context_fault(event.context)


def _find_time_fault(time: datetime | None, now: datetime) -> str | None:
    if time is None:
        return None
    if time.tzinfo is not None:
        return f"`time`: found the zone `{time.tzinfo}`, a time on the clock of the data is needed"
    if time > now + MAX_AHEAD:
        return f"`time`: `{time.isoformat()}` is over 5 minutes ahead of now, `{now.isoformat()}`"
    return None


def _find_context_fault(context: Mapping[str, str]) -> str | None:
    for name, value in context.items():
        fault = find_id_fault(name) or find_id_fault(value)
        if fault is not None:
            return f"`context`: {fault}"
    return None


def find_person_fault(person: Person) -> str | None:
    """What is wrong with a person, None when it can be stored; traits are texts like ids."""
    fault = find_id_fault(person.id)
    if fault is not None:
        return f"`id`: {fault}"
    for name, value in person.traits.items():
        fault = find_id_fault(name) or find_id_fault(value)
        if fault is not None:
            return f"`traits`: {fault}"
    return None


MAX_TITLE: Final = 1_000
MAX_TEXT: Final = 10_000


def find_item_fault(item: StoredItem) -> str | None:
    """What is wrong with an item, None when it can be stored; labels are texts like ids."""
    for name, outside in (("kind", item.kind), ("id", item.id)):
        fault = find_id_fault(outside)
        if fault is not None:
            return f"`{name}`: {fault}"
    for name, text, most in (("title", item.title, MAX_TITLE), ("text", item.text, MAX_TEXT)):
        if text is not None and len(text) > most:
            return f"`{name}`: at most {most:,} characters, found {len(text):,}"
        if text is not None and not is_storable(text):
            return f"`{name}`: holds a character that no store can hold"
    for name, value in item.labels.items():
        fault = find_id_fault(name) or find_id_fault(value)
        if fault is not None:
            return f"`labels`: {fault}"
    for name, number in item.numbers.items():
        if not math.isfinite(number):
            return f"`numbers`: found `{number}` for `{name}`, a finite number is needed"
    return None


def write_item(item: StoredItem) -> str:
    """What was said of an item, and guessed, as JSON."""
    names = ("title", "text", "labels", "numbers", "guesses", "encoder")
    content = {name: getattr(item, name) for name in names}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), default=dict)


def read_item(
    content: str, *, kind: str, id: str, vector: bytes, changed: datetime, is_deleted: bool
) -> StoredItem:
    """The item that `write_item` wrote, with the columns that stand beside it."""
    said = json.loads(content)
    guesses = {name: (str(value), float(sure)) for name, (value, sure) in said["guesses"].items()}
    return StoredItem(
        **{**said, "guesses": guesses},
        kind=kind,
        id=id,
        vector=vector,
        changed=changed,
        is_deleted=is_deleted,
    )


def is_storable(text: str) -> bool:
    """Whether any store can hold this text: no half characters, no character zero."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def write_event(event: Event) -> str:
    """The event as canonical JSON, without its key: equal text means equal content."""
    content = {
        "user": event.user,
        "kind": event.kind,
        "item": event.item,
        "action": event.action,
        "time": None if event.time is None else event.time.isoformat(),
        "value": event.value,
        "session": event.session,
        "context": dict(sorted(event.context.items())),
        "offer": event.offer,
        "request_id": event.request_id,
        "slot": event.slot,
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def read_event(content: str, time: datetime, key: str | None) -> Event:
    """The event that `write_event` wrote, at the time it counts for."""
    fields = json.loads(content)
    return Event(**{**fields, "time": time, "idempotency_key": key})
