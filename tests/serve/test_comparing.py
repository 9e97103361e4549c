"""Rates and differences against published and hand-worked numbers."""

from __future__ import annotations

import numpy as np
import pytest

from recprism.serve.comparing import (
    difference_of_ratios,
    difference_of_shares,
    drawn_ratios,
    ratio_with_interval,
    sample_ratio,
    share_of,
    wilson,
)


def test_shares_have_score_intervals() -> None:
    assert wilson(10, 100) == pytest.approx((0.055229, 0.174366), abs=1e-5)
    assert wilson(0, 10) == pytest.approx((0.0, 0.277533), abs=1e-5)
    assert wilson(10, 10) == pytest.approx((0.722467, 1.0), abs=1e-5)
    assert wilson(0, 0) == (0.0, 1.0)
    assert share_of(0, 0) == {"value": None, "low": 0.0, "high": 1.0}


def test_differences_of_shares_are_newcombes() -> None:
    """Newcombe (1998), table II, method 10: 56/70 against 48/80."""
    found = difference_of_shares((56, 70), (48, 80))
    assert found == {
        "value": pytest.approx(0.2),
        "low": pytest.approx(0.0524, abs=1e-4),
        "high": pytest.approx(0.3339, abs=1e-4),
    }
    assert difference_of_shares((0, 0), (1, 2)) == {"value": None, "low": -1.0, "high": 1.0}


def test_rates_per_show_are_drawn_over_users() -> None:
    part, whole = np.array([1.0, 0.0, 2.0, 0.0]), np.array([2.0, 2.0, 4.0, 2.0])
    drawn = drawn_ratios(part, whole, seed=0)
    found = ratio_with_interval(part, whole, drawn)
    assert found["value"] == 0.3
    assert found["low"] == 0.0
    assert found["high"] == 0.5
    assert (drawn == drawn_ratios(part, whole, seed=0)).all()
    none = difference_of_ratios((0.3, drawn), (0.3, drawn))
    assert none == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_users_alike_leave_no_doubt() -> None:
    part, whole = np.ones(5), np.full(5, 4.0)
    found = ratio_with_interval(part, whole, drawn_ratios(part, whole, seed=1))
    assert found == {"value": 0.25, "low": 0.25, "high": 0.25}


@pytest.mark.parametrize(
    ("users", "weights", "p"),
    [
        ([50, 50], [1, 1], 1.0),
        ([60, 40], [1, 1], 0.0455),  # chi-square 4
        ([60, 30, 10], [6, 3, 1], 1.0),
        ([40, 30, 30], [1, 1, 1], 0.3679),  # chi-square 2 of two degrees: exp(-1)
    ],
)
def test_uneven_arms_are_tested(users: list[int], weights: list[float], p: float) -> None:
    found = sample_ratio(users, weights)
    assert found["p"] == pytest.approx(p, abs=1e-4)
    assert found["warning"] is None


def test_arms_that_chance_would_not_make_are_warned_of() -> None:
    found = sample_ratio([600, 400], [1.0, 1.0])
    assert found["p"] < 1e-8
    assert found["expected"] == [500.0, 500.0]
    assert found["warning"].startswith(
        "The arms have 600, 400 users where 500, 500 were meant (p ="
    )
    assert sample_ratio([0, 0], [1.0, 1.0])["p"] is None
