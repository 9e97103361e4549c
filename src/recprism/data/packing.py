"""Rows of small codes packed into one number each, so that millions of rows sort in a second.

Columns are pushed one after another, the most significant first, and can be dropped from memory as
soon as they are pushed; the sorted distinct numbers unpack into the sorted distinct rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

KeyArray = NDArray[np.uint64]

_LIMIT = 2**63


class Packing:
    """A mixed-radix number per row; `n` rows, no columns yet.

    Where the radices would outgrow 64 bits, the numbers so far are replaced by their rank.
    """

    def __init__(self, n: int) -> None:
        self.key: KeyArray = np.zeros(n, np.uint64)
        self._span = 1
        self._columns: list[tuple[str, int]] = []
        self._ranks: dict[int, KeyArray] = {}

    def push(self, name: str, codes: NDArray[np.integer], size: int) -> None:
        """Append a column of codes [n] in 0 .. size - 1."""
        size = max(size, 1)
        if self._span * size > _LIMIT:
            distinct, rank = np.unique(self.key, return_inverse=True)
            self._ranks[len(self._columns)] = distinct
            self.key, self._span = rank.astype(np.uint64), max(len(distinct), 1)
        self._columns.append((name, size))
        self._span *= size
        self.key *= np.uint64(size)
        self.key += codes.astype(np.uint64)

    def unpack(self, key: KeyArray) -> dict[str, NDArray[np.unsignedinteger]]:
        """The codes of each column for some of the packed numbers, shape [len(key)] each.

        Each comes in the smallest unsigned type that holds its size.
        """
        columns: dict[str, NDArray[np.unsignedinteger]] = {}
        for place in range(len(self._columns), 0, -1):
            name, size = self._columns[place - 1]
            # Several times faster than divmod, which does not know that the divisor is one number.
            rest = key // np.uint64(size)
            columns[name] = (key - rest * np.uint64(size)).astype(np.min_scalar_type(size - 1))
            key = rest
            if place - 1 in self._ranks:
                key = self._ranks[place - 1][key]
        return columns


def sorted_distinct(key: KeyArray) -> tuple[KeyArray, KeyArray]:
    """The distinct numbers in ascending order, and three that repeat; sorts `key` in place."""
    key.sort()
    if len(key) == 0:
        return key, key
    first = np.empty(len(key), np.bool_)
    first[0] = True
    np.not_equal(key[1:], key[:-1], out=first[1:])
    if bool(first.all()):
        return key, key[:0]
    return key[first], key[np.flatnonzero(~first)[:3]]


def starts_of_runs(columns: list[NDArray[np.unsignedinteger]], n: int) -> NDArray[np.int64]:
    """Where a row differs from the one before it in any of `columns`, shape [runs]; row 0 does."""
    first = np.zeros(n, np.bool_)
    first[:1] = True
    for column in columns:
        first[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(first)
