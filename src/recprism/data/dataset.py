"""The data as every later stage sees it: ids outside, row numbers inside, arrays all the way.

In come cleaned tables (`data/build.py`), out goes a `Dataset`. The one decision worth knowing: the
items of all kinds share one row of numbers. Kind `k` owns `start[k] .. start[k] + len(k)`, so that
a purchase of a product and the redemption of a coupon can follow one another in one matrix. An
`item_idx` is always such a global number.

Times are int64 microseconds since 1970 on the naive clock of the sources.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

IntArray = NDArray[np.int32]
LongArray = NDArray[np.int64]
FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

DAY_US = 86_400_000_000
UNKNOWN = -1


@dataclass(frozen=True)
class Ids:
    """Ids outside and their row numbers inside.

    `values` is a String series without repeats; the row number of an id is its position.
    """

    values: pl.Series

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {value: row for row, value in enumerate(self.values.to_list())}

    def index(self, outside: str) -> int:
        """Row number of one id, `UNKNOWN` (-1) when there is none."""
        return self._rows.get(outside, UNKNOWN)

    @cached_property
    def _outside(self) -> list[str]:
        return self.values.to_list()

    def __getitem__(self, row: int) -> str:
        return self._outside[row]

    @cached_property
    def in_order(self) -> list[str]:
        """All ids, sorted by code points."""
        return sorted(self._outside)

    def rows(self, outside: pl.Series) -> IntArray:
        """Row numbers of many ids, shape [len(outside)], -1 for unknown ones and nulls."""
        table = pl.DataFrame({"id": self.values}).with_row_index("row")
        found = pl.DataFrame({"id": outside}).join(
            table, on="id", how="left", maintain_order="left"
        )
        return found["row"].cast(pl.Int32).fill_null(UNKNOWN).to_numpy().astype(np.int32)


@dataclass(frozen=True)
class Grouped:
    """Ragged rows in two arrays (CSR): row `r` holds `values[offsets[r]:offsets[r + 1]]`."""

    offsets: LongArray
    values: IntArray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def of(self, row: int) -> IntArray:
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    def counts(self, rows: IntArray) -> LongArray:
        """Number of values in each of `rows`, shape [len(rows)]."""
        return self.offsets[rows + 1] - self.offsets[rows]

    def gather(self, rows: IntArray) -> tuple[IntArray, LongArray]:
        """The values of `rows` one after another, and where each row starts.

        Returns (values [total], starts [len(rows)]); rows without values have empty spans.
        """
        places, starts = self.places(rows)
        return self.values[places], starts

    def places(self, rows: IntArray) -> tuple[LongArray, LongArray]:
        """Where in `values` the values of `rows` stand, one row after another, and where each row
        starts among them."""
        counts = self.counts(rows)
        starts = np.cumsum(counts) - counts
        shift = np.repeat(self.offsets[rows] - starts, counts)
        return np.arange(int(counts.sum())) + shift, starts

    @staticmethod
    def build(rows: IntArray, values: IntArray, n_rows: int) -> Grouped:
        """Group `values` by `rows` (both [m]) into `n_rows` rows, keeping their order."""
        order = np.argsort(rows, kind="stable")
        offsets = np.zeros(n_rows + 1, np.int64)
        np.cumsum(np.bincount(rows, minlength=n_rows), out=offsets[1:])
        return Grouped(offsets, np.ascontiguousarray(values[order], dtype=np.int32))


@dataclass(frozen=True)
class Links:
    """Typed edges of one kind: from its items, or from its offer rows, to items of other kinds.

    `targets.of(row)` are global item_idx. `row` is the item's number within its kind, or the number
    of the offer row when `by_offer` (the same coupon covers different products in each campaign).
    """

    name: str
    kind: str
    targets: Grouped
    by_offer: bool = False


@dataclass(frozen=True)
class Offers:
    """When, where and to whom the items of a kind may be shown.

    Rows are sorted by group; a group is what shares one window, audience and context: a campaign,
    or one store in one week. `item[r]` is the item's number within its kind. `placement[r]` holds
    one code per placement column (codes index `placement_values[column]`). `names` [groups] names
    the offer (the campaign's id; null where offers have no name). `starts/ends` [groups] bound the
    window (start <= at < end). `context` maps a context name to the code each group asks for
    [groups] (codes index `Catalog.contexts[name]`); `audience` lists the groups of each user
    (None: everyone). `labels` has one row per group and a String column `label:NAME` for each label
    that the offer brings.
    """

    names: pl.Series
    offsets: LongArray
    item: IntArray
    starts: LongArray
    ends: LongArray
    context: Mapping[str, IntArray] = field(default_factory=dict)
    audience: Grouped | None = None
    placement: NDArray[np.uint8] | None = None
    placement_values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    labels: pl.DataFrame | None = None

    @property
    def n_groups(self) -> int:
        return len(self.starts)

    def rows_of(self, groups: IntArray) -> LongArray:
        """Offer rows of `groups`, one group after another."""
        if len(groups) == 1:
            return np.arange(self.offsets[groups[0]], self.offsets[groups[0] + 1])
        parts = [np.arange(self.offsets[g], self.offsets[g + 1]) for g in groups]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)


@dataclass(frozen=True)
class KindTable:
    """The items of one kind: ids, where they start among all items, what is written about them.

    `table` has one row per item with the columns `title`, `text` (both String, null when absent),
    `label:NAME` for each label and `number:NAME` (Float64) for each number; where items lack a
    label also `guess:NAME` and `confidence:NAME` (see `content/label_items.py`). `window` bounds
    items that have one of their own ([n] each).
    """

    name: str
    ids: Ids
    start: int
    table: pl.DataFrame
    links: Mapping[str, Links] = field(default_factory=dict)
    offers: Offers | None = None
    window: tuple[LongArray, LongArray] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def stop(self) -> int:
        return self.start + len(self.ids)

    @property
    def label_names(self) -> list[str]:
        return [c.removeprefix("label:") for c in self.table.columns if c.startswith("label:")]

    def label(self, name: str) -> pl.Series:
        """A label of every item as text, null where none was given and none could be guessed."""
        given = self.table[f"label:{name}"].cast(pl.String)
        if f"guess:{name}" not in self.table.columns:
            return given
        return given.replace("", None).fill_null(self.table[f"guess:{name}"])

    @property
    def number_names(self) -> list[str]:
        return [c.removeprefix("number:") for c in self.table.columns if c.startswith("number:")]

    def number(self, name: str) -> NDArray[np.float64]:
        """A number of every item, [len(self)], NaN where unknown."""
        values = self.table[f"number:{name}"].cast(pl.Float64)
        return np.asarray(values.fill_null(np.nan).to_numpy(), np.float64)


@dataclass(frozen=True)
class UserTable:
    """All users: ids, traits (one String column each, null when unknown), optional text.

    `language` [n] holds two-letter codes where the project names a column for them.
    """

    ids: Ids
    traits: pl.DataFrame
    text: pl.Series | None = None
    language: pl.Series | None = None

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class EventLog:
    """What users did, sorted by user, then time (ties in the order of the sources).

    Arrays of one length m: `user` user_idx, `item` item_idx (global), `action` code into
    `Catalog.actions`, `time` microseconds, `value` (NaN when unknown), `session` code (-1 when
    unknown), `offer` group number within the kind's offers (-1), `context[name]` code into
    `Catalog.contexts[name]` (-1). `offsets` [users + 1] bounds each user's events.
    """

    user: IntArray
    item: IntArray
    action: IntArray
    time: LongArray
    value: FloatArray
    session: IntArray
    offer: IntArray
    context: Mapping[str, IntArray]
    offsets: LongArray

    def __len__(self) -> int:
        return len(self.user)

    @property
    def n_users(self) -> int:
        return len(self.offsets) - 1

    def take(self, keep: BoolArray) -> EventLog:
        """The events where `keep` [m], still sorted."""
        user = self.user[keep]
        offsets = np.zeros(self.n_users + 1, np.int64)
        np.cumsum(np.bincount(user, minlength=self.n_users), out=offsets[1:])
        return EventLog(
            user=user,
            item=self.item[keep],
            action=self.action[keep],
            time=self.time[keep],
            value=self.value[keep],
            session=self.session[keep],
            offer=self.offer[keep],
            context={name: codes[keep] for name, codes in self.context.items()},
            offsets=offsets,
        )

    def until(self, time: int) -> EventLog:
        """The events known at `time`: those strictly before it."""
        return self.take(self.time < time)

    def between(self, start: int, end: int) -> EventLog:
        """The events with start <= time < end."""
        return self.take((self.time >= start) & (self.time < end))

    def span(self, user_idx: int, before: int | None = None) -> slice:
        """Where one user's events lie, those before `before` only; empty for an unknown user."""
        if user_idx < 0:
            return slice(0, 0)
        lo, hi = int(self.offsets[user_idx]), int(self.offsets[user_idx + 1])
        if before is not None:
            hi = lo + int(np.searchsorted(self.time[lo:hi], before, side="left"))
        return slice(lo, hi)


@dataclass(frozen=True)
class Catalog:
    """Everything known in advance: users, items, links, offers. No events.

    `newcomers` are items that came after training, by kind, in tables of their own: their numbers
    lie above those of all `kinds`.
    """

    users: UserTable
    kinds: Mapping[str, KindTable]
    actions: Sequence[str]
    contexts: Mapping[str, Sequence[str]]
    newcomers: Mapping[str, KindTable] = field(default_factory=dict)

    @property
    def tables(self) -> list[KindTable]:
        """All tables of items, those of newcomers too."""
        return [*self.kinds.values(), *self.newcomers.values()]

    @property
    def n_items(self) -> int:
        return sum(len(table) for table in self.tables)

    def index(self, kind: str, item: str) -> int:
        """The global item_idx of an id, `UNKNOWN` (-1) when there is none."""
        for tables in (self.kinds, self.newcomers):
            table = tables.get(kind)
            number = UNKNOWN if table is None else table.ids.index(item)
            if table is not None and number != UNKNOWN:
                return table.start + number
        return UNKNOWN

    def kind_of(self, item_idx: int) -> KindTable:
        """The kind that owns a global item_idx; `IndexError` for a number that none owns."""
        kind = self._in_order[bisect_right(self._starts, item_idx) - 1]
        if not kind.start <= item_idx < kind.stop:
            raise IndexError(item_idx)
        return kind

    @cached_property
    def _in_order(self) -> list[KindTable]:
        """The kinds by their first item; those without items own no number."""
        return sorted((k for k in self.tables if len(k)), key=lambda kind: kind.start)

    @cached_property
    def _starts(self) -> list[int]:
        return [kind.start for kind in self._in_order]

    def item_id(self, item_idx: int) -> str:
        kind = self.kind_of(item_idx)
        return kind.ids[item_idx - kind.start]


@dataclass(frozen=True)
class Dataset:
    """Catalog, events and the account of how they were cleaned (`report` rows, JSON-able)."""

    catalog: Catalog
    events: EventLog
    report: Sequence[Mapping[str, Any]] = ()
