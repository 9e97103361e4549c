"""The past items that speak for an item: those whose vectors come nearest to its own."""

from __future__ import annotations

import numpy as np

from recprism.data.dataset import FloatArray, IntArray
from recprism.profiles.state import UserState
from recprism.signals.interface import among

MOST = 3
"""So many past items are named at most."""


class PastVectors:
    """A user's distinct past items, in ascending order, with a vector each.

    `items` [m] (ascending), `vectors` [m, d]; nearness is their product with a vector asked about.
    """

    def __init__(self, user: UserState, items: IntArray, vectors: FloatArray) -> None:
        self._items, self._vectors = items, vectors
        self._counts = user.counts_of(items)

    def nearest(
        self, vector: FloatArray, start: int, stop: int, but: IntArray
    ) -> tuple[tuple[int, ...], int]:
        """The items in [start, stop) nearest to `vector` [d], best first, none in `but` [k].

        Beside them, how many of the user's events concern them. Empty and 0 when there is none.
        """
        lo, hi = np.searchsorted(self._items, (start, stop))
        items, found = self._items[lo:hi], []
        likeness = self._vectors[lo:hi] @ vector
        place = np.searchsorted(items, but)
        place = place[place < len(items)]
        likeness[place[among(items[place], but)]] = -np.inf
        for _ in range(min(MOST, len(items))):
            best = int(likeness.argmax())
            if likeness[best] == -np.inf:
                break
            found.append(best)
            likeness[best] = -np.inf
        return tuple(items[found].tolist()), int(self._counts[lo:hi][found].sum())
