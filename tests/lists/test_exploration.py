"""Thompson sampling: draws come as often as their propensities say."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from recprism.lists.exploration import (
    Beliefs,
    believe,
    chance_to_win,
    draw,
    most_uncertain,
    places,
)

MIXED = Beliefs(
    np.array([2.0, 2.0, 2.5, 40.0, 500.0, 2.0, 3.0]),
    np.array([18.0, 198.0, 7.0, 360.0, 4500.0, 1998.0, 60.0]),
)
"""Frequent and rare goals, hardly and well known items."""


def numbers(*values: float) -> np.ndarray:
    return np.array(values, np.float64)


def test_a_rankers_probability_is_the_mean_until_shows_outweigh_it() -> None:
    fresh = believe(numbers(0.1, 0.001), numbers(2, 2), numbers(0, 0), numbers(0, 0))
    assert (fresh.a / (fresh.a + fresh.b)).tolist() == pytest.approx([0.1, 0.001])
    shown = believe(numbers(0.1), numbers(2), numbers(980), numbers(48))
    assert (shown.a.item(), shown.b.item()) == pytest.approx((50, 18 + 932))  # mean 0.05


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_certain_probabilities_can_be_drawn_from(probability: float) -> None:
    beliefs = believe(numbers(probability, 0.5), numbers(2, 2), numbers(0, 0), numbers(0, 0))
    assert 0 <= chance_to_win(beliefs, 0) <= 1
    assert draw(beliefs, 1, 0.0, np.random.default_rng(0))[0].row in (0, 1)


def test_what_was_shown_least_is_most_uncertain() -> None:
    beliefs = believe(numbers(*[0.1] * 3), numbers(2, 2, 50), numbers(300, 0, 0), numbers(30, 0, 0))
    assert most_uncertain(beliefs, 2).tolist() == [1, 0]
    assert most_uncertain(beliefs, 9).tolist() == [1, 0, 2]


@pytest.mark.parametrize(
    ("size", "share", "expected"),
    [(10, 0.1, (1, 0.0)), (10, 0.15, (1, 0.5)), (5, 0.1, (0, 0.5)), (10, 0.3, (3, 0.0))],
)
def test_places_are_the_share_on_average(
    size: int, share: float, expected: tuple[int, float]
) -> None:
    assert places(size, share) == pytest.approx(expected)


def test_two_equal_beliefs_win_equally_often() -> None:
    equal = Beliefs(numbers(2, 2), numbers(30, 30))
    assert chance_to_win(equal, 0) == pytest.approx(0.5, abs=1e-6)
    assert chance_to_win(Beliefs(numbers(2), numbers(30)), 0) == 1.0


def test_chances_to_win_sum_to_one_and_are_those_of_draws() -> None:
    chances = [chance_to_win(MIXED, row) for row in range(len(MIXED))]
    assert sum(chances) == pytest.approx(1.0, abs=2e-3)
    rng, n = np.random.default_rng(1), 400_000
    won = np.argmax(rng.beta(MIXED.a, MIXED.b, size=(n, len(MIXED))), axis=1)
    frequency = np.bincount(won, minlength=len(MIXED)) / n
    spread = np.sqrt(frequency * (1 - frequency) / n)
    assert np.all(np.abs(frequency - chances) < 5 * spread + 1e-3), (frequency, chances)


def test_draws_come_as_often_as_their_propensities_say() -> None:
    n, seen, said = 20_000, Counter[int](), dict[int, float]()
    for seed in range(n):
        for one in draw(MIXED, 1, 0.4, np.random.default_rng(seed)):
            seen[one.row] += 1
            assert said.setdefault(one.row, one.propensity) == one.propensity
    assert sum(seen.values()) / n == pytest.approx(1.4, abs=0.02)
    for row, propensity in said.items():
        spread = (propensity * (1 - propensity) / n) ** 0.5
        assert abs(seen[row] / n - propensity) < 5 * spread + 1e-3, row
    for _ in range(5):
        rng = np.random.default_rng(7)
        assert draw(MIXED, 2, 0.0, rng) == draw(MIXED, 2, 0.0, np.random.default_rng(7))


def test_there_are_never_more_places_than_rows() -> None:
    drawn = draw(MIXED.take(np.array([0, 1])), 5, 0.0, np.random.default_rng(0))
    assert [(one.row, one.propensity) for one in drawn] == [(0, 1.0), (1, 1.0)]
    assert draw(MIXED.take(np.zeros(0, np.int64)), 2, 0.5, np.random.default_rng(0)) == []
