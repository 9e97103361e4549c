"""Together: which items the same people did something to, whatever came first.

In comes an event log, out goes for some pairs of actions (a, b) the cosine of items i and j over
users,

    users with a on i and b on j / sqrt(users with a on i x users with b on j) ,

for the nearest items of each. Unlike the transitions of `follow` it knows no time, so that it also
says what goes with something bought long ago, and it tells what is viewed together from what is
bought together: things viewed beside one that was bought are often alternatives to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recprism.data.dataset import EventLog, FloatArray, IntArray, LongArray
from recprism.signals.transitions import strongest_products

ANY = -1
"""In place of an action: whatever was done."""
MOST_ITEMS = 200
"""So many of a user's items count, the latest: pairs grow with the square."""
NEIGHBORS = 100
"""So many nearest items are kept per item."""

Pair = tuple[int, int]


@dataclass(frozen=True)
class Nearest:
    """The nearest items of item i are `target[offsets[i]:offsets[i + 1]]`, with their cosines.

    `offsets` [n_items + 1]; no item is its own neighbor.
    """

    offsets: LongArray
    target: IntArray
    cosine: FloatArray

    def sum_of(self, source: IntArray) -> FloatArray:
        """For every item [n_items] the sum of its cosines to the items `source`."""
        counts = self.offsets[source + 1] - self.offsets[source]
        starts = np.cumsum(counts) - counts
        at = np.arange(int(counts.sum())) + np.repeat(self.offsets[source] - starts, counts)
        total = np.bincount(self.target[at], self.cosine[at], len(self.offsets) - 1)
        return total.astype(np.float32)


@dataclass(frozen=True)
class Together:
    """The nearest items by pair of actions."""

    of_pair: Mapping[Pair, Nearest]

    @classmethod
    def fit(cls, log: EventLog, n_items: int, pairs: Iterable[Pair]) -> Self:
        """Cosines over the users of `log`, for each of `pairs`."""
        tables: dict[int, sp.csr_matrix] = {}

        def table(action: int) -> sp.csr_matrix:
            if action not in tables:
                tables[action] = _incidence(log, n_items, action)
            return tables[action]

        return cls({(a, b): _nearest(table(a), table(b)) for a, b in pairs})

    def sum_of(self, pair: Pair, source: IntArray) -> FloatArray:
        """As `Nearest.sum_of`; zeros for a pair that was not fitted."""
        nearest = self.of_pair.get(pair)
        if nearest is None:
            n_items = next((len(one.offsets) - 1 for one in self.of_pair.values()), 0)
            return np.zeros(n_items, np.float32)
        return nearest.sum_of(source)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """All pairs one after another: `together_pairs` [p, 2], `together_offsets` [p, n + 1]."""
        parts = list(self.of_pair.values())
        return {
            "together_pairs": np.array(list(self.of_pair), np.int32).reshape(-1, 2),
            "together_offsets": np.stack([part.offsets for part in parts]),
            "together_target": np.concatenate([part.target for part in parts]),
            "together_cosine": np.concatenate([part.cosine for part in parts]),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        of_pair, start = {}, 0
        pairs: list[list[int]] = arrays["together_pairs"].tolist()
        for (a, b), offsets in zip(pairs, arrays["together_offsets"], strict=True):
            span = slice(start, start + int(offsets[-1]))
            target, cosine = arrays["together_target"][span], arrays["together_cosine"][span]
            of_pair[a, b] = Nearest(offsets, target, cosine)
            start = span.stop
        return cls(of_pair)


def _nearest(one: sp.csr_matrix, other: sp.csr_matrix) -> Nearest:
    """The nearest of each item: `one` and `other` [n_users, n_items] hold a 1 where it was done."""
    rows, columns = sp.csr_matrix(one.T), sp.csr_matrix(other, copy=True)
    rows.data = np.repeat(1.0 / _root(one), np.diff(rows.indptr))
    columns.data = 1.0 / _root(other)[columns.indices]
    kept = strongest_products(rows, columns, NEIGHBORS)
    return Nearest(kept.indptr.astype(np.int64), kept.indices, kept.data)


def _root(table: sp.csr_matrix) -> FloatArray:
    """The root of how many users each item has, at least 1, [n_items]."""
    users = np.asarray(table.sum(axis=0), np.float32).ravel()
    return np.asarray(np.sqrt(np.maximum(1.0, users)), np.float32)


def _incidence(log: EventLog, n_items: int, action: int) -> sp.csr_matrix:
    """1 where a user did `action` to an item [n_users, n_items], of each the latest items."""
    done = np.ones(len(log), bool) if action == ANY else log.action == action
    user, item, time = log.user[done], log.item[done], log.time[done]
    newest = np.lexsort((item, -time, user))
    keys = user[newest].astype(np.int64) * n_items + item[newest]
    _, first = np.unique(keys, return_index=True)
    first.sort()
    user, item = user[newest][first], item[newest][first]
    size = np.bincount(user, minlength=max(1, log.n_users))
    rank = np.arange(len(user)) - np.repeat(np.cumsum(size) - size, size)
    place = (user[rank < MOST_ITEMS], item[rank < MOST_ITEMS])
    shape = (max(1, log.n_users), n_items)
    return sp.csr_matrix((np.ones(len(place[0]), np.float32), place), shape=shape)
