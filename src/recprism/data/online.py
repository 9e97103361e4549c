"""What was observed online, beside the sources, and who nothing may be learned from.

In comes a frame of events as the store had them, out go the same `EventFrame`s that sources give.
An event that a source holds as well counts twice: whoever exports the store into a source purges it
from the store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from recprism.data.dataset import Ids
from recprism.data.events import CONTEXT, EventFrame
from recprism.data.reading import LeftOut, Reading
from recprism.project.schema import Events, Period, ProjectFile
from recprism.records import DISMISS

LABEL: Final = "store"
"""How reports name the store."""
NOT_LEARNED: Final = frozenset({DISMISS})
"""Actions that say the contrary of interest, which signals would take for interest."""

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
    """Online events in order of arrival, columns as in `SCHEMA`, and who is left out (None:
    nobody).

    `items` are those put online, by kind: one row per `id` with `title`, `text`, and the columns
    `label:NAME` and `number:NAME` of the kind; null where nothing was said.
    """

    events: pl.DataFrame
    left_out: LeftOut | None
    items: Mapping[str, pl.DataFrame] = field(default_factory=dict)


def contexts_of(spec: ProjectFile) -> list[str]:
    """The contexts that a project's sources know; what else was said online is not learned."""
    names = [name for section in spec.events for name in section.context]
    for kind in spec.items.values():
        names += [name for name, column in kind.available.items() if not isinstance(column, Period)]
    return list(dict.fromkeys(names))


def said_online(described: pl.DataFrame, ids: Ids, put: pl.DataFrame | None) -> pl.DataFrame:
    """The table of a kind, `described` in the order of `ids`, with what was `put` online over it:
    it is the later word."""
    if put is None:
        return described
    later = pl.DataFrame({"id": ids.values}).join(put, on="id", how="left", maintain_order="left")
    return described.with_columns(
        later[name].fill_null(described[name])
        for name in described.columns
        if name in later.columns
    )


def online_frames(reading: Reading, spec: ProjectFile, online: Online) -> list[EventFrame]:
    """The events of the store by kind, those with another kind counted and dropped."""
    report, frame = reading.report, online.events
    if frame.is_empty():
        return []
    report.read(LABEL, frame.height)
    frame = reading.without_left_out(frame, "user", (report, LABEL), frame["time"])
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
