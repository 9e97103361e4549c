"""What was observed online, beside the sources, and who nothing may be learned from.

In comes a frame of events as the store had them, out go the same `EventFrame`s that sources give.
An event that a source holds as well counts twice: whoever exports the store into a source purges it
from the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from recprism.data.events import CONTEXT, EventFrame
from recprism.data.ids import as_text
from recprism.data.reading import Note, Reading
from recprism.project.schema import Events, Period, ProjectFile
from recprism.records import DISMISS

LABEL: Final = "store"
"""How reports name the store."""
NOT_LEARNED: Final = frozenset({DISMISS})
"""Actions that say the contrary of interest, which signals would take for interest."""

LeftOut = Callable[[Sequence[str]], Mapping[str, int]]
"""Of some users, those whose rows are left out, and up to which moment (microseconds)."""

SCHEMA: Final = {
    "user": pl.String,
    "kind": pl.String,
    "item": pl.String,
    "action": pl.String,
    "time": pl.Int64,
    "value": pl.Float64,
    "session": pl.String,
    "offer": pl.String,
}
"""Columns of online events; a column `context:NAME` follows for each context of the project."""


@dataclass(frozen=True)
class Online:
    """Online events in order of arrival, columns as in `SCHEMA`, and who is left out."""

    events: pl.DataFrame
    left_out: LeftOut


def contexts_of(spec: ProjectFile) -> list[str]:
    """The contexts that a project's sources know; what else was said online is not learned."""
    names = [name for section in spec.events for name in section.context]
    for kind in spec.items.values():
        names += [name for name, column in kind.available.items() if not isinstance(column, Period)]
    return list(dict.fromkeys(names))


def online_frames(reading: Reading, spec: ProjectFile, online: Online) -> list[EventFrame]:
    """The events of the store by kind, those with another kind counted and dropped."""
    report, frame = reading.report, online.events
    if frame.is_empty():
        return []
    report.read(LABEL, frame.height)
    strange = ~pl.col("kind").is_in(list(spec.items))
    unlearned = pl.col("action").is_in(sorted(NOT_LEARNED))
    for rule, met in (("unknown-kind", strange), ("not-learned", unlearned & ~strange)):
        lost = frame.filter(met)
        column = "kind" if rule == "unknown-kind" else "action"
        report.add(rule, LABEL, lost.height, lost[column].unique().sort().head(3), column=column)
    kept = frame.filter(~strange & ~unlearned)
    report.kept(LABEL, kept.height)
    contexts = [name.removeprefix(CONTEXT) for name in frame.columns if name.startswith(CONTEXT)]
    frames = []
    for kind in spec.items:
        own = kept.filter(pl.col("kind") == kind).drop("kind")
        if own.height:
            frames.append(EventFrame(_section(kind, contexts), own, f"{LABEL}: {kind}"))
    return frames


def leave_out(frames: Sequence[EventFrame], online: Online, reading: Reading) -> list[EventFrame]:
    """Events without those of people who are left out."""
    kept = []
    for events in frames:
        frame = _without(events.frame, "user", online.left_out, time="time")
        reading.report.add("left-out", events.label, events.frame.height - frame.height)
        kept.append(replace(events, frame=frame))
    return kept


def rows_without(frame: pl.DataFrame, column: str, online: Online, note: Note) -> pl.DataFrame:
    """Rows of a table about people, which have no time, without those who are left out."""
    kept = _without(frame, column, online.left_out)
    note[0].add("left-out", note[1], frame.height - kept.height)
    return kept


def _without(
    frame: pl.DataFrame, column: str, left_out: LeftOut, time: str | None = None
) -> pl.DataFrame:
    """Rows that are not of people who are left out, or lie at or after their moment."""
    users = as_text(frame[column])
    found = left_out(users.unique().drop_nulls().to_list())
    if not found:
        return frame
    known = pl.DataFrame({"id": list(found), "until": list(found.values())})
    until = users.to_frame("id").join(known, on="id", how="left", maintain_order="left")["until"]
    if time is None:
        return frame.filter(until.is_null())
    return frame.filter(until.is_null() | (frame[time] >= until))


def _section(kind: str, contexts: Sequence[str]) -> Events:
    """The section that describes columns which are named like their roles."""
    return Events(
        source=LABEL,
        kind=kind,
        user="user",
        item="item",
        action_column="action",
        time="time",
        value="value",
        session="session",
        offer="offer",
        context={name: f"{CONTEXT}{name}" for name in contexts},
    )
