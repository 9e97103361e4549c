"""Taste: the user's taste vector times the item factors (see `profiles/taste.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from recprism.data.dataset import Catalog, EventLog, FloatArray, IntArray
from recprism.profiles.state import UserState
from recprism.profiles.taste import Taste as Factors
from recprism.signals.interface import Arrays, Clue, Goal, Setting
from recprism.signals.nearest import PastVectors


class Taste:
    """Scores by item factors; all that is fitted are the factors of the setting."""

    name: ClassVar[str] = "taste"
    columns: ClassVar[tuple[str, ...]] = ("score", "damped")
    with_goal: ClassVar[bool] = False
    sparse: ClassVar[bool] = False

    def __init__(self, factors: Factors, catalog: Catalog) -> None:
        self.factors, self.catalog = factors, catalog

    @classmethod
    def fit(cls, setting: Setting, log: EventLog, segment: IntArray) -> Self:  # noqa: ARG003
        return cls(setting.taste, setting.catalog)

    def bind(
        self,
        user: UserState,
        goal: Goal,  # noqa: ARG002
        taste: FloatArray,
        segment: int,  # noqa: ARG002
    ) -> BoundTaste:
        return BoundTaste(self, user, taste)

    def alike(self) -> IntArray | None:
        return None

    def to_arrays(self) -> Arrays:
        return {}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], setting: Setting) -> Self:  # noqa: ARG003
        return cls(setting.taste, setting.catalog)


class BoundTaste:
    """Scores of all items with factors: one matrix-vector product, then look-ups."""

    common = None

    def __init__(self, signal: Taste, user: UserState, taste: FloatArray) -> None:
        self._signal, self._user = signal, user
        self._factors = factors = signal.factors
        n = len(factors.item)
        self._numbers = np.zeros((n + 1, 2), np.float32)
        if taste.any():
            self._numbers[:n, 1] = factors.factors @ taste
            self._numbers[:n, 0] = self._numbers[:n, 1] / factors.scale

    def score(self, items: IntArray) -> FloatArray:
        return self._numbers[self._factors.row[items]]

    def main(self, items: IntArray) -> FloatArray:
        return np.asarray(self._numbers[self._factors.row[items], 0])

    def retrieve(self, start: int, stop: int, n: int) -> IntArray:
        lo, hi = np.searchsorted(self._factors.item, (start, stop))
        score = self._numbers[lo:hi, 0]
        best = top(score, n)
        return self._factors.item[lo:hi][best[score[best] > 0]]

    def clue(self, items: IntArray) -> Clue | None:
        row = self._factors.row[items]
        row = row[row >= 0]
        if len(row) == 0 or self._user.is_cold:
            return None
        wanted = row[np.argmax(self._numbers[row, 0])]
        if self._numbers[wanted, 0] <= 0:
            return None
        kind = self._signal.catalog.kind_of(int(items[0]))
        past, events = self._past.nearest(
            self._factors.factors[wanted], kind.start, kind.stop, items
        )
        return Clue(Taste.name, events, past, {}) if past else None

    @cached_property
    def _past(self) -> PastVectors:
        """The user's distinct items that have factors, with those factors at length 1."""
        past = self._user.distinct[0]
        past = past[self._factors.row[past] >= 0]
        vectors = self._factors.factors[self._factors.row[past]]
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return PastVectors(self._user, past, vectors / (lengths + 1e-9))


def top(score: FloatArray, n: int) -> NDArray[np.int64]:
    """Positions of the `n` largest numbers, largest first."""
    if n <= 0:
        return np.zeros(0, np.int64)
    if len(score) > n:
        part = np.argpartition(-score, n - 1)[:n]
        return part[np.argsort(-score[part], kind="stable")]
    return np.argsort(-score, kind="stable")
