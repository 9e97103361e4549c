"""What a list, a set of probabilities or a whole set of lists is worth, in numbers.

In come the standings of the true items of one occasion (`Standing`), or arrays over many lists; out
go plain floats. The one decision worth knowing: ties are never broken by luck. A true item that
shares its score with others gets the value it has on average when the tied items are put in random
order, so that a baseline that ranks everything equal scores exactly what a random order scores.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray

DoubleArray = NDArray[np.float64]
CountArray = NDArray[np.int64]


@dataclass(frozen=True)
class Standing:
    """Where the true items of one occasion stand in a ranking.

    `above[h]` is the number of items scored higher than true item `h`, `tied[h]` the number scored
    equal (itself included, so at least 1); both have shape [ranked true items]. `n_true` counts all
    true items, those that the ranking does not hold included.
    """

    above: CountArray
    tied: CountArray
    n_true: int


def standing_in_list(items: Sequence[str], truth: Collection[str]) -> Standing:
    """The standing of `truth` in a list in the order returned; an empty list ranks nothing."""
    found = [place for place, item in enumerate(items) if item in truth]
    above = np.array(found, dtype=np.int64)
    return Standing(above, np.ones(len(found), np.int64), len(truth))


def standing_by_score(scores: ArrayLike, is_true: ArrayLike, n_true: int | None = None) -> Standing:
    """The standing of the true items under `scores` [n], higher is better; `is_true` is bool [n].

    `n_true` is given when some true items are not among the candidates.
    """
    values, true = np.asarray(scores, np.float64), np.asarray(is_true, bool)
    ordered = np.sort(values)
    hits = values[true]
    below = np.searchsorted(ordered, hits, side="left")
    upto = np.searchsorted(ordered, hits, side="right")
    found = int(true.sum())
    return Standing(
        (len(values) - upto).astype(np.int64),
        (upto - below).astype(np.int64),
        found if n_true is None else n_true,
    )


def _discounts(k: int) -> DoubleArray:
    """Cumulative 1 / log2(1 + rank): entry `r` is the sum over ranks 1 .. r, shape [k + 1]."""
    gains = 1.0 / np.log2(np.arange(2, k + 2))
    return np.concatenate([[0.0], np.cumsum(gains)])


def _expected(standing: Standing, cumulative: DoubleArray) -> float:
    """Sum over true items of the mean gain of the ranks each may take; 0 beyond the last rank."""
    k = len(cumulative) - 1
    first = np.minimum(standing.above, k)
    last = np.minimum(standing.above + standing.tied, k)
    return float(((cumulative[last] - cumulative[first]) / standing.tied).sum())


def ndcg(standing: Standing, k: int) -> float:
    """NDCG@k with binary gains: sum of 1/log2(1 + rank) of the hits over that of a perfect list.

    The perfect list holds min(k, true items) hits (Järvelin and Kekäläinen, 2002). NaN when there
    is no true item.
    """
    if standing.n_true == 0:
        return float("nan")
    cumulative = _discounts(k)
    return _expected(standing, cumulative) / float(cumulative[min(k, standing.n_true)])


def recall(standing: Standing, k: int) -> float:
    """Recall@k: expected share of all true items within the first `k`. NaN without true items."""
    if standing.n_true == 0:
        return float("nan")
    return _expected(standing, np.arange(k + 1, dtype=np.float64)) / standing.n_true


def _groups(standing: Standing) -> list[tuple[int, int, int]]:
    """Tied groups that hold true items, best first: (items above, items tied, true items)."""
    pairs = zip(standing.above.tolist(), standing.tied.tolist(), strict=True)
    counts: dict[tuple[int, int], int] = {}
    for pair in pairs:
        counts[pair] = counts.get(pair, 0) + 1
    return [(above, tied, hits) for (above, tied), hits in sorted(counts.items())]


def hit_rate(standing: Standing, k: int) -> float:
    """Hit rate@k: probability that at least one true item is within the first `k`.

    Within a tied group of m items with h true ones of which s places count, it is
    1 - C(m - h, s) / C(m, s). NaN without true items.
    """
    if standing.n_true == 0:
        return float("nan")
    for above, tied, hits in _groups(standing)[:1]:
        places = max(0, min(k - above, tied))
        return 1.0 - comb(tied - hits, places) / comb(tied, places)
    return 0.0


def reciprocal_rank(standing: Standing) -> float:
    """Expected 1 / rank of the first true item; 0 when the ranking holds none, NaN without truth.

    Its mean over occasions is the mean reciprocal rank, MRR (Voorhees, 1999).
    """
    if standing.n_true == 0:
        return float("nan")
    for above, tied, hits in _groups(standing)[:1]:
        value, still_none = 0.0, 1.0
        for place in range(tied - hits + 1):
            here = hits / (tied - place)  # the first true item stands here, given none before
            value += still_none * here / (above + place + 1)
            still_none *= 1.0 - here
        return value
    return 0.0


def auc(scores: ArrayLike, outcomes: ArrayLike) -> float:
    """Area under the ROC curve: how often a positive scores above a negative, ties count half.

    The Mann-Whitney statistic over arrays [n]. NaN when all outcomes are the same.
    """
    values, positive = np.asarray(scores, np.float64), np.asarray(outcomes, bool)
    n_pos, n_neg = int(positive.sum()), int((~positive).sum())
    if n_pos == 0 or n_neg == 0:
        return float("nan")
    negatives = np.sort(values[~positive])
    below = np.searchsorted(negatives, values[positive], side="left")
    upto = np.searchsorted(negatives, values[positive], side="right")
    return float((below + upto).sum() / (2.0 * n_pos * n_neg))


@dataclass(frozen=True)
class CalibrationBin:
    """Mean predicted probability and observed rate of `n` predictions."""

    predicted: float
    observed: float
    n: int


def calibration_bins(
    probabilities: ArrayLike, outcomes: ArrayLike, n_bins: int = 10
) -> list[CalibrationBin]:
    """Predictions [n] sorted and cut into at most `n_bins` bins of equal mass.

    Equal predictions stay in one bin, so a bin may hold more than its share and there may be fewer
    bins; no predictions, no bins.
    """
    predicted = np.asarray(probabilities, np.float64)
    observed = np.asarray(outcomes, np.float64)
    if len(predicted) == 0:
        return []
    order = np.argsort(predicted, kind="stable")
    ranks = np.searchsorted(predicted[order], predicted, side="left")
    bins = ranks * n_bins // len(predicted)
    found = []
    for number in np.unique(bins):
        inside = bins == number
        found.append(
            CalibrationBin(
                float(predicted[inside].mean()), float(observed[inside].mean()), int(inside.sum())
            )
        )
    return found


def calibration_error(bins: Sequence[CalibrationBin]) -> float:
    """Expected calibration error: mean |predicted - observed| over bins, weighted by their size.

    Equal-mass bins after Nguyen and O'Connor (2015). NaN without predictions.
    """
    total = sum(b.n for b in bins)
    if total == 0:
        return float("nan")
    return sum(b.n * abs(b.predicted - b.observed) for b in bins) / total


def brier(probabilities: ArrayLike, outcomes: ArrayLike) -> float:
    """Mean squared difference of probability and outcome [n] (Brier, 1950); NaN when empty."""
    predicted = np.asarray(probabilities, np.float64)
    if len(predicted) == 0:
        return float("nan")
    return float(np.mean((predicted - np.asarray(outcomes, np.float64)) ** 2))


def coverage(shown: ArrayLike, n_items: int) -> float:
    """Share of the `n_items` of a kind that at least one list shows; `shown` are their numbers."""
    return len(np.unique(np.asarray(shown, np.int64))) / n_items if n_items else float("nan")


def novelty(shown: ArrayLike, users_of_item: ArrayLike, n_users: int) -> float:
    """Mean self-information of the shown items in bits: -log2 of the share of users who know one.

    After Zhou et al. (2010), with (users + 1) / (all users + 1) so that an unknown item counts as
    log2(all users + 1). `shown` are item numbers that index `users_of_item`. NaN when empty.
    """
    numbers = np.asarray(shown, np.int64)
    if len(numbers) == 0:
        return float("nan")
    known = np.asarray(users_of_item, np.float64)[numbers]
    return float(np.mean(np.log2(n_users + 1.0) - np.log2(known + 1.0)))


def label_diversity(labels: Sequence[str | None]) -> float:
    """Share of the pairs of a list whose labels differ.

    Intra-list diversity (Ziegler et al., 2005) with a similarity of 1 or 0: an item without a
    label differs from every other. NaN for a list with fewer than two items.
    """
    n = len(labels)
    if n < 2:
        return float("nan")
    counts: dict[str, int] = {}
    for label in labels:
        if label is not None:
            counts[label] = counts.get(label, 0) + 1
    same = sum(count * (count - 1) for count in counts.values())
    return 1.0 - same / (n * (n - 1))


def popular_share(shown: ArrayLike, popularity: ArrayLike, top: float = 0.01) -> float:
    """Share of the shown places that go to the most popular `top` of the items (at least one item).

    `shown` are item numbers that index `popularity` [n]. NaN when nothing is shown.
    """
    numbers, counts = np.asarray(shown, np.int64), np.asarray(popularity, np.float64)
    if len(numbers) == 0:
        return float("nan")
    n_top = max(1, round(top * len(counts)))
    popular = np.zeros(len(counts), bool)
    popular[np.argsort(-counts, kind="stable")[:n_top]] = True
    return float(popular[numbers].mean())


def gini(counts: ArrayLike) -> float:
    """Gini index of `counts` [n]: 0 when all are equal, towards 1 when one has everything.

    sum((2 i - n - 1) x_i) / (n sum(x)) over ascending x, i from 1. NaN when the sum is 0.
    """
    ordered = np.sort(np.asarray(counts, np.float64))
    n, total = len(ordered), float(ordered.sum())
    if total == 0:
        return float("nan")
    weights = 2.0 * np.arange(1, n + 1) - n - 1
    return float((weights * ordered).sum() / (n * total))
