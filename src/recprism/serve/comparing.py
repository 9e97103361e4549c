"""Rates of two groups of users, how sure they are, and whether the groups are as large as meant.

Intervals have 95 %. Users were drawn, so users are what is counted or drawn again, never single
shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc

Counts = NDArray[np.float64]
Z: Final = 1.959963984540054
DRAWS: Final = 1_000
_CELLS = 4_000_000  # most cells of the weight matrix held at a time: 32 MB
SUSPICIOUS: Final = 0.001
"""Groups that are by chance as uneven as seen less often than this were not split as meant."""


def wilson(successes: int, n: int) -> tuple[float, float]:
    """The score interval of a share (Wilson, 1927); (0, 1) where there is nothing to tell."""
    if n == 0:
        return 0.0, 1.0
    p, z2 = successes / n, Z * Z
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def share_of(successes: int, n: int) -> dict[str, float | None]:
    """A share of users with its interval, as a document."""
    low, high = wilson(successes, n)
    return _document(successes / n if n else None, low, high)


def difference_of_shares(ours: tuple[int, int], theirs: tuple[int, int]) -> dict[str, float | None]:
    """Our share less theirs, each as (successes, n), by Newcombe's square-and-add of two score
    intervals (1998, method 10)."""
    if not ours[1] or not theirs[1]:
        return _document(None, -1.0, 1.0)
    p, q = ours[0] / ours[1], theirs[0] / theirs[1]
    (p_low, p_high), (q_low, q_high) = wilson(*ours), wilson(*theirs)
    low = p - q - math.hypot(p - p_low, q_high - q)
    high = p - q + math.hypot(p_high - p, q - q_low)
    return _document(p - q, low, high)


def drawn_ratios(part: Counts, whole: Counts, seed: int) -> Counts:
    """sum(`part`) / sum(`whole`) over users [n], drawn again `DRAWS` times with replacement."""
    n = len(whole)
    rng, even = np.random.default_rng(seed), np.full(n, 1.0 / n)
    chunk, found = max(1, _CELLS // n), []
    for start in range(0, DRAWS, chunk):
        weights = rng.multinomial(n, even, size=min(chunk, DRAWS - start)).astype(np.float64)
        found.append((weights @ part) / (weights @ whole))
    return np.concatenate(found)


def ratio_with_interval(part: Counts, whole: Counts, drawn: Counts) -> dict[str, float | None]:
    """A rate per show with the percentile interval of its draws over users, as a document."""
    low, high = np.quantile(drawn, [0.025, 0.975])
    return _document(float(part.sum() / whole.sum()), float(low), float(high))


def difference_of_ratios(
    ours: tuple[float, Counts], theirs: tuple[float, Counts]
) -> dict[str, float | None]:
    """Our rate less theirs, each as (rate, its draws), with the interval of the draws."""
    low, high = np.quantile(ours[1] - theirs[1], [0.025, 0.975])
    return _document(ours[0] - theirs[0], float(low), float(high))


def sample_ratio(users: Sequence[int], weights: Sequence[float]) -> dict[str, Any]:
    """Whether groups are as large as their weights say: the chi-square test, as a document.

    `p` is how often chance alone makes them at least as uneven; `warning` a sentence where that is
    too seldom to be chance.
    """
    n, total = sum(users), sum(weights)
    expected = [n * weight / total for weight in weights]
    if n == 0:
        return {"p": None, "expected": expected, "warning": None}
    chi2 = sum((seen - meant) ** 2 / meant for seen, meant in zip(users, expected, strict=True))
    p = float(gammaincc((len(users) - 1) / 2, chi2 / 2))
    warning = None
    if p < SUSPICIOUS:
        warning = (
            f"The arms have {', '.join(str(one) for one in users)} users where "
            f"{', '.join(f'{one:.0f}' for one in expected)} were meant (p = {p:.2g}). Something "
            "takes users out of an arm: do not trust the differences before it is found."
        )
    return {"p": p, "expected": [round(one, 1) for one in expected], "warning": warning}


def _document(value: float | None, low: float, high: float) -> dict[str, float | None]:
    rounded = None if value is None else round(value, 6)
    return {"value": rounded, "low": round(low, 6), "high": round(high, 6)}
