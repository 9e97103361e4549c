"""Metrics against numbers worked out by hand, and against plain enumeration of tie orders."""

from __future__ import annotations

from itertools import pairwise, permutations
from math import log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recprism.evaluate import metrics
from recprism.evaluate.metrics import Standing, standing_by_score, standing_in_list

RANKED = ["a", "b", "c", "d", "e"]


def test_ndcg_of_hits_at_ranks_2_and_4_of_three_true_items() -> None:
    standing = standing_in_list(RANKED, {"b", "d", "z"})
    ideal = 1 + 1 / log2(3) + 1 / log2(4)
    assert metrics.ndcg(standing, 5) == pytest.approx((1 / log2(3) + 1 / log2(5)) / ideal)


def test_the_perfect_list_never_holds_more_hits_than_its_cut_off() -> None:
    assert metrics.ndcg(standing_in_list(["a", "b"], set("abcdef")), 2) == pytest.approx(1.0)


def test_hits_beyond_the_cut_off_do_not_count() -> None:
    standing = standing_in_list(RANKED, {"c"})
    assert metrics.ndcg(standing, 2) == 0.0
    assert metrics.recall(standing, 2) == 0.0
    assert metrics.hit_rate(standing, 2) == 0.0


def test_recall_counts_true_items_that_the_list_lacks() -> None:
    assert metrics.recall(standing_in_list(RANKED, {"a", "x", "y", "z"}), 5) == 0.25


def test_reciprocal_rank_is_that_of_the_first_hit() -> None:
    assert metrics.reciprocal_rank(standing_in_list(RANKED, {"c", "e"})) == pytest.approx(1 / 3)


def test_an_empty_list_scores_zero_and_no_truth_scores_nan() -> None:
    nothing = standing_in_list([], {"a"})
    assert [metrics.ndcg(nothing, 5), metrics.recall(nothing, 5)] == [0.0, 0.0]
    assert [metrics.hit_rate(nothing, 5), metrics.reciprocal_rank(nothing)] == [0.0, 0.0]
    truthless = standing_in_list(RANKED, set())
    for metric in (metrics.ndcg, metrics.recall, metrics.hit_rate):
        assert np.isnan(metric(truthless, 5))
    assert np.isnan(metrics.reciprocal_rank(truthless))


def test_standing_by_score_counts_items_above_and_tied() -> None:
    standing = standing_by_score([3.0, 1.0, 2.0, 2.0], [False, True, True, False])
    assert standing.above.tolist() == [3, 1]
    assert standing.tied.tolist() == [1, 2]
    assert standing.n_true == 2


def test_a_rule_that_ranks_all_equal_scores_what_a_random_order_scores() -> None:
    standing = standing_by_score(np.zeros(200), np.arange(200) < 1)
    expected = sum(1 / log2(1 + rank) for rank in range(1, 6)) / 200
    assert metrics.ndcg(standing, 5) == pytest.approx(expected)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=5),
    st.integers(1, 6),
)
def test_ties_are_worth_the_mean_over_all_their_orders(
    items: list[tuple[int, bool]], k: int
) -> None:
    scores, true = [score for score, _ in items], [is_true for _, is_true in items]
    if not any(true):
        return
    standing = standing_by_score(scores, true)
    names = [str(row) for row in range(len(items))]
    truth = {name for name, is_true in zip(names, true, strict=True) if is_true}
    orders = [
        standing_in_list([names[row] for row in order], truth)
        for order in permutations(range(len(items)))
        if all(scores[a] >= scores[b] for a, b in pairwise(order))
    ]
    for metric in (metrics.ndcg, metrics.recall, metrics.hit_rate):
        mean = float(np.mean([metric(order, k) for order in orders]))
        assert metric(standing, k) == pytest.approx(mean)
    mean = float(np.mean([metrics.reciprocal_rank(order) for order in orders]))
    assert metrics.reciprocal_rank(standing) == pytest.approx(mean)


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=40),
    st.integers(1, 20),
    st.integers(0, 3),
)
def test_metrics_stay_between_zero_and_one(
    items: list[tuple[int, bool]], k: int, unranked: int
) -> None:
    true = [is_true for _, is_true in items]
    standing = standing_by_score([score for score, _ in items], true, sum(true) + unranked)
    if standing.n_true == 0:
        return
    values = [metric(standing, k) for metric in (metrics.ndcg, metrics.recall, metrics.hit_rate)]
    for value in [*values, metrics.reciprocal_rank(standing)]:
        assert 0.0 <= value <= 1.0 + 1e-12


def test_auc_counts_ties_half() -> None:
    assert metrics.auc([0.9, 0.5, 0.5, 0.1], [1, 1, 0, 0]) == pytest.approx(3.5 / 4)
    assert np.isnan(metrics.auc([0.1, 0.2], [1, 1]))


def test_calibration_error_is_the_mean_gap_over_bins_of_equal_mass() -> None:
    bins = metrics.calibration_bins([0.1, 0.1, 0.1, 0.1, 0.8, 0.8], [0, 0, 0, 1, 1, 1], n_bins=3)
    assert [b.predicted for b in bins] == pytest.approx([0.1, 0.8])
    assert [(b.observed, b.n) for b in bins] == [(0.25, 4), (1.0, 2)]
    assert metrics.calibration_error(bins) == pytest.approx((4 * 0.15 + 2 * 0.2) / 6)


def test_distinct_predictions_fill_bins_of_equal_mass() -> None:
    predicted = np.linspace(0.0, 1.0, 100)
    bins = metrics.calibration_bins(predicted, predicted > 0.5, n_bins=10)
    assert [b.n for b in bins] == [10] * 10


def test_no_predictions_have_no_calibration() -> None:
    assert metrics.calibration_bins([], []) == []
    assert np.isnan(metrics.calibration_error([]))
    assert np.isnan(metrics.brier([], []))


def test_brier_is_the_mean_squared_error() -> None:
    assert metrics.brier([0.5, 1.0], [1, 1]) == pytest.approx(0.125)


def test_coverage_counts_each_shown_item_once() -> None:
    assert metrics.coverage([3, 3, 4], 8) == 0.25
    assert np.isnan(metrics.coverage([], 0))


def test_novelty_is_bits_of_surprise() -> None:
    users_of_item = [7, 0, 1]
    assert metrics.novelty([0], users_of_item, 7) == 0.0
    assert metrics.novelty([1, 2], users_of_item, 7) == pytest.approx((3 + 2) / 2)
    assert np.isnan(metrics.novelty([], users_of_item, 7))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["x", "x", "x"], 0.0),
        (["x", "y", "z"], 1.0),
        (["x", "x", "y"], 2 / 3),
        ([None, None], 1.0),
    ],
)
def test_label_diversity_is_the_share_of_unlike_pairs(
    labels: list[str | None], expected: float
) -> None:
    assert metrics.label_diversity(labels) == pytest.approx(expected)


def test_one_item_alone_has_no_diversity() -> None:
    assert np.isnan(metrics.label_diversity(["x"]))


def test_popular_share_looks_at_the_most_popular_percent() -> None:
    popularity = np.arange(200)
    assert metrics.popular_share([199, 198, 5, 5], popularity) == 0.5
    assert metrics.popular_share([2, 1], [1, 1, 9]) == 0.5
    assert np.isnan(metrics.popular_share([], popularity))


def test_gini_of_equal_and_of_one_winner() -> None:
    assert metrics.gini([2, 2, 2, 2]) == pytest.approx(0.0)
    assert metrics.gini([0, 0, 0, 5]) == pytest.approx(0.75)
    assert np.isnan(metrics.gini([0, 0]))


def test_standing_of_the_same_order_agrees_in_both_forms() -> None:
    scores = [5.0, 4.0, 3.0, 2.0, 1.0]
    by_score = standing_by_score(scores, [name in {"b", "e"} for name in RANKED])
    in_list: Standing = standing_in_list(RANKED, {"b", "e"})
    assert by_score.above.tolist() == in_list.above.tolist() == [1, 4]
