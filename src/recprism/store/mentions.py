"""Who a row is about: what an erased person leaves in the rows of others.

In come an event or impression and an id, out goes what may stay. A row is about a person when the
user is that person, or an item of the kind `people` is. An id that is long enough to be no
coincidence is also looked for inside every other text; the id `367` is not, because it may as well
be a store.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from recprism.records import Event
from recprism.store.records import Impression, StoredItem

PEOPLE: Final = "people"
"""The kind whose items are users."""
TELLING: Final = 16
"""An id of so many characters is looked for inside other texts."""

_REQUIRED = ("kind", "item", "action")
_OPTIONAL = ("session", "offer", "request_id", "slot", "idempotency_key")


def is_telling(user: str) -> bool:
    """Whether an id says on its own whom it means."""
    return len(user) >= TELLING


def event_without(event: Event, user: str) -> Event | None:
    """`event` without `user` in it: the same event where it names nobody, None where it is about
    that person. An optional text that names them is dropped, and so is such a context."""
    if event.user == user or (event.kind == PEOPLE and event.item == user):
        return None
    if not is_telling(user):
        return event
    if any(user in getattr(event, name) for name in ("user", *_REQUIRED)):
        return None
    named: dict[str, Any] = {
        name: None for name in _OPTIONAL if user in (getattr(event, name) or "")
    }
    context = {k: v for k, v in event.context.items() if user not in k and user not in v}
    if not named and len(context) == len(event.context):
        return event
    return replace(event, context=context, **named)


def is_about(shown: Impression, user: str) -> bool:
    """Whether an impression was shown to a person, or showed one, or names one anywhere."""
    if shown.user == user or (shown.kind == PEOPLE and shown.item == user):
        return True
    texts = (shown.user, shown.request_id, shown.task, shown.kind, shown.item, shown.slot or "")
    return is_telling(user) and any(user in text for text in texts)


def trace_of(digest: str, now: datetime) -> StoredItem:
    """What stays where items went with an erased person: a deletion that names nobody.

    It tells whoever read the changes of items before to read all of them again.
    """
    return StoredItem(kind=PEOPLE, id=digest, changed=now, is_deleted=True)


def is_item_about(item: StoredItem, user: str) -> bool:
    """Whether an item put online is a person, or names one anywhere."""
    if item.kind == PEOPLE and item.id == user:
        return True
    return is_telling(user) and any(user in text for text in (item.kind, item.id, *_texts_of(item)))


def _texts_of(item: StoredItem) -> list[str]:
    labels = [text for pair in item.labels.items() for text in pair]
    guesses = [text for name, (value, _) in item.guesses.items() for text in (name, value)]
    return [item.title or "", item.text or "", *labels, *guesses, *item.numbers]
