"""What is known of a user at a moment: the past, strictly before it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recprism.data.dataset import DAY_US, EventLog
from recprism.profiles.state import UserState, state_from_log, usual_context


def log_of(times: list[list[int]], store: list[list[int]] | None = None) -> EventLog:
    """One user per row of times; item and action number the events, `store` is their context."""
    user = np.repeat(np.arange(len(times)), [len(row) for row in times]).astype(np.int32)
    n = len(user)
    number = np.arange(n, dtype=np.int32)
    stores = [code for row in store or [[0] * len(row) for row in times] for code in row]
    return EventLog(
        user=user,
        item=number,
        action=number % 2,
        time=np.array([time for row in times for time in row], np.int64),
        value=number.astype(np.float32),
        session=number,
        offer=np.full(n, -1, np.int32),
        context={"store": np.array(stores, np.int32)},
        offsets=np.concatenate([[0], np.cumsum([len(row) for row in times])]).astype(np.int64),
    )


def same(one: UserState, two: UserState) -> bool:
    names = ("item", "action", "time", "value", "session")
    arrays = all(np.array_equal(getattr(one, name), getattr(two, name)) for name in names)
    return arrays and one.context == two.context and one.at == two.at


def test_an_event_at_the_moment_itself_is_not_known_yet() -> None:
    state = state_from_log(log_of([[1, 5, 5, 9], [2, 5]]), 0, 5)
    assert state.time.tolist() == [1]
    assert (state.user_idx, state.at, state.is_cold) == (0, 5, False)


@settings(deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 20), max_size=6).map(sorted), min_size=1, max_size=4),
    st.integers(0, 21),
)
def test_later_events_and_other_users_change_nothing(times: list[list[int]], at: int) -> None:
    log = log_of(times)
    alone = log.take((log.user == 0) & (log.time < at))
    state = state_from_log(log, 0, at)
    assert same(state, state_from_log(alone, 0, at))
    assert state.time.tolist() == [time for time in times[0] if time < at]
    assert all(len(getattr(state, name)) == len(state.item) for name in ("action", "value"))


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 40)), max_size=12),
    st.lists(st.integers(0, 6), unique=True),
)
def test_counts_of_the_past_are_those_of_a_walk_over_it(
    events: list[tuple[int, int]], asked: list[int]
) -> None:
    item = np.array([row[0] for row in events], np.int32)
    time = np.array([row[1] * DAY_US // 4 for row in events], np.int64)
    state = replace(state_from_log(log_of([[]]), 0, 1), item=item, time=time)
    assert state.n_events_on(np.array(asked, np.int32)) == sum(i in asked for i, _ in events)
    assert state.n_days == len({quarter // 4 for _, quarter in events})
    distinct, place, counts = state.distinct
    assert distinct.tolist() == sorted({i for i, _ in events})
    assert distinct[place].tolist() == item.tolist()
    assert counts.tolist() == [item.tolist().count(i) for i in distinct.tolist()]


@pytest.mark.parametrize("user_idx", [-1, 1])
def test_nothing_is_known_of_strangers_and_of_users_without_events(user_idx: int) -> None:
    state = state_from_log(log_of([[1, 2], []]), user_idx, 5)
    assert state.is_cold
    assert state.context == {}


def test_the_usual_context_is_the_most_frequent_one_before_the_moment() -> None:
    log = log_of([[1, 2, 3, 8, 9]], [[4, 4, 2, 2, 2]])
    assert state_from_log(log, 0, 5).context == {"store": 4}
    assert state_from_log(log, 0, 10).context == {"store": 2}
    assert state_from_log(log, 0, 10, {"store": 7}).context == {"store": 7}
    assert state_from_log(log, 0, 10, {}).context == {}


@pytest.mark.parametrize(
    ("codes", "usual"),
    [([3, 1, 3, 1], {"store": 1}), ([-1, -1, 5], {"store": 5}), ([-1], {}), ([], {})],
)
def test_ties_go_to_the_smaller_code_and_unknown_ones_do_not_count(
    codes: list[int], usual: dict[str, int]
) -> None:
    context = {"store": np.array(codes, np.int32)}
    assert usual_context(context, slice(None)) == usual


def test_a_state_with_a_wish_or_a_viewed_item_is_as_cold_as_before() -> None:
    stranger = state_from_log(log_of([[]]), 0, 5)
    assert replace(stranger, viewing=3, wish=np.ones(2, np.float32)).is_cold
