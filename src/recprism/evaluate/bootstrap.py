"""How sure a mean is: 95 % intervals by bootstrap over users.

A user is drawn with everything that belongs to them: all sessions and weeks of a user enter a draw
together or not at all (cluster bootstrap; Efron and Tibshirani, 1993, chapter 8). One draw is a row
of multinomial weights over users, so that a thousand draws are one matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

DRAWS = 1_000
_CELLS = 4_000_000  # most cells of the weight matrix held at a time: 32 MB


@dataclass(frozen=True)
class Interval:
    """A mean, the bounds of its 95 % interval, and the number of rows and users behind it."""

    value: float
    low: float
    high: float
    n: int
    users: int

    def to_dict(self) -> dict[str, float | int | None]:
        """Keys `value low high n users`; numbers that do not exist are None."""
        bounds = {"value": self.value, "low": self.low, "high": self.high}
        out: dict[str, float | int | None] = {
            key: None if np.isnan(number) else round(number, 6) for key, number in bounds.items()
        }
        return out | {"n": self.n, "users": self.users}


def mean_with_interval(
    values: ArrayLike,
    users: ArrayLike,
    strata: ArrayLike | None = None,
    *,
    seed: int = 0,
    draws: int = DRAWS,
) -> Interval:
    """The mean of `values` [n] with its 95 % percentile interval over `users` [n].

    With `strata` [n] (the week of each row, say) it is the mean of the means of the strata. Rows
    whose value is NaN are left out; with none left everything is NaN. One user alone has an
    interval of no width: there is nothing to draw from.
    """
    numbers, who = np.asarray(values, np.float64), np.asarray(users)
    groups = np.zeros(len(numbers), np.int64) if strata is None else np.asarray(strata)
    keep = ~np.isnan(numbers)
    numbers, who, groups = numbers[keep], who[keep], groups[keep]
    if len(numbers) == 0:
        nan = float("nan")
        return Interval(nan, nan, nan, 0, 0)
    sums, counts = _per_user(numbers, who, groups)
    value = float(_means(np.ones((1, len(sums))), sums, counts)[0])
    drawn = _draw(sums, counts, seed, draws)
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return Interval(value, float(low), float(high), len(numbers), len(sums))


def paired_difference(
    ours: ArrayLike,
    theirs: ArrayLike,
    users: ArrayLike,
    strata: ArrayLike | None = None,
    *,
    seed: int = 0,
) -> Interval:
    """`ours` minus `theirs` [n], occasion by occasion, with its 95 % interval over `users` [n]."""
    difference = np.asarray(ours, np.float64) - np.asarray(theirs, np.float64)
    return mean_with_interval(difference, users, strata, seed=seed)


def _per_user(
    values: NDArray[np.float64], users: NDArray[np.int64], strata: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums and counts of `values` per user and stratum, both [n_users, n_strata]."""
    who, row = np.unique(users, return_inverse=True)
    which, column = np.unique(strata, return_inverse=True)
    cell = row * len(which) + column
    shape = (len(who), len(which))
    sums = np.bincount(cell, weights=values, minlength=shape[0] * shape[1]).astype(np.float64)
    counts = np.bincount(cell, minlength=shape[0] * shape[1])
    return sums.reshape(shape), counts.reshape(shape).astype(np.float64)


def _means(
    weights: NDArray[np.float64], sums: NDArray[np.float64], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean of the strata's means under each row of `weights` [draws, n_users], shape [draws].

    A stratum that a draw left empty does not count in it.
    """
    total, n = weights @ sums, weights @ counts  # [draws, n_strata]
    filled = n > 0
    means = np.divide(total, n, out=np.zeros_like(total), where=filled)
    return np.asarray(means.sum(axis=1) / filled.sum(axis=1))


def _draw(
    sums: NDArray[np.float64], counts: NDArray[np.float64], seed: int, draws: int
) -> NDArray[np.float64]:
    """The statistic of each bootstrap draw, shape [draws]; every user stands in some stratum."""
    rng = np.random.default_rng(seed)
    n_users = len(sums)
    even = np.full(n_users, 1.0 / n_users)
    chunk = max(1, _CELLS // n_users)
    parts = []
    for start in range(0, draws, chunk):
        weights = rng.multinomial(n_users, even, size=min(chunk, draws - start))
        parts.append(_means(weights.astype(np.float64), sums, counts))
    return np.concatenate(parts)
