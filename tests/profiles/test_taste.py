"""The taste vector: factors of a known matrix, and a fold-in that is ridge regression."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference import plain_signals as plain

from recprism.data.dataset import DAY_US, EventLog
from recprism.profiles.state import state_from_log
from recprism.profiles.taste import DAMPING, MIN_USERS, Taste
from recprism.project.schema import Profiles

N_USERS, N_ITEMS, DAYS = 30, 20, 60
AT = DAYS * DAY_US
SIZE = 6


def log_of(user: np.ndarray, item: np.ndarray, day: np.ndarray, n_users: int) -> EventLog:
    order = np.lexsort((day, user))
    n = len(user)
    nothing = np.full(n, -1, np.int32)
    offsets = np.zeros(n_users + 1, np.int64)
    np.cumsum(np.bincount(user, minlength=n_users), out=offsets[1:])
    return EventLog(
        user=user[order].astype(np.int32),
        item=item[order].astype(np.int32),
        action=np.zeros(n, np.int32),
        time=(day[order] * DAY_US).astype(np.int64),
        value=np.full(n, np.nan, np.float32),
        session=nothing,
        offer=nothing,
        context={},
        offsets=offsets,
    )


def checkerboard(seed: int = 0) -> EventLog:
    """Even users touch even items and odd users odd ones, twice each on average."""
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(N_USERS), N_ITEMS)
    item = 2 * rng.integers(0, N_ITEMS // 2, len(user)) + user % 2
    return log_of(user, item, rng.uniform(0, DAYS - 1, len(user)), N_USERS)


@pytest.fixture(scope="module")
def taste() -> Taste:
    return Taste.fit(checkerboard(), N_ITEMS, AT, Profiles(taste_size=SIZE))


def test_factors_are_those_of_the_dense_decomposition(taste: Taste) -> None:
    log = checkerboard()
    matrix = np.stack(
        [plain.taste_row(taste, state_from_log(log, user, AT)) for user in range(N_USERS)]
    )
    _, spectrum, right = np.linalg.svd(matrix, full_matrices=False)
    np.testing.assert_allclose(taste.spectrum, spectrum[:SIZE], rtol=1e-2)
    projector = taste.factors / np.sqrt(taste.spectrum)
    for k in (0, 1):  # later directions lie so close that their order is chance
        assert abs(projector[:, k] @ right[k]) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("user_idx", [0, 7, 29])
def test_folding_in_is_ridge_regression_onto_the_factors(taste: Taste, user_idx: int) -> None:
    state = state_from_log(checkerboard(), user_idx, AT)
    fast = taste.fold_in(state.item, state.time, AT)
    slow = plain.ridge_regression(
        taste.factors.astype(np.float64), plain.taste_row(taste, state), taste.ridge
    )
    np.testing.assert_allclose(fast, slow, rtol=1e-3, atol=1e-4)


def test_somebody_new_is_given_what_people_alike_touch(taste: Taste) -> None:
    item, time = np.array([1, 3, 5], np.int32), np.full(3, AT - DAY_US)
    score = np.zeros(N_ITEMS)
    score[taste.item] = taste.scores(taste.fold_in(item, time, AT))
    assert score[1::2].min() > score[::2].max()


@settings(deadline=None, max_examples=40)
@given(st.permutations(range(8)))
def test_the_order_of_events_does_not_matter(order: list[int]) -> None:
    fitted = Taste.fit(checkerboard(), N_ITEMS, AT, Profiles(taste_size=2))
    item = np.array([0, 2, 2, 4, 6, 1, 0, 8], np.int32)
    time = np.arange(8, dtype=np.int64) * DAY_US
    np.testing.assert_allclose(
        fitted.fold_in(item[order], time[order], AT), fitted.fold_in(item, time, AT), rtol=1e-4
    )


def test_an_older_past_counts_less(taste: Taste) -> None:
    item = np.array([0, 2], np.int32)
    lengths = [
        np.linalg.norm(taste.fold_in(item, np.full(2, AT - age * DAY_US), AT))
        for age in (0, 30, 300)
    ]
    assert lengths[0] > lengths[1] > lengths[2] > 0


def test_no_events_and_unknown_items_give_zeros(taste: Taste) -> None:
    nothing = np.zeros(0, np.int32)
    assert not taste.fold_in(nothing, nothing.astype(np.int64), AT).any()
    sparse = Taste.fit(checkerboard(), N_ITEMS + 1, AT, Profiles(taste_size=SIZE))
    unknown = np.array([N_ITEMS], np.int32)
    assert sparse.row[N_ITEMS] == -1
    assert not sparse.fold_in(unknown, np.array([0], np.int64), AT).any()


def test_items_of_too_few_users_have_no_factors() -> None:
    user = np.array([*range(MIN_USERS), *([0] * 9), 1])
    item = np.array([*([0] * MIN_USERS), *([1] * 9), 2])
    fitted = Taste.fit(log_of(user, item, np.zeros(len(user)), 10), 3, AT, Profiles())
    assert (fitted.row >= 0).tolist() == [True, False, False]
    np.testing.assert_allclose(fitted.scale, [float(MIN_USERS) ** -DAMPING], rtol=1e-6)


@pytest.mark.parametrize(("n_users", "n_items"), [(1, 5), (5, 1), (2, 2), (4, 9), (9, 4)])
def test_there_are_fewer_factors_than_users_and_items(n_users: int, n_items: int) -> None:
    user = np.repeat(np.arange(n_users), n_items)
    item = np.tile(np.arange(n_items), n_users)
    log = log_of(user, item, np.zeros(len(user)), n_users)
    fitted = Taste.fit(log, n_items, AT, Profiles(taste_size=128))
    assert fitted.size == max(1, min(n_users - 1, len(fitted.item) - 1))
    vector = fitted.fold_in(log.item, log.time, AT)
    assert np.isfinite(vector).all()
    assert np.isfinite(fitted.scores(vector)).all()


def test_an_empty_log_has_no_taste() -> None:
    nothing = np.zeros(0, np.int64)
    fitted = Taste.fit(log_of(nothing, nothing, nothing, 0), 3, AT, Profiles())
    assert (len(fitted.item), fitted.size) == (0, 1)


def test_the_same_seed_gives_the_same_factors() -> None:
    one, two = (Taste.fit(checkerboard(), N_ITEMS, AT, Profiles(), seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.factors, two.factors)


def test_arrays_come_back(taste: Taste) -> None:
    again = Taste.from_arrays(taste.to_arrays())
    assert (again.half_life_days, again.ridge) == (taste.half_life_days, taste.ridge)
    item, time = np.array([1, 3], np.int32), np.zeros(2, np.int64)
    np.testing.assert_array_equal(again.fold_in(item, time, AT), taste.fold_in(item, time, AT))
