"""Times of every usual form, windows, and periods on a local clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recprism.data.times import (
    OPEN_END,
    OPEN_START,
    from_micros,
    parse_times,
    period_bounds,
    to_micros,
    window_bounds,
)
from recprism.errors import DataError
from recprism.project.schema import Period


def parsed(value: object, **options: object) -> datetime | None:
    micros = parse_times(pl.Series([value], **options))[0]  # type: ignore[arg-type]
    return None if micros is None else from_micros(micros)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2017-01-31", datetime(2017, 1, 31)),
        ("2017-1-5", datetime(2017, 1, 5)),
        ("2017-01-31T11:53:26Z", datetime(2017, 1, 31, 11, 53, 26)),
        ("2017-01-31 11:53:26.123456789+02:00", datetime(2017, 1, 31, 9, 53, 26, 123456)),
        ("2017-01-31T11:53:26-0530", datetime(2017, 1, 31, 17, 23, 26)),
        (" 2017/01/31 11:53 ", datetime(2017, 1, 31, 11, 53)),
        ("31.01.2017 10:00", datetime(2017, 1, 31, 10)),
        ("12/31/2017 3:04 PM", datetime(2017, 12, 31, 15, 4)),
        ("12/31/2017 12:04 am", datetime(2017, 12, 31, 0, 4)),
        ("31/12/2017", datetime(2017, 12, 31)),
        ("31 Jan 2017", datetime(2017, 1, 31)),
        ("January 3, 2017", datetime(2017, 1, 3)),
        ("20170131", datetime(2017, 1, 31)),
        ("1483228800", datetime(2017, 1, 1)),
        ("1483228800.5", datetime(2017, 1, 1, 0, 0, 0, 500000)),
        ("1483228800123", datetime(2017, 1, 1, 0, 0, 0, 123000)),
        ("1483228800123456", datetime(2017, 1, 1, 0, 0, 0, 123456)),
        ("1483228800123456789", datetime(2017, 1, 1, 0, 0, 0, 123456)),
        ("2017-02-30", None),
        ("2017-01-31T25:00:00", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_text_is_read_as_a_time(text: str, expected: datetime | None) -> None:
    assert parsed(text) == expected


@pytest.mark.parametrize(
    ("value", "options", "expected"),
    [
        (1483228800, {}, datetime(2017, 1, 1)),
        (1483228800123, {}, datetime(2017, 1, 1, 0, 0, 0, 123000)),
        (20170131, {}, datetime(2017, 1, 31)),
        (1483228800.25, {}, datetime(2017, 1, 1, 0, 0, 0, 250000)),
        (float("nan"), {}, None),
        (date(2017, 1, 31), {}, datetime(2017, 1, 31)),
        (datetime(2017, 1, 31, 5), {"dtype": pl.Datetime("ns")}, datetime(2017, 1, 31, 5)),
        (datetime(2017, 1, 31, 5), {"dtype": pl.Datetime("ms")}, datetime(2017, 1, 31, 5)),
        (
            datetime(2017, 1, 31, 5, tzinfo=ZoneInfo("America/New_York")),
            {"dtype": pl.Datetime("us", "America/New_York")},
            datetime(2017, 1, 31, 10),
        ),
        (None, {}, None),
    ],
)
def test_typed_columns_are_read_as_times(
    value: object, options: dict[str, object], expected: datetime | None
) -> None:
    assert parsed(value, **options) == expected


@settings(deadline=None)
@given(st.datetimes(datetime(1950, 1, 1), datetime(2200, 1, 1)), st.integers(-14, 14))
def test_iso_text_with_a_zone_means_the_same_moment_in_utc(time: datetime, hours: int) -> None:
    zone = ZoneInfo("UTC") if hours == 0 else None
    text = time.isoformat() + ("Z" if zone else f"{hours:+03d}:00")
    assert parsed(text) == time - timedelta(hours=hours)


@settings(deadline=None)
@given(st.datetimes())
def test_micros_round_trip(time: datetime) -> None:
    assert from_micros(to_micros(time)) == time
    assert to_micros(time.replace(tzinfo=UTC)) == to_micros(time)


def test_one_unambiguous_date_decides_how_a_column_is_read() -> None:
    values = pl.Series(["02/03/2017", "25/03/2017"])
    assert [from_micros(t) for t in parse_times(values)] == [
        datetime(2017, 3, 2),
        datetime(2017, 3, 25),
    ]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["02/03/2017"], "`02/03/2017` may be read day first or month first; could be either"),
        (["25/03/2017", "03/25/2017"], "some dates have the day first and some the month"),
    ],
)
def test_dates_that_may_be_read_two_ways_are_refused(values: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse_times(pl.Series(values), "x.csv", "when")


def test_a_column_that_cannot_hold_times_is_refused() -> None:
    with pytest.raises(
        DataError, match=r"x.csv, column `when`: holds values of the type `Boolean`"
    ):
        parse_times(pl.Series([True]), "x.csv", "when")


def test_windows_are_open_where_a_bound_is_missing() -> None:
    starts, ends = window_bounds(pl.Series([5, None]), None, False, 2)
    assert starts.tolist() == [5, OPEN_START]
    assert ends.tolist() == [OPEN_END, OPEN_END]


def test_an_inclusive_date_counts_as_a_whole_day() -> None:
    until = pl.Series([to_micros(datetime(2017, 4, 9)), to_micros(datetime(2017, 4, 9, 12)), None])
    _, ends = window_bounds(None, until, True, 3)
    assert from_micros(ends[0]) == datetime(2017, 4, 10)
    assert from_micros(ends[1]) == datetime(2017, 4, 9, 12, 0, 0, 1)
    assert ends[2] == OPEN_END
    _, ends = window_bounds(None, until, False, 3)
    assert from_micros(ends[0]) == datetime(2017, 4, 9)


def weeks(**changes: object) -> Period:
    fields = {
        "column": "week",
        "first": datetime(2016, 12, 26),
        "every": "7d",
        "timezone": "America/New_York",
        **changes,
    }
    return Period.model_validate(fields)


@pytest.mark.parametrize(
    ("week", "start"),
    [
        (1, datetime(2016, 12, 26, 5)),
        (2, datetime(2017, 1, 2, 5)),
        (20, datetime(2017, 5, 8, 4)),
        (45, datetime(2017, 10, 30, 4)),
        (46, datetime(2017, 11, 6, 5)),
        (52, datetime(2017, 12, 18, 5)),
    ],
)
def test_weeks_begin_at_midnight_of_the_local_clock(week: int, start: datetime) -> None:
    starts, ends, exists = period_bounds(weeks(), np.array([week, week - 1]))
    assert from_micros(starts[0]) == start
    assert ends[1] == starts[0]
    assert exists.all()


def test_periods_count_from_the_number_of_the_first() -> None:
    zone = weeks(number=0, timezone="UTC")
    starts, _, _ = period_bounds(zone, np.array([0, -1]))
    assert [from_micros(t) for t in starts] == [datetime(2016, 12, 26), datetime(2016, 12, 19)]


def test_a_period_outside_the_calendar_does_not_exist() -> None:
    _, _, exists = period_bounds(weeks(), np.array([10**9, 1]))
    assert exists.tolist() == [False, True]
