"""Diversity by label: which items enter a list so that it is not ten times the same.

Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998) with the similarity 1 for a shared
label and 0 otherwise. With that similarity the greedy choice has a closed form, one sort: the best
item of each label pays nothing, every other one pays the full penalty.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recprism.data.dataset import UNKNOWN, IntArray, LongArray


def diversify(
    scores: NDArray[np.floating], labels: IntArray, strength: float, n_out: int
) -> LongArray:
    """Positions of at most `n_out` items in the order in which MMR picks them.

    `scores` [n] are finite and brought to [0, 1]; `labels` [n] are codes, -1 (no label) being like
    nothing else. Picks the item with the largest (1 - strength) * score - strength * (1 if an item
    with its label was picked before), ties by score, then by position. `strength` 0 is the order of
    scores. The picks say what enters; a list is shown in order of score.
    """
    by_score = np.argsort(-scores, kind="stable")
    if strength <= 0.0:
        return by_score[:n_out]
    again = np.ones(len(by_score), bool)
    again[np.unique(labels[by_score], return_index=True)[1]] = False
    again &= labels[by_score] != UNKNOWN
    marginal = (1.0 - strength) * _to_unit(scores[by_score].astype(np.float64)) - strength * again
    return by_score[np.argsort(-marginal, kind="stable")[:n_out]]


def _to_unit(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    if len(scores) == 0:
        return scores
    low, high = scores.min(), scores.max()
    if high == low:
        return np.zeros_like(scores)
    scaled: NDArray[np.float64] = (scores / 2 - low / 2) / (high / 2 - low / 2)  # no overflow
    return scaled
