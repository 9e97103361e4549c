"""Times of any usual form as microseconds on the naive clock of the sources.

Stamps with a zone are converted to UTC; those without stay as they are. Text may be ISO 8601, dates
such as `2017/01/31`, `31.01.2017`, `1/31/2017`, `31 Jan 2017`, or an epoch; numbers are epochs in
seconds, milliseconds, microseconds or nanoseconds, or dates such as 20170131.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from recprism.data.dataset import DAY_US, BoolArray, LongArray
from recprism.errors import DataError, UsageError
from recprism.project.schema import Period

OPEN_START = np.iinfo(np.int64).min
OPEN_END = np.iinfo(np.int64).max
_EPOCH = datetime(1970, 1, 1)

_CLOCK = (
    r"(?:[T\s]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<part>\d{1,9}))?)?"
    r"\s*(?P<half>[AaPp][Mm])?\s*(?P<zone>Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?)?\s*$"
)
_YEAR_FIRST = r"^\s*(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})" + _CLOCK
_YEAR_LAST = r"^\s*(?P<one>\d{1,2})(?P<mark>[-/.])(?P<two>\d{1,2})[-/.](?P<year>\d{4})" + _CLOCK
_NUMBER = r"^\s*-?\d+(?:\.\d+)?\s*$"
_WORDY = ("%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y")


def parse_time(text: datetime | str) -> int:
    """A TIME as microseconds: ISO 8601; without a zone it is on the clock of the sources.

    Raises `UsageError` for text that is no time.
    """
    if isinstance(text, datetime):
        return to_micros(text)
    try:
        return to_micros(datetime.fromisoformat(text))
    except ValueError:
        raise UsageError(
            f"`{text}` is no time; write ISO 8601 such as `2017-12-01` or `2017-12-01T05:00`."
        ) from None


def to_micros(time: datetime) -> int:
    """A datetime as microseconds; one with a zone is converted to UTC first."""
    if time.tzinfo is not None:
        time = time.astimezone(UTC).replace(tzinfo=None)
    return (time - _EPOCH) // timedelta(microseconds=1)


def from_micros(time: int) -> datetime:
    """The naive datetime of microseconds."""
    return _EPOCH + timedelta(microseconds=int(time))


def temporal(column: pl.Expr, dtype: pl.DataType) -> pl.Expr | None:
    """Microseconds of a date or datetime column as a lazy expression, None for other types."""
    if dtype == pl.Date:
        return column.cast(pl.Datetime("us")).cast(pl.Int64)
    if isinstance(dtype, pl.Datetime):
        return column.dt.cast_time_unit("us").cast(pl.Int64)
    return None


def parse_times(values: pl.Series, source: str = "", column: str | None = None) -> pl.Series:
    """Microseconds (Int64) of a column of times, null where missing or unreadable.

    Raises `DataError` for a column that cannot hold times (booleans, lists) and for one whose dates
    may be read day first or month first, with none that decides.
    """
    dtype = values.dtype
    expression = temporal(pl.col("t"), dtype)
    if expression is not None:
        return values.to_frame("t").select(expression)["t"]
    if dtype.is_numeric():
        return _from_numbers(values.cast(pl.Float64) if dtype.is_float() else values)
    if dtype == pl.String:
        raw = values.unique().drop_nulls()
        times = _from_text(raw, source, column)
        return values.replace_strict(raw, times, default=None, return_dtype=pl.Int64).alias("t")
    if dtype == pl.Null:
        return pl.Series("t", [None] * len(values), pl.Int64)
    raise DataError(
        source,
        f"holds values of the type `{dtype}`, times are expected.",
        "Write ISO 8601, such as `2017-01-31T18:00:00`.",
        column=column,
    )


def _from_numbers(values: pl.Series) -> pl.Series:
    """Epochs by their size: under 10^11 seconds, then milli-, micro-, nanoseconds."""
    number = pl.col("n")
    size = number.abs()
    date = (
        pl.when(number.cast(pl.Int64, strict=False).is_between(19_000_101, 21_001_231))
        .then(number.cast(pl.Int64, strict=False).cast(pl.String))
        .str.to_datetime("%Y%m%d", strict=False, time_unit="us")
        .cast(pl.Int64)
    )
    epoch = (
        pl.when(size < 1e11)
        .then(number * 1_000_000)
        .when(size < 1e14)
        .then(number * 1_000)
        .when(size < 1e17)
        .then(number)
        .otherwise(number // 1_000)
    )
    wide = values.cast(pl.Int64, strict=False) if values.dtype.is_integer() else values
    frame = wide.alias("n").to_frame()
    return frame.select(pl.coalesce(date, epoch.cast(pl.Int64, strict=False)).alias("t"))["t"]


def _from_text(values: pl.Series, source: str, column: str | None) -> pl.Series:
    frame = values.alias("raw").to_frame()
    raw = pl.col("raw")
    year_first = frame.select(raw.str.extract_groups(_YEAR_FIRST).alias("g")).unnest("g")
    year_last = frame.select(raw.str.extract_groups(_YEAR_LAST).alias("g")).unnest("g")
    day_first = _is_day_first(values, year_last, source, column)
    month, day = ("two", "one") if day_first else ("one", "two")
    year_last = year_last.rename({month: "month", day: "day"})
    numbers = frame.select(
        pl.when(raw.str.contains(_NUMBER)).then(
            raw.str.strip_chars().cast(pl.Float64, strict=False)
        )
    )["raw"]
    # Whole numbers up to 10^19 pass through Int64, so that microseconds stay exact.
    whole = values.str.strip_chars().cast(pl.Int64, strict=False)
    wordy = frame.select(
        pl.coalesce(
            raw.str.strip_chars().str.to_datetime(form, strict=False, time_unit="us")
            for form in _WORDY
        ).cast(pl.Int64)
    ).to_series()
    parts = [_assemble(year_first), _assemble(year_last)]
    found = [*parts, _from_numbers(whole), _from_numbers(numbers), wordy]
    table = pl.DataFrame([series.alias(str(i)) for i, series in enumerate(found)])
    return table.select(pl.coalesce(table.columns).alias("t"))["t"]


def _assemble(parts: pl.DataFrame) -> pl.Series:
    """Microseconds from the named groups of a pattern; null where the date does not exist."""
    hour = pl.col("hour").cast(pl.Int64).fill_null(0)
    half = pl.col("half").str.to_lowercase()
    hour = (
        pl.when((half == "pm") & (hour < 12))
        .then(hour + 12)
        .when((half == "am") & (hour == 12))
        .then(0)
        .otherwise(hour)
    )
    text = pl.format(
        "{}-{}-{} {}:{}:{}",
        pl.col("year"),
        pl.col("month").str.zfill(2),
        pl.col("day").str.zfill(2),
        hour.cast(pl.String).str.zfill(2),
        pl.col("minute").fill_null("00"),
        pl.col("second").fill_null("00"),
    )
    micros = text.str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False, time_unit="us").cast(pl.Int64)
    part = pl.col("part").fill_null("0").str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64)
    zone = pl.col("zone").str.replace(":", "", literal=True)
    shift = zone.str.slice(1, 2).cast(pl.Int64, strict=False).fill_null(0) * 60
    shift += zone.str.slice(3, 2).cast(pl.Int64, strict=False).fill_null(0)
    sign = pl.when(zone.str.starts_with("-")).then(-1).otherwise(1)
    return parts.select((micros + part - sign * shift * 60_000_000).alias("t"))["t"]


def _is_day_first(values: pl.Series, parts: pl.DataFrame, source: str, column: str | None) -> bool:
    """Whether dates that end in the year begin with the day; one of the column must decide."""
    found = parts.filter(pl.col("year").is_not_null())
    if found.is_empty() or bool((found["mark"] == ".").all()):
        return True
    one, two = found["one"].cast(pl.Int64), found["two"].cast(pl.Int64)
    day_first, month_first = bool((one > 12).any()), bool((two > 12).any())
    if day_first != month_first:
        return day_first
    example = values.filter(parts["year"].is_not_null())[0]
    problem = "some dates have the day first and some the month" if day_first else "could be either"
    raise DataError(
        source,
        f"dates such as `{example}` may be read day first or month first; {problem}.",
        "Write them as `2017-01-31`.",
        column=column,
    )


def window_bounds(
    start: pl.Series | None, until: pl.Series | None, inclusive: bool, n: int
) -> tuple[LongArray, LongArray]:
    """Windows [start, end) of `n` rows from parsed bounds in microseconds.

    A missing bound leaves its side open. With `inclusive` an `until` at midnight, which is what a
    date becomes, counts as a whole day, and any other moment is still inside.
    """
    starts = np.full(n, OPEN_START, np.int64)
    ends = np.full(n, OPEN_END, np.int64)
    if start is not None:
        starts = start.fill_null(OPEN_START).to_numpy().astype(np.int64)
    if until is not None:
        ends = until.fill_null(OPEN_END).to_numpy().astype(np.int64)
        if inclusive:
            closed = ends != OPEN_END
            whole_day = closed & (ends % DAY_US == 0)
            ends = np.where(whole_day, ends + DAY_US, np.where(closed, ends + 1, ends))
    return starts, ends


def period_bounds(period: Period, numbers: LongArray) -> tuple[LongArray, LongArray, BoolArray]:
    """When numbered periods start and end, shape [len(numbers)] each, and which exist.

    Boundaries are wall-clock: `first + (number - period.number) * every` on the local clock of
    `period.timezone`, then converted to UTC. A period outside the years 1 to 9999 does not exist.
    """
    zone = ZoneInfo(period.timezone)
    first = period.first
    if first.tzinfo is not None:
        first = first.astimezone(zone).replace(tzinfo=None)
    bounds: dict[int, int | None] = {}

    def boundary(steps: int) -> int | None:
        if steps not in bounds:
            try:
                local = first + steps * period.every
                bounds[steps] = to_micros(local.replace(tzinfo=zone))
            except OverflowError:
                bounds[steps] = None
        return bounds[steps]

    pairs = [
        (boundary(int(n) - period.number), boundary(int(n) - period.number + 1)) for n in numbers
    ]
    exists = np.array([start is not None and end is not None for start, end in pairs], np.bool_)
    starts = np.array([start or 0 for start, _ in pairs], np.int64)
    ends = np.array([end or 0 for _, end in pairs], np.int64)
    return starts, ends, exists
