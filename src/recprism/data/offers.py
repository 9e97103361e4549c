"""When, where and to whom the items of a kind may be shown: the `Offers` of a kind, and its links.

In come tables whose rows are items, links or offers, out go offer rows sorted by group, and the
links that hang on them. The one decision worth knowing: each column of a large table is read by
itself and packed into one number per row (`packing.py`), so that 20.9 million rows cost 8 bytes
each and never become text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recprism.data.clean import bad_ids, row_examples
from recprism.data.dataset import UNKNOWN, Grouped, Ids, Links, LongArray, Offers
from recprism.data.ids import as_text, distinct, encode, union
from recprism.data.packing import Packing, sorted_distinct, starts_of_runs
from recprism.data.reading import Note
from recprism.data.sources import Table
from recprism.data.times import OPEN_END, OPEN_START, period_bounds
from recprism.data.windows import WindowTable, row_windows
from recprism.errors import DataError
from recprism.project.schema import Kind, Period

_CONTEXT, _PLACE, _LINK = "context:", "place:", "link:"
_GROUP = ("offer", "period", "start", "end")


def has_offers(kind: Kind) -> bool:
    """Whether a kind has offers; one without has at most a window of its own per item."""
    return bool(
        kind.offer is not None
        or kind.rows == "offers"
        or (kind.window is not None and kind.rows == "links")
    )


def columns_of(kind: Kind) -> list[str]:
    """The columns of a kind's own source that its offers and links are made of."""
    own = kind.window if kind.window is not None and kind.window.source is None else None
    names = [
        kind.id,
        kind.offer,
        *(v.column if isinstance(v, Period) else v for v in kind.available.values()),
        *kind.placement,
        own.from_ if own else None,
        own.until if own else None,
        *(link.column for link in kind.links.values()),
    ]
    return list(dict.fromkeys(name for name in names if name is not None))


@dataclass
class OfferRows:
    """The rows of a kind's source on their way into numbers.

    `column` reads one column of the cleaned source, always in the same order of rows. `ids` are the
    kind's own, `targets` those of the kinds that its links lead to.
    """

    kind: Kind
    table: Table
    note: Note
    column: Callable[[str], pl.Series]
    ids: Ids
    targets: Mapping[str, Ids]
    contexts: Mapping[str, Sequence[str]]
    places: dict[str, list[str]] = field(default_factory=dict)
    periods: LongArray = field(default_factory=lambda: np.zeros(0, np.int64))
    windows: tuple[LongArray, LongArray] | None = None

    @cached_property
    def by_offer(self) -> bool:
        """Whether links hang on offer rows rather than on items."""
        return self.kind.rows == "links" and self.kind.offer is not None

    @cached_property
    def row_links(self) -> list[str]:
        """Links that differ from row to row; a link on the id's own column is known by the item."""
        return [name for name, link in self.kind.links.items() if link.column != self.kind.id]

    @cached_property
    def names(self) -> Ids | None:
        """The names of the offers, None where they have none."""
        if self.kind.offer is None:
            return None
        return Ids(distinct(self.column(self.kind.offer)).sort())


def pack_rows(rows: OfferRows) -> tuple[Packing, NDArray[np.unsignedinteger]]:
    """Pack the usable rows: group columns first, then item, placements, link targets.

    Returns the packing and its sorted distinct numbers. Counted are rows without a usable id,
    offer, context or period, and exact repeats.
    """
    kind, note = rows.kind, rows.note
    ids = rows.column(kind.id)
    alive = bad_ids(ids, kind.id, note)
    item = encode(ids, rows.ids)
    del ids
    packing = Packing(len(item))
    alive = _push_group(rows, packing, alive)
    packing.push("item", np.maximum(item, 0), len(rows.ids))
    for name in kind.placement:
        codes = _place_codes(rows, name)
        packing.push(f"{_PLACE}{name}", codes, len(rows.places[name]))
    for name in rows.row_links:
        target = rows.targets[kind.links[name].kind]
        codes, size = _link_codes(rows, name, target, alive)
        packing.push(f"{_LINK}{name}", codes, size)
    used = packing.key[alive.to_numpy()]
    packing.key = used
    key, again = sorted_distinct(used)
    if kind.rows != "items":
        examples = rows.ids.values.gather(packing.unpack(again)["item"])
        note[0].add("exact-duplicate", note[1], int(alive.sum()) - len(key), examples)
        note[0].kept(note[1], len(key))
    return packing, key


def _push_group(rows: OfferRows, packing: Packing, alive: pl.Series) -> pl.Series:
    """Pack what makes a group: offer, contexts, period, own window. Returns the rows that stay."""
    kind, note = rows.kind, rows.note
    names = rows.names
    if kind.offer is not None and names is not None:
        codes = encode(rows.column(kind.offer), names)
        alive = _drop(rows, "missing-offer", kind.offer, codes == UNKNOWN, alive)
        packing.push("offer", np.maximum(codes, 0), len(names))
    for name, column in kind.available.items():
        if isinstance(column, Period):
            numbers, exists = _period_codes(rows, column)
            alive = _drop(rows, "unreadable-period", column.column, ~exists, alive)
            packing.push("period", numbers, len(rows.periods))
            continue
        known = Ids(pl.Series(list(rows.contexts[name]), dtype=pl.String))
        codes = encode(rows.column(column), known)
        alive = _drop(rows, "missing-context", column, codes == UNKNOWN, alive)
        packing.push(f"{_CONTEXT}{name}", np.maximum(codes, 0), len(known))
    if kind.window is not None and kind.window.source is None:
        used = [c for c in (kind.window.from_, kind.window.until) if c is not None]
        frame = pl.DataFrame([rows.column(column).alias(column) for column in used])
        bounds = row_windows(kind.window, frame, rows.table, note)
        starts, start = np.unique(bounds[0], return_inverse=True)
        ends, end = np.unique(bounds[1], return_inverse=True)
        packing.push("start", start, len(starts))
        packing.push("end", end, len(ends))
        rows.windows = (starts, ends)
    return alive


def _drop(
    rows: OfferRows, rule: str, column: str, bad: NDArray[np.bool_], alive: pl.Series
) -> pl.Series:
    """Count the living rows that a rule drops; returns those that stay.

    Where rows are items the item stays, it only gets no offer.
    """
    met = pl.Series(bad) & alive
    if not met.any():
        return alive
    examples = row_examples(met)
    rule = "never-shown" if rows.kind.rows == "items" else rule
    rows.note[0].add(rule, rows.note[1], int(met.sum()), examples, column=column)
    return alive & ~met


def _period_codes(rows: OfferRows, period: Period) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The place of each row's period in `rows.periods`, and whether there is such a period."""
    values = rows.column(period.column)
    raw = values.unique().drop_nulls()
    numbers = as_text(raw).cast(pl.Int64, strict=False)
    known = numbers.drop_nulls().unique().sort().to_numpy()
    _, _, exists = period_bounds(period, known)
    rows.periods = known[exists] if exists.any() else np.zeros(0, np.int64)
    place = {int(number): row for row, number in enumerate(rows.periods)}
    codes = pl.Series([place.get(n, UNKNOWN) for n in numbers], dtype=pl.Int32)
    if len(raw) == 0:
        return np.zeros(len(values), np.int64), np.zeros(len(values), np.bool_)
    found = values.replace_strict(raw, codes, default=UNKNOWN, return_dtype=pl.Int32).to_numpy()
    return np.maximum(found, 0), found != UNKNOWN


def _place_codes(rows: OfferRows, column: str) -> NDArray[np.int32]:
    """Codes of a placement column; a missing value is the placement of the empty name."""
    values = rows.column(column)
    known = distinct(values).sort().to_list()
    codes = encode(values, Ids(pl.Series(known, dtype=pl.String)))
    missing = codes == UNKNOWN
    if missing.any():
        met = pl.Series(missing)
        rows.note[0].add(
            "missing-marked", rows.note[1], int(met.sum()), row_examples(met), column=column
        )
        codes = np.where(missing, np.int32(len(known)), codes)
        known.append("")
    if len(known) > 256:
        raise DataError(
            rows.table.name,
            f"has {len(known)} different placements, at most 256 are possible.",
            "Name a column of few values under `placement`.",
            column=column,
        )
    rows.places[column] = known
    return codes


def _link_codes(
    rows: OfferRows, name: str, target: Ids, alive: pl.Series
) -> tuple[NDArray[np.int32], int]:
    """Row numbers of what each row links to, and how many numbers there are.

    Unknown ones are counted and numbered after the known ones, a missing one comes last.
    """
    column = rows.kind.links[name].column
    values = rows.column(column)
    known = union(target.values, [distinct(values)])
    codes = encode(values, known)
    missing = pl.Series(codes == UNKNOWN) & alive
    unknown = pl.Series(codes >= len(target)) & alive
    report, label = rows.note
    report.add("missing-link", label, int(missing.sum()), row_examples(missing), column=column)
    examples = as_text(values.filter(unknown).unique().sort().head(3))
    report.add("unknown-link", label, int(unknown.sum()), examples, column=column)
    return np.where(codes == UNKNOWN, np.int32(len(known)), codes), len(known) + 1


def build_offers(
    rows: OfferRows, windows: Sequence[WindowTable], starts: Mapping[str, int]
) -> tuple[Offers | None, dict[str, Links]]:
    """The offers and links of a kind; `starts` says where each kind's items begin among all.

    Offers are None where the kind needs none (`has_offers`). The audience is not filled in here.
    """
    packing, key = pack_rows(rows)
    codes = packing.unpack(key)
    n = len(key)
    group_columns = [name for name in codes if name in _GROUP or name.startswith(_CONTEXT)]
    row_columns = ["item", *(f"{_PLACE}{name}" for name in rows.kind.placement)]
    first_of_group = starts_of_runs([codes[name] for name in group_columns], n)
    first = starts_of_runs([codes[name] for name in [*group_columns, *row_columns]], n)
    links = _build_links(rows, codes, first, starts)
    if not has_offers(rows.kind):
        return None, links
    groups = {name: codes[name][first_of_group] for name in group_columns}
    offsets = np.append(np.searchsorted(first, first_of_group), len(first)).astype(np.int64)
    placement = None
    if rows.kind.placement:
        placement = np.empty((len(first), len(rows.kind.placement)), np.uint8)
        for place, name in enumerate(rows.kind.placement):
            placement[:, place] = codes[f"{_PLACE}{name}"][first]
    names, bounds, labels = _describe_groups(rows, groups, len(first_of_group), windows)
    return Offers(
        names=names,
        offsets=offsets,
        item=codes["item"][first].astype(np.int32),
        starts=bounds[0],
        ends=bounds[1],
        context={
            name.removeprefix(_CONTEXT): groups[name].astype(np.int32)
            for name in group_columns
            if name.startswith(_CONTEXT)
        },
        placement=placement,
        placement_values={name: tuple(rows.places[name]) for name in rows.kind.placement},
        labels=labels,
    ), links


def _describe_groups(
    rows: OfferRows,
    groups: Mapping[str, NDArray[np.unsignedinteger]],
    n: int,
    windows: Sequence[WindowTable],
) -> tuple[pl.Series, tuple[LongArray, LongArray], pl.DataFrame | None]:
    """Name, window and labels of each group; a window is the intersection of all that apply."""
    starts, ends = np.full(n, OPEN_START, np.int64), np.full(n, OPEN_END, np.int64)
    names = pl.Series("name", [None] * n, pl.String)
    if rows.names is not None:
        names = rows.names.values.gather(groups["offer"]).alias("name")
    bounds: list[tuple[LongArray, LongArray]] = []
    period = next((v for v in rows.kind.available.values() if isinstance(v, Period)), None)
    if period is not None:
        first, last, _ = period_bounds(period, rows.periods)
        bounds.append((first[groups["period"]], last[groups["period"]]))
    if rows.windows is not None:
        bounds.append((rows.windows[0][groups["start"]], rows.windows[1][groups["end"]]))
    labels: list[pl.DataFrame] = []
    for window in windows:
        place = window.names.rows(names)
        lost = place == UNKNOWN
        examples = names.filter(pl.Series(lost)).unique().sort().head(3)
        rows.note[0].add(
            "offer-without-window", rows.note[1], int(lost.sum()), examples, of=max(n, 1)
        )
        # The appended entry is what an unknown offer gets: an empty window.
        bounds.append((np.append(window.starts, 0)[place], np.append(window.ends, 0)[place]))
        if window.labels.width:
            index = pl.Series(place).replace(UNKNOWN, None)
            labels.append(window.labels.select(pl.all().gather(index)))
    for low, high in bounds:
        np.maximum(starts, low, out=starts)
        np.minimum(ends, high, out=ends)
    return names, (starts, ends), pl.concat(labels, how="horizontal") if labels else None


def _build_links(
    rows: OfferRows,
    codes: Mapping[str, NDArray[np.unsignedinteger]],
    first: LongArray,
    starts: Mapping[str, int],
) -> dict[str, Links]:
    """The links of a kind: by offer row where links belong to offers, else by item."""
    links: dict[str, Links] = {}
    item = codes["item"].astype(np.int32)
    for name, link in rows.kind.links.items():
        target = rows.targets[link.kind]
        if name not in rows.row_links:
            own = target.rows(rows.ids.values)
            values, at = own, np.arange(len(own), dtype=np.int32)
            lost = rows.ids.values.filter(pl.Series(own == UNKNOWN))
            rows.note[0].add(
                "unknown-link", rows.note[1], len(lost), lost, column=link.column, of=len(own)
            )
            n, known = len(rows.ids), own != UNKNOWN
        else:
            values = codes[f"{_LINK}{name}"].astype(np.int32)
            known = values < len(target)
            at, n = item, len(rows.ids)
            if rows.by_offer:
                n = len(first)
                at = np.repeat(np.arange(n, dtype=np.int32), np.diff(np.append(first, len(values))))
        pairs = np.unique(np.stack([at[known], values[known]], axis=1), axis=0)
        shifted = pairs[:, 1] + np.int32(starts[link.kind])
        grouped = Grouped.build(pairs[:, 0], shifted, n)
        links[name] = Links(name, link.kind, grouped, rows.by_offer)
    return links
