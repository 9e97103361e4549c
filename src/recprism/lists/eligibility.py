"""What may be shown: to whom, when and where.

In come a kind, a user, a moment and the request's context; out go the items that may be shown, each
with the offer row and group that allow it. The decision worth knowing: windows, audience and
context are properties of *groups* (a campaign, a store's week), so millions of offer rows cost a
mask over a few thousand groups and one slice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recprism.data.dataset import UNKNOWN, BoolArray, IntArray, KindTable, LongArray, Offers

NO_GROUPS: IntArray = np.zeros(0, np.int32)


@dataclass(frozen=True)
class Candidates:
    """Items that may be shown, three arrays of one length n.

    `item` are global item_idx, `offer_row` the row of the kind's offers and `group` its group, both
    -1 where no offer is needed. An item allowed by several groups stands here once for each.
    """

    item: IntArray
    offer_row: LongArray
    group: IntArray

    def __len__(self) -> int:
        return len(self.item)

    def take(self, keep: BoolArray | LongArray) -> Candidates:
        """The candidates at `keep`, a mask [n] or positions."""
        return Candidates(self.item[keep], self.offer_row[keep], self.group[keep])

    @staticmethod
    def without_offers(item: IntArray) -> Candidates:
        """Candidates that need no offer, from global item_idx [n]."""
        n = len(item)
        return Candidates(item, np.full(n, UNKNOWN, np.int64), np.full(n, UNKNOWN, np.int32))


def every_item(kind: KindTable) -> Candidates:
    """All items of a kind, for kinds where `eligible` has nothing to say."""
    return Candidates.without_offers(np.arange(kind.start, kind.stop, dtype=np.int32))


def eligible(
    kind: KindTable, user_idx: int, at: int, context: Mapping[str, int]
) -> Candidates | None:
    """The items that this user may be shown at `at` (microseconds), or None for every item.

    None means that the kind has neither offers nor windows. `context` maps context names to codes
    into `Catalog.contexts`; a group that asks for a store is left out when the request names
    another one, an unknown one (-1) or none. Where offers have an audience, a user outside it gets
    nothing, and so does an unknown user (-1). May be empty.
    """
    if kind.offers is None:
        if kind.window is None:
            return None
        inside = np.flatnonzero((kind.window[0] <= at) & (at < kind.window[1]))
        return Candidates.without_offers((inside + kind.start).astype(np.int32))
    rows, group = _rows_of(kind.offers, open_groups(kind.offers, user_idx, at, context))
    item = kind.offers.item[rows]
    if kind.window is not None:
        valid = (kind.window[0][item] <= at) & (at < kind.window[1][item])
        item, rows, group = item[valid], rows[valid], group[valid]
    return Candidates(item + np.int32(kind.start), rows, group)


def open_groups(offers: Offers, user_idx: int, at: int, context: Mapping[str, int]) -> IntArray:
    """Groups of offers whose window, audience and context admit the request, in ascending order."""
    starts, ends, asked = offers.starts, offers.ends, offers.context
    mine: IntArray | None = None
    if offers.audience is not None:
        if not 0 <= user_idx < len(offers.audience):
            return NO_GROUPS
        mine = np.unique(offers.audience.of(user_idx))
        starts, ends = starts[mine], ends[mine]
        asked = {name: codes[mine] for name, codes in asked.items()}
    is_open: BoolArray = (starts <= at) & (at < ends)
    for name, codes in asked.items():
        is_open &= (codes == UNKNOWN) | (codes == context.get(name, UNKNOWN))
    found = np.flatnonzero(is_open).astype(np.int32)
    return found if mine is None else mine[found]


def _rows_of(offers: Offers, groups: IntArray) -> tuple[LongArray, IntArray]:
    """Offer rows of `groups` one after another, and the group of each, both [total]."""
    counts = offers.offsets[groups + 1] - offers.offsets[groups]
    starts = np.cumsum(counts) - counts
    rows = np.arange(int(counts.sum())) + np.repeat(offers.offsets[groups] - starts, counts)
    return rows, np.repeat(groups, counts)
