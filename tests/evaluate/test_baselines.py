"""Baselines against scores worked out by hand."""

from __future__ import annotations

from math import exp, log2, sqrt

import numpy as np
import pytest
from tests.evaluate.small_shop import ROWS, Row, goal_of, micros, shop

from recprism.evaluate.baselines import BaselineRules, baseline_standings, fit_baselines
from recprism.evaluate.metrics import ndcg
from recprism.evaluate.protocol import HoldOut, build_occasions, candidates_for

ANN, BOB, CEM, DOT = range(4)


def rules(task: str, until: float, rows: list[Row] = ROWS) -> BaselineRules:
    dataset = shop(rows)
    return fit_baselines(dataset, goal_of(dataset, task), micros(until))


def scores(task: str, user: int, at: float, rows: list[Row] = ROWS) -> dict[str, dict[str, float]]:
    """Scores by rule and outside id."""
    found = rules(task, at, rows)
    kind = found.goal.kind
    items, values = found.scores(
        user, micros(at), candidates_for(found.dataset, kind, user, micros(at))
    )
    ids = [kind.ids[int(item) - kind.start] for item in items]
    return {rule: dict(zip(ids, row.tolist(), strict=True)) for rule, row in values.items()}


def test_personal_is_count_times_decay_since_the_last() -> None:
    found = scores("products", ANN, 21)["personal"]
    assert found["milk"] == pytest.approx(2 * exp(-13 / 60))
    assert found["tea"] == pytest.approx(exp(-6 / 60))
    assert found["bread"] == found["eggs"] == found["ham"] == 0.0


def test_popular_counts_goal_events_before_the_cut() -> None:
    found = scores("products", DOT, 21)["popular"]
    assert found == {"milk": 3, "bread": 1, "eggs": 0, "ham": 0, "tea": 3}


def test_a_user_without_history_gets_what_was_popular_lately() -> None:
    found = scores("products", DOT, 29.5)["personal"]
    assert found["eggs"] == pytest.approx(exp(-3.5 / 60))
    found = scores("products", DOT, 21)["personal"]
    assert found["milk"] == pytest.approx(3e-6)


def test_ads_are_scored_by_what_they_promote_among_the_ads_of_the_usual_store() -> None:
    found = scores("ads", ANN, 21)
    assert set(found["personal"]) == {"milk", "ham"}
    assert found["personal"]["milk"] == pytest.approx(2 * exp(-13 / 60) + 3e-6)
    assert found["popular"] == {"milk": 3, "ham": 0}


def test_ads_are_popular_by_the_last_four_weeks_only() -> None:
    rows: list[Row] = [("ann", "products", "milk", -20, "1"), ("ann", "products", "ham", 1, "1")]
    assert scores("ads", ANN, 21, rows)["popular"] == {"milk": 0, "ham": 1}


def test_a_coupon_scores_purchases_of_what_it_covers_over_the_root_of_how_much() -> None:
    found = scores("coupons", ANN, 22)["personal"]
    assert found["c-milk"] == pytest.approx(2.0)
    # spring: no bread, eggs or ham bought; summer: one tea over one product. The better one counts.
    assert found["c-food"] == pytest.approx(1.0)
    bob = scores("coupons", BOB, 22)["personal"]
    assert bob["c-food"] == pytest.approx(1 / sqrt(3))


def test_random_is_the_mean_over_orders_of_the_candidates() -> None:
    dataset = shop()
    goal = goal_of(dataset, "coupons")
    (occasions,) = build_occasions(dataset, goal, HoldOut("coupons", (micros(24),), True, 5))
    (found,) = baseline_standings(dataset, goal, occasions)
    assert ndcg(found["random"], 5) == pytest.approx((1 + 1 / log2(3)) / 2)


def test_own_events_between_the_cut_and_the_moment_count() -> None:
    found = rules("products", 15)
    values = found.scores(ANN, micros(22.5), None)[1]["personal"]
    assert values[0] == pytest.approx(3 * exp(-0.5 / 60))


@pytest.mark.parametrize("task", ["products", "coupons", "ads"])
def test_events_from_the_future_change_no_score(task: str) -> None:
    at = 22.0
    before = scores(task, ANN, at, [row for row in ROWS if row[3] < at])
    planted: list[Row] = [(user, "products", "tea", at, "2") for user in ("ann", "bob")]
    assert scores(task, ANN, at, [*ROWS, *planted * 9]) == before


def test_truth_outside_the_candidates_still_counts_in_the_ideal() -> None:
    found = rules("coupons", 21)
    standing = found.standings(BOB, micros(22), np.array([5, 6, 0], dtype=np.int32))
    assert standing["personal"].n_true == 3
