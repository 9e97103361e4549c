"""Event tables to one sorted `EventLog`.

In come the sections under `events`, out go frames of clean raw columns (`EventFrame`), and, once
ids are numbered, the log. Rows are never merged: to buy two of a thing is two rows, and both count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from recprism.data.clean import apply_missing, bad_ids, missing, numbers, repeats
from recprism.data.dataset import UNKNOWN, EventLog, Ids, IntArray, KindTable
from recprism.data.ids import as_text, distinct, encode, is_valid
from recprism.data.reading import Note, Reading
from recprism.data.sources import Table
from recprism.data.times import from_micros, parse_times
from recprism.project.schema import Events

CONTEXT = "context:"


@dataclass(frozen=True)
class EventFrame:
    """The clean rows of one section.

    Columns: `user`, `item`, and where named `session`, `offer`, `context:NAME` as in the source;
    `action` (String), `time` (microseconds), `value` (Float64).
    """

    section: Events
    frame: pl.DataFrame
    label: str


def columns_of(section: Events) -> dict[str, str]:
    """The columns that a section names: role to column of the source."""
    roles = {
        "user": section.user,
        "item": section.item,
        "time": section.time,
        "action": section.action_column,
        "value": section.value,
        "session": section.session,
        "offer": section.offer,
        **{f"{CONTEXT}{name}": column for name, column in section.context.items()},
    }
    return {role: column for role, column in roles.items() if column is not None}


def read_events(reading: Reading, number: int, section: Events) -> EventFrame:
    """Read and clean the `number`-th section; raises `DataError`.

    Dropped and counted are rows without a usable user or item id, without an action, without a time
    that can be read, or with one in the future.
    """
    table, note = reading.open(f"events[{number}]", section)
    roles = columns_of(section)
    table.need(roles.values())
    optional = [roles[role] for role in roles if role not in ("user", "item", "time", "action")]
    if section.value is not None and table.schema[section.value] == pl.String:
        numbers(table.column(section.value), table, section.value)
    raw = apply_missing(table, table.lazy, optional, section.missing, note)
    frame = table.collect(raw.select(pl.col(column).alias(role) for role, column in roles.items()))
    if reading.left_out is not None:
        times = parse_times(frame["time"], table.name, section.time)
        frame = reading.without_left_out(frame, "user", note, times)
    frame = clean_events(frame, table, section, note, reading.now)
    again = repeats(frame, frame.columns)
    shown = again.select("user", "item", "time").head(3).iter_rows()
    examples = [f"{user} on {item} at {from_micros(time)}" for user, item, time in shown]
    note[0].add("repeated-event", note[1], again.height, examples)
    note[0].kept(note[1], frame.height)
    return EventFrame(section, frame, note[1])


def clean_events(
    frame: pl.DataFrame, table: Table, section: Events, note: Note, now: int | None
) -> pl.DataFrame:
    """Parse times and values of raw event rows and drop the rows that cannot be used."""
    report, label = note
    times = parse_times(frame["time"], table.name, section.time)
    gap = missing(frame["time"])
    stays = bad_ids(frame["user"], section.user, note)
    stays = bad_ids(frame["item"], section.item, note, stays)
    rules = [("missing-time", gap), ("unparsable-time", times.is_null() & ~gap)]
    if now is not None:
        rules.append(("future-time", (times > now).fill_null(False)))
    if section.action_column is not None:
        action = as_text(frame["action"])
        rules.append(("missing-action", ~is_valid(action)))
    for rule, met in rules:
        met = met & stays
        examples: Sequence[object] = frame["time"].filter(met).head(3).to_list()
        if rule == "future-time":
            examples = [from_micros(t) for t in times.filter(met).head(3)]
        column = section.action_column if rule == "missing-action" else section.time
        report.add(rule, label, int(met.sum()), examples, column=column)
        stays = stays & ~met
    parsed = [times.alias("time")]
    if section.value is not None:
        parsed.append(numbers(frame["value"], table, section.value).alias("value"))
    if section.action_column is not None:
        parsed.append(action.alias("action"))
    return frame.with_columns(parsed).filter(stays)


def actions_of(frames: Sequence[EventFrame]) -> list[str]:
    """All actions in the order of the project file; those of a column sorted."""
    actions: list[str] = []
    for events in frames:
        if events.section.action is not None:
            actions.append(events.section.action)
        else:
            actions += distinct(events.frame["action"]).sort().to_list()
    return list(dict.fromkeys(actions))


def build_log(
    frames: Sequence[EventFrame],
    users: Ids,
    kinds: Mapping[str, KindTable],
    actions: Sequence[str],
    contexts: Mapping[str, Sequence[str]],
) -> EventLog:
    """One log of all sections, sorted by user, then time, ties in the order of the sources."""
    parts = [_coded(events, users, kinds, actions, contexts) for events in frames]
    user = _joined([part["user"] for part in parts], np.int32)
    time = _joined([part["time"] for part in parts], np.int64)
    order = np.lexsort((time, user))
    columns = {
        name: _joined([part[name] for part in parts], dtype)[order]
        for name, dtype in (("item", np.int32), ("action", np.int32), ("offer", np.int32))
    }
    offsets = np.zeros(len(users) + 1, np.int64)
    np.cumsum(np.bincount(user, minlength=len(users)), out=offsets[1:])
    return EventLog(
        user=user[order],
        time=time[order],
        **columns,
        value=_joined([part["value"] for part in parts], np.float32)[order],
        session=session_codes(frames)[order],
        context={
            name: _joined([part[f"{CONTEXT}{name}"] for part in parts], np.int32)[order]
            for name in contexts
        },
        offsets=offsets,
    )


def _joined(parts: Sequence[np.ndarray], dtype: type[np.generic]) -> np.ndarray:
    return np.concatenate([np.zeros(0, dtype), *parts]).astype(dtype, copy=False)


def _coded(
    events: EventFrame,
    users: Ids,
    kinds: Mapping[str, KindTable],
    actions: Sequence[str],
    contexts: Mapping[str, Sequence[str]],
) -> dict[str, np.ndarray]:
    """The columns of one section as the codes of the log."""
    frame, section, n = events.frame, events.section, events.frame.height
    kind = kinds[section.kind]
    none = np.full(n, UNKNOWN, np.int32)
    coded: dict[str, np.ndarray] = {
        "user": encode(frame["user"], users),
        "item": encode(frame["item"], kind.ids) + np.int32(kind.start),
        "time": frame["time"].to_numpy(),
        "value": np.full(n, np.nan, np.float32),
        "offer": none,
    }
    if section.action is not None:
        coded["action"] = np.full(n, list(actions).index(section.action) if n else 0, np.int32)
    else:
        coded["action"] = encode(frame["action"], Ids(pl.Series(list(actions), dtype=pl.String)))
    if "value" in frame.columns:
        coded["value"] = frame["value"].cast(pl.Float32).fill_null(np.nan).to_numpy()
    if "offer" in frame.columns:
        coded["offer"] = offer_groups(frame["offer"], kind)
    for name, values in contexts.items():
        column = f"{CONTEXT}{name}"
        known = Ids(pl.Series(list(values), dtype=pl.String))
        coded[column] = encode(frame[column], known) if column in frame.columns else none
    return coded


def note_unknown_offers(
    reading: Reading, frames: Sequence[EventFrame], kinds: Mapping[str, KindTable]
) -> None:
    """Count events that name an offer which no row of their kind has; they stay, without it."""
    for events in frames:
        if events.section.offer is None:
            continue
        values = events.frame["offer"].drop_nulls()
        lost = values.filter(pl.Series(offer_groups(values, kinds[events.section.kind]) == UNKNOWN))
        reading.report.add(
            "unknown-offer",
            events.label,
            len(lost),
            as_text(lost.unique().sort().head(3)),
            column=events.section.offer,
        )


def offer_groups(values: pl.Series, kind: KindTable) -> IntArray:
    """The group of each named offer of a kind, -1 where there is none.

    Where several groups bear one name (an offer in many stores) the first stands for them.
    """
    if kind.offers is None:
        return np.full(len(values), UNKNOWN, np.int32)
    named = kind.offers.names.to_frame("name").with_row_index("group").drop_nulls()
    named = named.unique("name", keep="first", maintain_order=True)
    rows = encode(values, Ids(named["name"]))
    groups = np.append(named["group"].to_numpy().astype(np.int32), np.int32(UNKNOWN))
    return groups[rows]


def session_codes(frames: Sequence[EventFrame]) -> IntArray:
    """Session codes of all sections one after another, -1 where unknown.

    Equal texts in two sections are one session.
    """
    columns = [events.frame["session"] for events in frames if "session" in events.frame.columns]
    names = [as_text(column.unique()).drop_nulls() for column in columns]
    known = Ids(pl.concat(names).unique().sort()) if names else Ids(pl.Series([], dtype=pl.String))
    return _joined(
        [
            encode(events.frame["session"], known)
            if "session" in events.frame.columns
            else np.full(events.frame.height, UNKNOWN, np.int32)
            for events in frames
        ],
        np.int32,
    )
