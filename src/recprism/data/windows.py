"""Windows and audiences of named offers, from tables of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from recprism.data.clean import bad_ids, missing
from recprism.data.dataset import UNKNOWN, BoolArray, Grouped, Ids, LongArray
from recprism.data.ids import as_text, encode
from recprism.data.items import label_column, label_text
from recprism.data.reading import Note, Reading
from recprism.data.sources import Table
from recprism.data.times import parse_times, window_bounds
from recprism.errors import DataError
from recprism.project.schema import Audience, Kind, Source, Window


@dataclass(frozen=True)
class WindowTable:
    """The windows of named offers: names, [start, end) in microseconds, a row of labels each."""

    names: Ids
    starts: LongArray
    ends: LongArray
    labels: pl.DataFrame


def parse_bound(
    values: pl.Series, table: Table, column: str, note: Note
) -> tuple[pl.Series, BoolArray]:
    """A bound in microseconds, null where open, and which rows could not be read (counted)."""
    times = parse_times(values, table.name, column)
    unreadable = times.is_null() & ~missing(values)
    examples = values.filter(unreadable).head(3).to_list()
    note[0].add("unreadable-window", note[1], int(unreadable.sum()), examples, column=column)
    return times, unreadable.to_numpy()


def row_windows(
    window: Window, frame: pl.DataFrame, table: Table, note: Note
) -> tuple[LongArray, LongArray]:
    """The window of each row of a frame from its own columns, [start, end) in microseconds.

    Where a bound cannot be read the window is empty.
    """
    never = np.zeros(frame.height, np.bool_)
    bounds: list[pl.Series | None] = []
    for column in (window.from_, window.until):
        if column is None:
            bounds.append(None)
            continue
        times, unreadable = parse_bound(frame[column], table, column, note)
        bounds.append(times)
        never |= unreadable
    starts, ends = window_bounds(bounds[0], bounds[1], window.inclusive, frame.height)
    return np.where(never, 0, starts), np.where(never, 0, ends)


def read_windows(reading: Reading, name: str, kind: Kind) -> list[WindowTable]:
    """The window tables that a kind and its audience name; raises `DataError`.

    A table must hold one window per offer.
    """
    found = []
    if kind.window is not None and kind.window.source is not None:
        offer = kind.window.offer or kind.offer or kind.id
        source = Source(source=kind.window.source)
        found.append(_read_window(reading, f"items.{name}.window", source, kind.window, offer))
    if kind.audience is not None and kind.audience.window is not None:
        window = kind.audience.window
        source = Source(source=window.source or kind.audience.source)
        offer = window.offer or kind.audience.offer
        found.append(_read_window(reading, f"items.{name}.audience.window", source, window, offer))
    return found


def _read_window(
    reading: Reading, section: str, source: Source, window: Window, offer: str
) -> WindowTable:
    table, note = reading.open(section, source)
    used = [offer, window.from_, window.until, *window.labels.values()]
    frame = table.read([column for column in used if column is not None])
    frame = frame.filter(bad_ids(frame[offer], offer, note))
    once = frame.unique(maintain_order=True)
    note[0].add("exact-duplicate", note[1], frame.height - once.height)
    note[0].kept(note[1], once.height)
    twice = once.filter(~once[offer].is_first_distinct())
    if twice.height:
        raise DataError(
            table.name,
            f"the offer `{as_text(twice[offer])[0]}` has two windows or labels, one is expected.",
            "Keep one row per offer.",
            column=offer,
        )
    starts, ends = row_windows(window, once, table, note)
    labels = once.select(
        label_text(once[column]).alias(label_column(name)) for name, column in window.labels.items()
    )
    return WindowTable(Ids(as_text(once[offer])), starts, ends, labels)


def read_audience(reading: Reading, name: str, audience: Audience) -> tuple[pl.DataFrame, Note]:
    """The clean, distinct (user, offer) pairs of an audience: columns `user`, `offer` as read."""
    table, note = reading.open(f"items.{name}.audience", Source(source=audience.source))
    frame = table.read([audience.user, audience.offer])
    frame = frame.select(pl.col(audience.user).alias("user"), pl.col(audience.offer).alias("offer"))
    frame = reading.without_left_out(frame, "user", note)
    stays = bad_ids(frame["user"], audience.user, note)
    stays = bad_ids(frame["offer"], audience.offer, note, stays)
    kept = frame.filter(stays)
    once = kept.unique(maintain_order=True)
    if audience.window is None or audience.window.source is not None:
        note[0].add("exact-duplicate", note[1], kept.height - once.height)
        note[0].kept(note[1], once.height)
    else:
        note[0].kept(note[1], kept.height)
    return once, note


def audience_groups(pairs: pl.DataFrame, note: Note, users: Ids, names: pl.Series) -> Grouped:
    """The offer groups of each user; pairs with an offer that nothing belongs to are counted."""
    named = names.to_frame("name").with_row_index("group").drop_nulls()
    known = Ids(named["name"].unique(maintain_order=True))
    offer = encode(pairs["offer"], known)
    lost = offer == UNKNOWN
    examples = as_text(pairs["offer"].filter(pl.Series(lost)).unique().sort().head(3))
    note[0].add("unknown-offer", note[1], int(lost.sum()), examples)
    groups = Grouped.build(
        encode(named["name"], known), named["group"].to_numpy().astype(np.int32), len(known)
    )
    user = encode(pairs["user"], users)[~lost]
    values, _ = groups.gather(offer[~lost])
    rows = np.repeat(user, groups.counts(offer[~lost]))
    order = np.argsort(values, kind="stable")
    return Grouped.build(rows[order], values[order], len(users))
