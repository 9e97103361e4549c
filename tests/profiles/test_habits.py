from __future__ import annotations

import json
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.profiles.conftest import micro, state_of

from recprism.data.dataset import DAY_US
from recprism.profiles.habits import (
    LabelTable,
    PriceBand,
    as_datetime,
    habits_of,
    label_mix,
    local_times,
    price_band,
)
from recprism.profiles.state import UserState

ACTIONS = ["purchase", "redeem", "sniff"]
ZONE = "America/New_York"


def test_a_weekly_buyer_has_weekly_habits(weekly_milk: UserState, labels: LabelTable) -> None:
    habit = habits_of(weekly_milk, labels, ACTIONS, ZONE)["purchase"]
    assert (habit.count, habit.visits, habit.gap_days) == (15, 10, 7.0)
    assert habit.weekdays == (0, 15, 0, 0, 0, 0, 0)
    assert habit.hours is not None
    assert habit.hours[19] == 15
    assert habit.visits_per_week == pytest.approx(1.0, abs=0.02)
    assert habit.labels["aisle"].top == (("DAIRY", 10 / 15), ("BAKERY", 5 / 15))
    assert habit.price == PriceBand(1.5, 1.5, 3.0)
    assert habit.last == datetime(2017, 5, 23, 23, 30)


@pytest.mark.parametrize(
    ("zone", "hour", "weekday"),
    [("UTC", 3, 5), ("America/New_York", 22, 4), ("Asia/Shanghai", 11, 5), ("Asia/Kolkata", 8, 5)],
)
def test_hours_and_weekdays_are_local(
    labels: LabelTable, zone: str, hour: int, weekday: int
) -> None:
    friday_night = datetime(2017, 1, 7, 3, 10)
    habit = habits_of(state_of([(friday_night, 0, 0, 1.0, 1)]), labels, ACTIONS, zone)["purchase"]
    assert habit.hours is not None
    assert habit.hours.index(1) == hour
    assert habit.weekdays.index(1) == weekday


def test_summer_time_moves_the_hour() -> None:
    both = np.array([micro(datetime(2017, 1, 10, 12)), micro(datetime(2017, 7, 10, 12))])
    local, has_hours = local_times(both, ZONE)
    assert has_hours
    assert (local % DAY_US // (DAY_US // 24)).tolist() == [7, 8]


def test_dates_without_hours_stay_on_their_day(labels: LabelTable) -> None:
    days = [(datetime(2017, 1, 2), 0, 1, 1.0, -1), (datetime(2017, 1, 9), 0, 1, 1.0, -1)]
    habit = habits_of(state_of(days), labels, ACTIONS, ZONE)["redeem"]
    assert habit.hours is None
    assert habit.weekdays == (2, 0, 0, 0, 0, 0, 0)
    assert habit.visits == 2


def test_actions_are_apart_and_the_most_frequent_comes_first(labels: LabelTable) -> None:
    rows = [(datetime(2017, 1, day, 9), 0, int(day == 5), 1.0, day) for day in range(1, 9)]
    habits = habits_of(state_of(rows), labels, ACTIONS, "UTC")
    assert [(name, habit.count) for name, habit in habits.items()] == [
        ("purchase", 7),
        ("redeem", 1),
    ]
    assert habits["redeem"].gap_days is None


def test_a_stranger_has_no_habits(labels: LabelTable) -> None:
    assert habits_of(state_of([], user_idx=-1), labels, ACTIONS, "UTC") == {}


def test_items_without_labels_have_an_empty_mix(labels: LabelTable) -> None:
    state = state_of([(datetime(2017, 1, 1, 8), 2, 0, float("nan"), -1)])
    habit = habits_of(state, labels, ACTIONS, "UTC")["purchase"]
    assert habit.labels["aisle"].top == ()
    assert habit.labels["aisle"].other == 0
    assert habit.price is None


def test_amounts_that_are_zero_negative_or_unknown_are_no_price() -> None:
    assert price_band(np.array([0, -3, np.nan, np.inf], np.float32)) is None
    band = price_band(np.array([0, -3, np.nan, 2, 4], np.float32))
    assert band == PriceBand(2.5, 3.0, 3.5)


def test_a_rare_label_goes_to_the_rest() -> None:
    mix = label_mix(np.array([1, 2, 3, 4, 5, 6, 7, 7], np.int32), ["", *"abcdefg"])
    assert [value for value, _ in mix.top] == ["g", "a", "b", "c", "d"]
    assert mix.other == pytest.approx(2 / 8)


def test_times_before_1970_are_times() -> None:
    assert as_datetime(-1) == datetime(1969, 12, 31, 23, 59, 59, 999999)


events = st.lists(
    st.tuples(
        st.datetimes(datetime(1990, 1, 1), datetime(2017, 5, 31)),
        st.integers(0, 2),
        st.integers(0, 2),
        st.floats(-5, 100, width=32) | st.just(float("nan")),
        st.integers(-1, 5),
    ),
    max_size=30,
)


@settings(deadline=None, max_examples=80)
@given(events, st.sampled_from([ZONE, "UTC", "Asia/Kathmandu", "Pacific/Apia"]))
def test_histograms_sum_to_the_number_of_events_and_shares_to_one(
    rows: list[tuple[datetime, int, int, float, int]], zone: str
) -> None:
    labels = LabelTable({"aisle": np.array([2, 1, 0], np.int32)}, {"aisle": ["", "b", "d"]})
    habits = habits_of(state_of(sorted(rows, key=lambda row: row[0])), labels, ACTIONS, zone)
    assert sum(habit.count for habit in habits.values()) == len(rows)
    for habit in habits.values():
        assert sum(habit.weekdays) == habit.count
        assert habit.hours is None or sum(habit.hours) == habit.count
        assert 1 <= habit.visits <= habit.count
        for mix in habit.labels.values():
            total = sum(share for _, share in mix.top) + mix.other
            assert total == pytest.approx(1.0 if mix.top else 0.0)
        json.dumps(habit.to_dict(), allow_nan=False)
