"""Transitions between items against a walk over visits, and what a bound user makes of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from tests.reference import plain_signals as plain
from tests.signals.logs import Row, log_of, micros, rows, state_of

from recprism.data.dataset import EventLog
from recprism.project.schema import Follow as Config
from recprism.signals.follow import (
    MEMORY_DAYS,
    MIN_USERS,
    SAME_VISIT,
    BoundFollow,
    Follow,
    recent_items,
    transitions,
)

N_ITEMS = 5
AT = micros(30)
EVERYTHING = Config(neighbors=N_ITEMS)


def dense(log: EventLog, config: Config = EVERYTHING) -> np.ndarray:
    return np.asarray(transitions(log, N_ITEMS, AT, config).toarray())


@settings(deadline=None, max_examples=30)
@given(rows(5, N_ITEMS, 20))
def test_transitions_agree_with_a_walk_over_visits(drawn: list[Row]) -> None:
    log = log_of(drawn, 5)
    wanted = np.zeros((N_ITEMS, N_ITEMS))
    for (i, j), weight in plain.transitions(log, AT, EVERYTHING).items():
        wanted[i, j] = weight
    np.testing.assert_allclose(dense(log), wanted, rtol=1e-4, atol=1e-7)


def many(user_rows: list[tuple[int, float, int]], n: int = MIN_USERS) -> EventLog:
    """The same (item, day, session) rows for `n` of the users."""
    drawn = [(u, item, 0, day, s) for u in range(n) for item, day, s in user_rows]
    return log_of(drawn, MIN_USERS)


def test_an_item_follows_the_one_bought_before_it_and_not_the_reverse() -> None:
    found = dense(many([(0, 1.0, -1), (1, 3.0, -1)]))
    weight = np.exp(-2 / EVERYTHING.decay_days) * np.exp(-27 / MEMORY_DAYS)
    popularity = MIN_USERS**-EVERYTHING.damping / MIN_USERS
    assert found[0, 1] == pytest.approx(MIN_USERS * weight * popularity, rel=1e-5)
    assert found[1, 0] == 0.0


def test_what_is_bought_together_follows_both_ways_with_less_weight() -> None:
    found = dense(many([(0, 1.0, 7), (1, 1.0, 7)]))
    assert found[0, 1] == pytest.approx(found[1, 0])
    popularity = MIN_USERS**-EVERYTHING.damping
    assert found[0, 1] == pytest.approx(
        SAME_VISIT * np.exp(-29 / MEMORY_DAYS) * popularity, rel=1e-5
    )


def test_visits_of_one_day_follow_their_times_and_not_their_session_codes() -> None:
    found = dense(many([(0, 1.25, 9), (1, 1.75, 2)]))
    assert found[0, 1] > 0
    assert found[1, 0] == 0.0


def test_an_item_of_too_few_users_is_not_followed() -> None:
    assert dense(many([(0, 1.0, -1), (1, 2.0, -1)], MIN_USERS)).any()
    assert not dense(many([(0, 1.0, -1), (1, 2.0, -1)], MIN_USERS - 1)).any()


def test_only_the_strongest_followers_are_kept() -> None:
    log = many([(0, 1.0, -1), (1, 2.0, -1), (0, 4.0, -1), (2, 8.0, -1), (0, 9.0, -1), (3, 9.5, -1)])
    everything, two = dense(log), dense(log, Config(neighbors=2))
    for row in range(N_ITEMS):
        kept = np.flatnonzero(two[row])
        assert len(kept) == min(2, np.count_nonzero(everything[row]))
        np.testing.assert_allclose(two[row, kept], everything[row, kept])
        assert set(two[row, kept]) == set(np.sort(everything[row])[::-1][: len(kept)])


def test_no_events_have_no_transitions() -> None:
    assert transitions(log_of([], 3), N_ITEMS, AT, EVERYTHING).nnz == 0


def follow_of(log: EventLog, config: Config) -> Follow:
    kept = transitions(log, N_ITEMS, AT, config)
    return Follow(kept.indptr.astype(np.int64), kept.indices, kept.data, config)


@settings(deadline=None, max_examples=30)
@given(rows(4, N_ITEMS, 20), rows(1, N_ITEMS, 30, most=12))
def test_a_users_numbers_agree_with_a_walk_over_the_past(
    everybody: list[Row], own: list[Row]
) -> None:
    config = Config(neighbors=N_ITEMS, history=3)
    log, user = log_of(everybody, 4), state_of([row[1:4] for row in own], 31)
    follow = follow_of(log, config)
    score = BoundFollow(follow, user, *recent_items(user, config)).score(
        np.arange(N_ITEMS, dtype=np.int32)
    )
    wanted = np.zeros((N_ITEMS, 2))
    kept = plain.transitions(log, AT, config)
    for item, numbers in plain.follow_numbers(kept, user, config).items():
        wanted[item] = numbers
    np.testing.assert_allclose(score, wanted, rtol=1e-3, atol=1e-7)


def test_the_last_distinct_items_count_newest_first() -> None:
    user = state_of([(0, 0, 1.0), (1, 0, 2.0), (0, 0, 3.0), (2, 0, 4.0)], 5)
    item, weight = recent_items(user, Config(history=2))
    assert item.tolist() == [2, 0]
    np.testing.assert_allclose(weight, np.exp(-np.array([1, 2]) / Config().decay_days), rtol=1e-5)


def test_while_an_item_is_looked_at_it_alone_is_followed() -> None:
    user = replace(state_of([(0, 0, 1.0)], 5), viewing=3)
    item, weight = recent_items(user, Config())
    assert (item.tolist(), weight.tolist()) == ([3], [1.0])


def test_evidence_is_what_was_bought_before() -> None:
    log = many([(0, 1.0, -1), (2, 2.0, -1), (1, 3.0, -1)])
    follow = follow_of(log, EVERYTHING)
    user = state_of([(2, 0, 20.0), (0, 0, 26.0), (0, 0, 28.0)], 30.5)
    bound = BoundFollow(follow, user, *recent_items(user, EVERYTHING))
    clue = bound.clue(np.array([1], np.int32))
    assert clue is not None
    assert set(clue.items) == {0, 2}
    assert clue.events == 3
    assert bound.clue(np.array([4], np.int32)) is None
