"""Taste: the user's taste vector times the item factors (see `profiles/taste.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from recprism.data.dataset import EventLog, FloatArray, IntArray
from recprism.profiles.state import UserState
from recprism.profiles.taste import Taste as Factors
from recprism.signals.interface import Arrays, Clue, Goal, Setting


class Taste:
    """Scores by item factors; all that is fitted are the factors of the setting."""

    name: ClassVar[str] = "taste"
    columns: ClassVar[tuple[str, ...]] = ("score", "damped")
    with_goal: ClassVar[bool] = False

    def __init__(self, factors: Factors) -> None:
        self._factors = factors

    @classmethod
    def fit(cls, setting: Setting, log: EventLog, segment: IntArray) -> Self:  # noqa: ARG003
        return cls(setting.taste)

    def bind(
        self,
        user: UserState,
        goal: Goal,  # noqa: ARG002
        taste: FloatArray,
        segment: int,  # noqa: ARG002
    ) -> BoundTaste:
        return BoundTaste(self._factors, user, taste)

    def to_arrays(self) -> Arrays:
        return {}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], setting: Setting) -> Self:  # noqa: ARG003
        return cls(setting.taste)


class BoundTaste:
    """Scores of all items with factors: one matrix-vector product, then look-ups."""

    def __init__(self, factors: Factors, user: UserState, taste: FloatArray) -> None:
        self._factors, self._user, self._taste = factors, user, taste
        n = len(factors.item)
        self._numbers = np.zeros((n + 1, 2), np.float32)
        if taste.any():
            self._numbers[:n, 1] = factors.factors @ taste
            self._numbers[:n, 0] = self._numbers[:n, 1] / factors.scale

    def score(self, items: IntArray) -> FloatArray:
        return self._numbers[self._factors.row[items]]

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
        past = np.setdiff1d(self._user.item, items)
        past = past[self._factors.row[past] >= 0]
        if len(past) == 0:
            return None
        vectors = self._factors.factors[self._factors.row[past]]
        length = np.linalg.norm(vectors, axis=1) + 1e-9
        near = past[np.argsort(-(vectors @ self._factors.factors[wanted]) / length)[:3]]
        events = int(np.isin(self._user.item, near).sum())
        return Clue(Taste.name, events, tuple(map(int, near)), {})


def top(score: FloatArray, n: int) -> NDArray[np.int64]:
    """Positions of the `n` largest numbers, largest first."""
    if n <= 0:
        return np.zeros(0, np.int64)
    if len(score) > n:
        part = np.argpartition(-score, n - 1)[:n]
        return part[np.argsort(-score[part], kind="stable")]
    return np.argsort(-score, kind="stable")
