"""When users are asked: Mondays in New York, and never so late that the outcome is unknown."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.signals.logs import Row, log_of, micros

from recprism.data.dataset import DAY_US
from recprism.data.times import from_micros, to_micros
from recprism.ranker.occasions import (
    SPARSE_WEEKS,
    goal_days,
    goal_events,
    make_schedule,
    outcomes,
    week_grid,
    weekly_occasions,
)
from recprism.testing.signals import CUT, SignalShop

NEW_YORK = "America/New_York"
YEAR = (to_micros(datetime(2017, 1, 1)), to_micros(datetime(2018, 1, 1)))
WEEK_US = 7 * DAY_US


@pytest.mark.parametrize(
    ("day", "hour"), [("2017-03-06", 5), ("2017-03-13", 4), ("2017-10-30", 4), ("2017-11-06", 5)]
)
def test_a_week_begins_on_monday_midnight_in_new_york_also_after_the_clock_changes(
    day: str, hour: int
) -> None:
    times = [from_micros(time) for _, time in week_grid(*YEAR, NEW_YORK)]
    assert datetime.fromisoformat(f"{day}T{hour:02}:00") in times


@pytest.mark.parametrize("timezone", [NEW_YORK, "Europe/Berlin", "Asia/Shanghai", "UTC"])
def test_every_monday_of_a_year_is_in_the_grid_once(timezone: str) -> None:
    grid = week_grid(*YEAR, timezone)
    assert len(grid) in (52, 53)
    numbers = [number for number, _ in grid]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    for _, time in grid:
        local = from_micros(time).replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo(timezone))
        assert (local.weekday(), local.hour, local.minute) == (0, 0, 0)


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_all_spans_share_one_grid(first: int, days: int) -> None:
    start = YEAR[0] + first * DAY_US
    part = week_grid(start, start + days * DAY_US, NEW_YORK)
    wanted = [
        (number, time)
        for number, time in week_grid(*YEAR, NEW_YORK)
        if start <= time <= start + days * DAY_US
    ]
    assert part == wanted


def test_both_ends_of_a_span_belong_to_it() -> None:
    number, time = week_grid(*YEAR, NEW_YORK)[3]
    assert week_grid(time, time, NEW_YORK) == [(number, time)]
    assert week_grid(time + 1, time + 2, NEW_YORK) == []


FIRST = to_micros(datetime(2017, 1, 1, 12))


def one_event() -> list[Row]:
    return [(0, 0, 0, FIRST / DAY_US, -1)]


@settings(deadline=None)
@given(st.integers(0, 365 * 24), st.integers(1, 30), st.integers(2, 12))
def test_no_snapshot_is_so_late_that_its_outcome_is_unknown(
    hours: int, horizon_days: int, n_weekly: int
) -> None:
    until, horizon = FIRST + hours * DAY_US // 24, horizon_days * DAY_US
    schedule = make_schedule(log_of(one_event(), 1), until, horizon, NEW_YORK, n_weekly)
    grid = {time: number for number, time in week_grid(FIRST, until, NEW_YORK)}
    assert len(schedule.weekly) <= n_weekly
    assert all(time + horizon <= until for time in [*schedule.weekly, *schedule.sparse])
    everything = [*schedule.sparse, *schedule.weekly]
    assert everything == sorted(set(everything))
    assert set(everything) <= set(grid)
    assert all(grid[time] % SPARSE_WEEKS == 0 for time in schedule.sparse)
    assert all(time >= FIRST + WEEK_US for time in everything)
    if schedule.sparse:
        assert len(schedule.weekly) == n_weekly


def test_a_later_cut_off_uses_the_same_snapshots_and_more() -> None:
    log, cuts = log_of(one_event(), 1), [YEAR[0] + week * WEEK_US for week in (20, 21, 30)]
    first, next_week, later = (make_schedule(log, cut, WEEK_US, NEW_YORK, 4) for cut in cuts)
    assert first.weekly[1:] == next_week.weekly[:-1]
    number = {time: week for week, time in week_grid(*YEAR, NEW_YORK)}
    kept = {time for time in first.weekly if number[time] % SPARSE_WEEKS == 0}
    assert set(later.sparse) >= {*first.sparse, *kept}


def test_no_events_have_no_schedule() -> None:
    schedule = make_schedule(log_of([], 3), YEAR[1], WEEK_US, NEW_YORK, 8)
    assert (schedule.weekly, schedule.sparse) == ((), ())


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 3)), max_size=12),
    st.integers(0, 20),
    st.integers(0, 20),
)
def test_outcomes_count_from_the_start_and_up_to_the_end(
    drawn: list[tuple[int, int]], start: int, length: int
) -> None:
    log = log_of([(0, item, 0, float(day), -1) for day, item in drawn], 2)
    wanted = sorted({item for day, item in drawn if start <= day < start + length})
    assert outcomes(log, 0, micros(start), micros(start + length)).tolist() == wanted
    assert len(outcomes(log, 1, micros(0), micros(99))) == 0


def test_goal_events_are_the_goal_action_on_the_goal_kind(shop: SignalShop) -> None:
    for task, action in (("products", "purchase"), ("coupons", "redeem"), ("ads", "purchase")):
        plan = shop.plans[task]
        found = goal_events(shop.log, plan)
        assert len(found) > 0
        assert {shop.catalog.actions[code] for code in np.unique(found.action)} == {action}
        assert {shop.catalog.kind_of(int(item)).name for item in np.unique(found.item)} == {
            "coupons" if task == "coupons" else "products"
        }


def test_everyone_with_a_past_is_asked_at_the_snapshot() -> None:
    log = log_of([(0, 0, 0, 1.0, -1), (2, 0, 0, 5.0, -1), (3, 0, 0, 9.0, -1)], 4)
    occasions = weekly_occasions(log, micros(5.0))
    assert (occasions.user.tolist(), occasions.time.tolist()) == ([0], [micros(5.0)])
    assert weekly_occasions(log, micros(5.1)).user.tolist() == [0, 2]


def test_a_rare_goal_is_asked_at_the_beginning_of_each_day_with_one(shop: SignalShop) -> None:
    plan = shop.plans["coupons"]
    occasions = goal_days(shop.log, plan, CUT, CUT + WEEK_US)
    redeemed = goal_events(shop.log, plan)
    wanted = {
        (int(user), int(time) // DAY_US * DAY_US)
        for user, time in zip(redeemed.user, redeemed.time, strict=True)
        if CUT <= int(time) // DAY_US * DAY_US < CUT + WEEK_US
    }
    assert len(occasions) == len(wanted) > 0
    assert set(zip(occasions.user.tolist(), occasions.time.tolist(), strict=True)) == wanted


def test_a_day_that_began_before_the_snapshot_is_not_asked(shop: SignalShop) -> None:
    plan = shop.plans["coupons"]
    noon = CUT + timedelta(hours=12) // timedelta(microseconds=1)
    late = goal_days(shop.log, plan, noon, noon + WEEK_US)
    assert int(late.time.min()) >= noon
    assert len(goal_days(shop.log, plan, CUT, CUT)) == 0
