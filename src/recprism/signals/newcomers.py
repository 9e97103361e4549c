"""Items that came after training: what signals say of them without having seen them.

In come their vectors and labels, out go numbers in the columns of all signals. The one decision
worth knowing: no array that training left changes its size. Newcomers have numbers above those of
all other items, every bound signal is put into a `Beside`, and only signals that need no past of an
item (`ScoresNewcomers`) say more of them than 0. The ranker has learned from items without a past
what such zeros mean.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np

from recprism.data.dataset import FloatArray, IntArray
from recprism.signals.interface import Bound, Clue

NEAR = 10
"""A newcomer is expected to be as popular as so many items that are nearest to it."""


@dataclass(frozen=True)
class Newcomers:
    """Items that came after training, [k], numbered from `start` on.

    `short` [k, size] and `wide` [k, encoder size] are vectors as in `Content`, zeros where nothing
    is known; `content` [k, any] is as `wide_content` gives it. `codes[label]` [k] are labels as
    training numbered them (0: none, or one that it did not know). `near` [k, NEAR] are the trained
    items of the same kind that are nearest by content, -1 for none.
    """

    start: int
    short: FloatArray
    wide: FloatArray
    content: FloatArray
    codes: Mapping[str, IntArray]
    near: IntArray

    def __len__(self) -> int:
        return len(self.short)


@runtime_checkable
class ScoresNewcomers(Protocol):
    """A bound signal that needs no past of an item."""

    def score_new(self, newcomers: Newcomers) -> FloatArray:
        """Numbers of all newcomers, shape [k, len(columns)], as `Bound.score` gives them."""
        ...

    def main_new(self, newcomers: Newcomers) -> FloatArray:
        """What the shortlist goes by, shape [k], as in `Bound.main`."""
        ...

    def clue_new(self, newcomers: Newcomers, row: int) -> Clue | None:
        """Evidence that speaks for one of them."""
        ...


class Beside:
    """A bound signal that takes newcomers too; the others are scored as ever."""

    def __init__(self, inner: Bound, newcomers: Newcomers, n_columns: int) -> None:
        self._inner, self._newcomers, self._n_columns = inner, newcomers, n_columns

    @property
    def common(self) -> Hashable | None:
        return self._inner.common

    def score(self, items: IntArray) -> FloatArray:
        new = items >= self._newcomers.start
        if not new.any():
            return self._inner.score(items)
        out = np.zeros((len(items), self._n_columns), np.float32)
        out[~new] = self._inner.score(items[~new])
        out[new] = self._numbers[items[new] - self._newcomers.start]
        return out

    def main(self, items: IntArray) -> FloatArray:
        new = items >= self._newcomers.start
        if not new.any():
            return self._inner.main(items)
        out = np.zeros(len(items), np.float32)
        out[~new] = self._inner.main(items[~new])
        if isinstance(self._inner, ScoresNewcomers):
            out[new] = self._inner.main_new(self._newcomers)[items[new] - self._newcomers.start]
        return out

    def retrieve(self, start: int, stop: int, n: int) -> IntArray:
        return self._inner.retrieve(start, stop, n)

    def clue(self, items: IntArray) -> Clue | None:
        row = int(items[0]) - self._newcomers.start
        if row < 0:
            return self._inner.clue(items)
        if isinstance(self._inner, ScoresNewcomers):
            return self._inner.clue_new(self._newcomers, row)
        return None

    @cached_property
    def _numbers(self) -> FloatArray:
        if isinstance(self._inner, ScoresNewcomers):
            return self._inner.score_new(self._newcomers)
        return np.zeros((len(self._newcomers), self._n_columns), np.float32)
