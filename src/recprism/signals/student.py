"""The student: a straight line from content vectors to what the language model would have said.

In come the vectors of a person's last items and of a candidate, out goes the relevance that the
teacher is expected to give, in units of its spread within one person's candidates. The line goes
through three things: the candidate's vector (some items the model always finds fitting), its
product with the mean of the past, number by number, and its likeness to the nearest past item. So
the relevance of all items is two matrix products.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recprism.data.dataset import FloatArray

PENALTIES = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
"""Ridge penalties that left-out persons choose from."""
FOLDS = 5
FEWEST = 10
"""With fewer persons nothing is learned."""
WORTHLESS = 0.05
"""A student that follows its teacher less than this on left-out persons says nothing."""


@dataclass(frozen=True)
class Lesson:
    """One person: `past` [m, d] the vectors of the last items, `items` [n, d] those of the
    candidates, `told` [n] what the teacher said of them."""

    past: FloatArray
    items: FloatArray
    told: FloatArray


@dataclass(frozen=True)
class Student:
    """`usual` [d], `shared` [d] and `nearest` [1] weigh the three things; `follows` is the mean
    rank correlation (Spearman) with the teacher within persons that the student did not see."""

    usual: FloatArray
    shared: FloatArray
    nearest: FloatArray
    follows: float

    @classmethod
    def silent(cls, size: int) -> Self:
        """A student that says nothing."""
        nothing = np.zeros(size, np.float32)
        return cls(nothing, nothing, np.zeros(1, np.float32), 0.0)

    @property
    def is_silent(self) -> bool:
        return not (self.usual.any() or self.shared.any() or self.nearest.any())

    def relevance(self, past: FloatArray, items: FloatArray) -> FloatArray:
        """What the student expects of `items` [n, d] after `past` [m, d]: [n]; 0 for no past."""
        if not len(past) or self.is_silent:
            return np.zeros(len(items), np.float32)
        near = (items @ past.T).max(axis=1) * self.nearest[0]
        score = items @ (self.usual + self.shared * past.mean(axis=0)) + near
        return np.asarray(score * items.any(axis=1), np.float32)

    def parts(self, past: FloatArray, item: FloatArray) -> FloatArray:
        """How much each past item adds to the relevance of `item` [d] by what they share, [m]."""
        return np.asarray((past * self.shared) @ item / max(1, len(past)), np.float32)

    @classmethod
    def fit(cls, lessons: Sequence[Lesson], size: int, seed: int) -> Self:
        """Learn from `lessons`; persons are left out in turn to choose the penalty and to say how
        well the student follows."""
        known = [lesson for lesson in lessons if np.ptp(lesson.told) > 0 and len(lesson.past)]
        if len(known) < FEWEST:
            return cls.silent(size)
        tables = [(_things(one.past, one.items), one.told) for one in known]
        fold = np.random.default_rng(seed).permutation(len(known)) % FOLDS
        follows = [_left_out(tables, fold, penalty) for penalty in PENALTIES]
        best = int(np.argmax(follows))
        if follows[best] < WORTHLESS:
            return cls.silent(size)
        weights = _ridge(tables, PENALTIES[best]).astype(np.float32)
        return cls(weights[:size], weights[size:-1], weights[-1:], round(follows[best], 4))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        follows = np.array([self.follows], np.float32)
        return {
            "usual": self.usual,
            "shared": self.shared,
            "nearest": self.nearest,
            "follows": follows,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        follows = float(arrays["follows"][0])
        return cls(arrays["usual"], arrays["shared"], arrays["nearest"], follows)


def _things(past: FloatArray, items: FloatArray) -> FloatArray:
    """What the line goes through, [n, 2 d + 1]."""
    near = (items @ past.T).max(axis=1, keepdims=True)
    return np.concatenate([items, items * past.mean(axis=0), near], axis=1)


def _ridge(tables: Sequence[tuple[FloatArray, FloatArray]], penalty: float) -> NDArray[np.float64]:
    """Weights [f] of the differences within persons: only those order a list.

    Things are brought to one spread before the penalty. What is told counts in units of its spread.
    """
    x = np.concatenate([things - things.mean(axis=0) for things, _ in tables]).astype(np.float64)
    y = np.concatenate([told - told.mean() for _, told in tables]).astype(np.float64)
    spread = x.std(axis=0)
    spread = np.where(spread > 1e-9, spread, 1.0)
    x, y = x / spread, y / max(1e-9, float(y.std()))
    weights = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y)
    return np.asarray(weights / spread)


def _left_out(
    tables: Sequence[tuple[FloatArray, FloatArray]], fold: NDArray[np.int64], penalty: float
) -> float:
    """Mean rank correlation within persons that were left out."""
    found = []
    for left in range(FOLDS):
        learned = [table for table, f in zip(tables, fold, strict=True) if f != left]
        weights = _ridge(learned, penalty)
        asked = [table for table, f in zip(tables, fold, strict=True) if f == left]
        found += [_agreement(things @ weights, told) for things, told in asked]
    return float(np.mean(found))


def _agreement(expected: NDArray[Any], told: NDArray[Any]) -> float:
    """Spearman's rank correlation, 0 where one of the two says nothing."""
    if np.ptp(expected) == 0 or np.ptp(told) == 0:
        return 0.0
    ranks = [np.argsort(np.argsort(values, kind="stable")) for values in (expected, told)]
    table: NDArray[np.float64] = np.asarray(np.corrcoef(np.stack(ranks)))
    return float(table[0, 1])
