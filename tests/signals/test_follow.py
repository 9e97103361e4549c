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
from recprism.signals.follow import BoundFollow, Follow, recent_items, transitions
from recprism.signals.follow_choice import (
    ENOUGH,
    PRIOR,
    USUAL,
    Choice,
    Known,
    last_visits,
)
from recprism.signals.transitions import (
    LEAST_SPAN,
    MEMORY_DAYS,
    SAME_VISIT,
    Visits,
    strongest_pairs,
    weigh_visits,
)

N_ITEMS = 5
AT = micros(30)
EVERYTHING = Config(neighbors=N_ITEMS)
N_USERS = 3


def dense(log: EventLog, config: Config = EVERYTHING) -> np.ndarray:
    return np.asarray(transitions(log, N_ITEMS, AT, config)[0].toarray())


CONFIGS = {
    "as it comes": EVERYTHING,
    "forward only, near only": Config(neighbors=N_ITEMS, backward=0.0, span=1),
    "two visits, with support": Config(neighbors=N_ITEMS, span=2, min_users=3),
    "undamped": Config(neighbors=N_ITEMS, damping=0.0, distance_power=0.0),
}


@pytest.mark.parametrize("case", CONFIGS)
@settings(deadline=None, max_examples=15)
@given(drawn=rows(5, N_ITEMS, 20))
def test_transitions_agree_with_a_walk_over_visits(case: str, drawn: list[Row]) -> None:
    log, config = log_of(drawn, 5), CONFIGS[case]
    wanted = np.zeros((N_ITEMS, N_ITEMS))
    for (i, j), weight in plain.transitions(log, AT, config, USUAL.source_damping).items():
        wanted[i, j] = weight
    np.testing.assert_allclose(dense(log, config), wanted, rtol=1e-4, atol=1e-7)


def many(user_rows: list[tuple[int, float, int]], n: int = N_USERS) -> EventLog:
    """The same (item, day, session) rows for `n` of the users."""
    drawn = [(u, item, 0, day, s) for u in range(n) for item, day, s in user_rows]
    return log_of(drawn, N_USERS)


def damped(weight: float, config: Config = EVERYTHING) -> float:
    """The transition of a pair that every user makes once."""
    source = (N_USERS + PRIOR) ** -USUAL.source_damping
    return float(N_USERS * weight * N_USERS**-config.damping * source)


def test_an_item_follows_the_one_bought_before_it_and_less_so_the_reverse() -> None:
    found = dense(many([(0, 1.0, -1), (1, 3.0, -1)]))
    weight = np.exp(-2 / EVERYTHING.decay_days) * np.exp(-27 / MEMORY_DAYS)
    assert found[0, 1] == pytest.approx(damped(weight), rel=1e-5)
    assert found[1, 0] == pytest.approx(EVERYTHING.backward * damped(weight), rel=1e-5)


def test_nothing_leads_backward_where_that_has_no_weight() -> None:
    config = Config(neighbors=N_ITEMS, backward=0.0)
    found = dense(many([(0, 1.0, -1), (1, 3.0, -1)]), config)
    assert found[0, 1] > 0
    assert found[1, 0] == 0.0


def test_what_is_bought_together_follows_both_ways_with_less_weight() -> None:
    found = dense(many([(0, 1.0, 7), (1, 1.0, 7)]))
    assert found[0, 1] == pytest.approx(found[1, 0])
    assert found[0, 1] == pytest.approx(damped(SAME_VISIT * np.exp(-29 / MEMORY_DAYS)), rel=1e-5)


def test_the_farther_a_visit_the_less_a_transition_weighs() -> None:
    config = Config(neighbors=N_ITEMS, decay_days=1e9)
    found = dense(many([(item, 1.0 + item, -1) for item in range(N_ITEMS)]), config)
    far = found[0, 1:] * np.exp(-(np.arange(1, N_ITEMS) - 29 + 1) / MEMORY_DAYS)
    np.testing.assert_allclose(far / far[0], np.arange(1, N_ITEMS) ** -0.5, rtol=1e-4)


def test_too_many_pairs_shorten_the_span(monkeypatch: pytest.MonkeyPatch) -> None:
    log = many([(item, 1.0 + item, -1) for item in range(N_ITEMS)])
    assert dense(log)[0, N_ITEMS - 1] > 0
    monkeypatch.setattr("recprism.signals.transitions.PAIRS", 1)
    assert np.flatnonzero(dense(log)[0]).tolist() == list(range(1, 1 + LEAST_SPAN))


def test_visits_of_one_day_follow_their_times_and_not_their_session_codes() -> None:
    found = dense(many([(0, 1.25, 9), (1, 1.75, 2)]))
    assert found[0, 1] > found[1, 0]


def test_an_item_of_too_few_users_is_not_followed() -> None:
    config = Config(neighbors=N_ITEMS, min_users=3)
    assert dense(many([(0, 1.0, -1), (1, 2.0, -1)], 3), config).any()
    assert not dense(many([(0, 1.0, -1), (1, 2.0, -1)], 2), config).any()
    assert dense(many([(0, 1.0, -1), (1, 2.0, -1)], 1)).any()


def test_only_the_strongest_followers_are_kept() -> None:
    log = many([(0, 1.0, -1), (1, 2.0, -1), (0, 4.0, -1), (2, 8.0, -1), (0, 9.0, -1), (3, 9.5, -1)])
    everything, two = dense(log), dense(log, Config(neighbors=2))
    for row in range(N_ITEMS):
        kept = np.flatnonzero(two[row])
        assert len(kept) == min(2, np.count_nonzero(everything[row]))
        np.testing.assert_allclose(two[row, kept], everything[row, kept])
        assert set(two[row, kept]) == set(np.sort(everything[row])[::-1][: len(kept)])


def test_no_events_have_no_transitions() -> None:
    assert transitions(log_of([], 3), N_ITEMS, AT, EVERYTHING)[0].nnz == 0


def follow_of(log: EventLog, config: Config) -> Follow:
    kept, choice = transitions(log, N_ITEMS, AT, config)
    return Follow(kept, choice.recency, config)


@settings(deadline=None, max_examples=30)
@given(rows(4, N_ITEMS, 20), rows(1, N_ITEMS, 30, most=12))
def test_a_users_numbers_agree_with_a_walk_over_the_past(
    everybody: list[Row], own: list[Row]
) -> None:
    config = Config(neighbors=N_ITEMS, history=3)
    log, user = log_of(everybody, 4), state_of([row[1:4] for row in own], 31)
    follow = follow_of(log, config)
    score = BoundFollow(follow, user, *recent_items(user, config, USUAL.recency)).score(
        np.arange(N_ITEMS, dtype=np.int32)
    )
    wanted = np.zeros((N_ITEMS, 2))
    kept = plain.transitions(log, AT, config, USUAL.source_damping)
    for item, numbers in plain.follow_numbers(kept, user, config, USUAL.recency).items():
        wanted[item] = numbers
    np.testing.assert_allclose(score, wanted, rtol=1e-3, atol=1e-7)


def test_the_last_distinct_items_count_newest_first() -> None:
    user = state_of([(0, 0, 1.0), (1, 0, 2.0), (0, 0, 3.0), (2, 0, 4.0)], 5)
    config = Config(history=2)
    item, weight = recent_items(user, config, 0.5)
    assert item.tolist() == [2, 0]
    decay = np.exp(-np.array([1, 2]) / config.decay_days)
    np.testing.assert_allclose(weight, decay * [1.0, 0.5], rtol=1e-5)


def test_items_of_one_visit_are_equally_recent() -> None:
    user = state_of([(0, 0, 1.0), (1, 0, 2.0), (2, 0, 2.0)], 3)
    config = Config(decay_days=1e9)
    item, weight = recent_items(user, config, 0.5)
    assert item.tolist() == [2, 1, 0]
    np.testing.assert_allclose(weight, [1.0, 1.0, 0.5], rtol=1e-5)


def test_a_user_without_events_has_no_recent_items() -> None:
    assert len(recent_items(state_of([], 5), EVERYTHING, 0.5)[0]) == 0


def test_while_an_item_is_looked_at_it_alone_is_followed() -> None:
    user = replace(state_of([(0, 0, 1.0)], 5), viewing=3)
    item, weight = recent_items(user, Config(), 0.5)
    assert (item.tolist(), weight.tolist()) == ([3], [1.0])


def test_evidence_is_what_was_bought_before() -> None:
    log = many([(0, 1.0, -1), (2, 2.0, -1), (1, 3.0, -1)])
    follow = follow_of(log, EVERYTHING)
    user = state_of([(2, 0, 20.0), (0, 0, 26.0), (0, 0, 28.0)], 30.5)
    bound = BoundFollow(follow, user, *recent_items(user, EVERYTHING, USUAL.recency))
    clue = bound.clue(np.array([1], np.int32))
    assert clue is not None
    assert set(clue.items) == {0, 2}
    assert clue.events == 3
    assert bound.clue(np.array([4], np.int32)) is None


def walkers(step_of: list[int], n_items: int = 40, length: int = 12) -> EventLog:
    """Users on a ring of items; each goes on from the item `step` visits ago."""
    drawn: list[Row] = []
    rng = np.random.default_rng(0)
    for user, step in enumerate(step_of):
        items = rng.integers(n_items, size=step).tolist()
        for place in range(step, length):
            items.append((items[place - step] + 1) % n_items)
        drawn += [(user, item, 0, float(day), -1) for day, item in enumerate(items)]
    return log_of(drawn, len(step_of))


def test_old_items_are_forgotten_where_only_the_last_one_tells_what_is_next() -> None:
    config = Config(decay_days=1e9)
    near = transitions(walkers([1] * 200), 40, AT, config)[1]
    far = transitions(walkers([6] * 200), 40, AT, config)[1]
    assert near.recency < far.recency


def test_a_choice_takes_users_enough_and_leaves_alone_what_the_project_says() -> None:
    assert transitions(walkers([1] * (ENOUGH - 1)), 40, AT, Config())[1] == USUAL
    said = Config(source_damping=0.1, recency=0.9)
    assert transitions(walkers([1] * 200), 40, AT, said)[1] == Choice(0.1, 0.9)
    half = Config(source_damping=0.1)
    assert transitions(walkers([1] * 200), 40, AT, half)[1].source_damping == 0.1


@settings(deadline=None, max_examples=30)
@given(drawn=rows(6, N_ITEMS, 30))
def test_a_choice_knows_what_it_would_without_the_visits_it_is_asked(drawn: list[Row]) -> None:
    """The plain twin: leave out everybody's last visit, and count anew."""
    visits = Visits.read(log_of(drawn, 6), N_ITEMS, 1)
    held_out = last_visits(visits)
    between, n = weigh_visits(visits, AT, EVERYTHING), len(visits.item)
    found = strongest_pairs(visits, between, visits.popularity**-EVERYTHING.damping, n)
    known = Known.without(
        held_out, found, visits, between, np.arange(n, dtype=np.int32), EVERYTHING
    )
    left = np.setdiff1d(np.arange(len(visits.user)), held_out)
    touched = visits.incidence[left].toarray()
    wanted = touched.T @ between[left][:, left].toarray() @ touched
    np.fill_diagonal(wanted, 0.0)
    popularity = np.maximum(1.0, touched.sum(axis=0))
    np.testing.assert_allclose(known.popularity, popularity)
    np.testing.assert_allclose(
        known.transitions.toarray(), wanted * popularity**-EVERYTHING.damping, rtol=1e-3, atol=1e-4
    )
    assert np.all(known.transitions.toarray()[wanted == 0] == 0), "a trace of the last visits"
