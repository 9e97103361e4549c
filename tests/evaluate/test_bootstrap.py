"""Intervals that keep a user's rows together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recprism.evaluate.bootstrap import mean_with_interval, paired_difference


def test_the_value_is_the_mean_of_all_rows() -> None:
    found = mean_with_interval([1.0, 0.0, 0.5, float("nan")], [1, 1, 2, 3])
    assert (found.value, found.n, found.users) == (0.5, 3, 2)


def test_strata_count_alike_however_many_rows_they_have() -> None:
    found = mean_with_interval([1.0, 1.0, 1.0, 0.0], [1, 2, 3, 4], [0, 0, 0, 1])
    assert found.value == pytest.approx(0.5)


def test_the_interval_matches_the_normal_approximation_of_independent_users() -> None:
    values = np.random.default_rng(3).normal(0.3, 0.2, size=900)
    found = mean_with_interval(values, np.arange(900))
    half = 1.96 * values.std() / 30
    assert found.low == pytest.approx(values.mean() - half, abs=0.002)
    assert found.high == pytest.approx(values.mean() + half, abs=0.002)


def test_rows_of_one_user_do_not_make_the_interval_narrower() -> None:
    values = np.random.default_rng(5).normal(size=200)
    single = mean_with_interval(values, np.arange(200))
    repeated = mean_with_interval(np.repeat(values, 50), np.repeat(np.arange(200), 50))
    assert repeated.high - repeated.low == pytest.approx(single.high - single.low)


def test_the_same_seed_gives_the_same_interval() -> None:
    values, users = [0.0, 1.0, 0.5, 0.2], [0, 1, 2, 3]
    assert mean_with_interval(values, users, seed=7) == mean_with_interval(values, users, seed=7)


def test_a_constant_gain_has_a_certain_paired_difference() -> None:
    theirs = np.random.default_rng(0).random(50)
    found = paired_difference(theirs + 0.1, theirs, np.arange(50))
    assert [found.low, found.high] == pytest.approx([0.1, 0.1])


def test_nothing_to_average_is_nan_and_writes_none() -> None:
    found = mean_with_interval([float("nan")], [0])
    assert np.isnan(found.value)
    assert found.to_dict() == {"value": None, "low": None, "high": None, "n": 0, "users": 0}


def test_many_users_are_drawn_in_parts_with_the_same_result() -> None:
    values = np.random.default_rng(1).random(9_000)
    found = mean_with_interval(values, np.arange(9_000), draws=600)
    half = 1.96 * values.std() / np.sqrt(9_000)
    assert found.high - found.low == pytest.approx(2 * half, rel=0.15)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=40
    )
)
def test_bounds_surround_values_between_zero_and_one(rows: list[tuple[float, int, int]]) -> None:
    values, users, strata = zip(*rows, strict=True)
    found = mean_with_interval(values, users, strata, draws=100)
    assert -1e-9 <= found.low <= found.high <= 1 + 1e-9
