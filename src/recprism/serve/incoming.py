"""From rows of JSON to events in the store.

Rows are read by hand: a thousand of them a request are checked in the time that a general
validator takes for a hundred.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from recprism.errors import nearest
from recprism.records import Event
from recprism.store import AddResult, Rejection, Store

_NEEDED = ("user", "kind", "item", "action")
_KNOWN = frozenset(field.name for field in fields(Event))
_SHOWN = 80
"""Of a wrong value so many characters are repeated."""


def keep_events(store: Store, rows: Sequence[Any], now: datetime) -> AddResult:
    """Store the sound rows; the result counts all of them, by their places in the request.

    Raises `StoreError` and `DiskFull`; then nothing was kept.
    """
    events: list[Event] = []
    places: list[int] = []
    rejected: list[Rejection] = []
    for index, row in enumerate(rows):
        found = read_event_row(row)
        if isinstance(found, Event):
            events.append(found)
            places.append(index)
        else:
            rejected.append(Rejection(index=index, error=found))
    result = store.add_events(events, now) if events else AddResult()
    rejected += [Rejection(index=places[one.index], error=one.error) for one in result.rejected]
    rejected.sort(key=lambda one: one.index)
    return AddResult(
        accepted=result.accepted, duplicates=result.duplicates, rejected=tuple(rejected)
    )


def read_event_row(row: Any) -> Event | str:
    """The event that a row describes, or what is wrong with it."""
    if not isinstance(row, dict):
        return f"an event is an object, found {_type_of(row)}"
    for name in row:
        if name not in _KNOWN:
            close = nearest(name, _KNOWN)
            return f"`{_cut(name)}` is no field of an event" + (
                f"; did you mean `{close}`?" if close else ""
            )
    for name in _NEEDED:
        if row.get(name) is None:
            return f"`{name}` is missing"
    fault = _wrong_type(row)
    if fault is not None:
        return fault
    written = row.get("time")
    time = None if written is None else _time_of(written)
    if isinstance(time, str):
        return time
    value = row.get("value")
    known = {**row, "time": time, "value": None if value is None else float(value)}
    known["context"] = row.get("context") or {}
    return Event(**known)


def _wrong_type(row: Mapping[str, Any]) -> str | None:
    for name, value in row.items():
        if value is None:
            continue
        if name == "value":
            if isinstance(value, bool) or not isinstance(value, int | float):
                return f"`value` must be a number, found {_type_of(value)}"
            if abs(value) > 1e300:
                return "`value` is beyond all measure"
        elif name == "context":
            if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
                return "`context` must be an object of texts"
        elif not isinstance(value, str):
            return f"`{name}` must be text, found {_type_of(value)} `{_cut(str(value))}`"
    return None


def _time_of(written: str) -> datetime | str:
    """A time on the clock of the sources; one with a zone is turned into UTC."""
    try:
        time = datetime.fromisoformat(written)
        return time if time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return f"`time` must be ISO 8601, found `{_cut(written)}`"


def _type_of(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "text", bool: "a truth value"}
    return "null" if value is None else names.get(type(value), "a number")


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
