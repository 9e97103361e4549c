"""What a table's columns look like: how many values, of what sort, how wordy.

In comes an opened `Table`, out goes a `Profiled` table. Large tables are judged by every n-th row;
only the numbers of distinct values are counted over all rows. Nothing here knows what users or
items are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import polars as pl

from recprism.data.hints import END, ID, START, TIME, stem, words_of
from recprism.data.ids import as_text
from recprism.data.sources import Table
from recprism.data.times import parse_times
from recprism.errors import DataError

SAMPLE_ROWS = 200_000
_TIMELY = TIME | START | END
_FIRST_EPOCH_US = 631_152_000_000_000
_LAST_EPOCH_US = 4_102_444_800_000_000
_CJK = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]"

Sort = Literal["time", "number", "whole", "text", "other"]


@dataclass(frozen=True)
class Column:
    """One column: `distinct` values in the whole table, the rest by the sample.

    `filled` is the share of rows with a value, `wordiness` the mean number of words of a text (two
    characters count as a word where a script has no spaces). `meant` is the word of ours that a
    language model took its name for, empty where the name speaks for itself.
    """

    name: str
    sort: Sort
    rows: int
    distinct: int
    filled: float
    wordiness: float
    sample: pl.Series
    meant: str = ""

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The stems of the words of its name, after what it was taken for."""
        return tuple(stem(word) for word in (*words_of(self.meant), *words_of(self.name)))

    @cached_property
    def stems(self) -> frozenset[str]:
        """The words that say what an id is of: `product` of `product_id`."""
        return frozenset(self.words) - ID

    @property
    def is_unique(self) -> bool:
        return self.distinct == self.rows and self.filled == 1.0

    @property
    def has_id_name(self) -> bool:
        return bool(self.words) and self.words[-1] in ID

    @property
    def may_be_id(self) -> bool:
        """Whether its values could be ids: whole numbers, or texts without spaces."""
        return self.sort == "whole" or (self.sort == "text" and self.wordiness <= 1.2)

    @cached_property
    def values(self) -> pl.Series:
        """The distinct values of the sample as ids."""
        return as_text(self.sample.unique()).drop_nulls()

    @cached_property
    def may_be_time(self) -> bool:
        """Whether its values could be moments, whatever its name says."""
        return self.sort == "time" or (self.sort == "whole" and _sort(self.sample, True) == "time")

    def taken_for(self, word: str) -> Column:
        """The same column with a word of `hints` for its name; numbers may be times then."""
        is_time = self.may_be_time and not _TIMELY.isdisjoint(map(stem, words_of(word)))
        return replace(self, meant=word, sort="time" if is_time else self.sort)

    def share_in(self, other: Column) -> float:
        """The share of this column's distinct values that `other` has too (by the samples)."""
        if len(self.values) == 0:
            return 0.0
        return _share(self.values.is_in(other.values.implode()))


@dataclass(frozen=True)
class Profiled:
    """A table with its columns; `name` is the file's or folder's without suffix."""

    name: str
    source: str
    table: Table
    rows: int
    columns: dict[str, Column]

    @cached_property
    def stems(self) -> frozenset[str]:
        return frozenset(stem(word) for word in words_of(self.name))

    @property
    def times(self) -> list[Column]:
        return [column for column in self.columns.values() if column.sort == "time"]

    @cached_property
    def key(self) -> Column | None:
        """The column that names a row: no two rows share a value, and it looks like an id."""
        unique = [c for c in self.columns.values() if c.is_unique and c.may_be_id]
        own = [c for c in unique if not c.stems or c.stems & self.stems]
        named = [c for c in unique if c.has_id_name]
        first = [c for c in unique if c.name == self.table.columns[0]]
        return next(iter([*[c for c in own if c in named], *named, *own, *first]), None)


def profile(table: Table, name: str, source: str) -> Profiled:
    """Look at every column of a table. Raises DataError for a table without rows."""
    counted = table.collect(
        table.lazy.select(pl.len().alias("rows"), *_counts(table), *_missing(table)),
        stream=True,
    )
    rows = int(counted["rows"][0])
    if rows == 0:
        raise DataError(table.name, "has no rows, at least one is needed.", "Fill the table.")
    step = -(-rows // SAMPLE_ROWS)
    sample = table.collect(table.lazy.gather_every(step) if step > 1 else table.lazy, stream=True)
    columns = {}
    for column in table.columns:
        distinct = counted.get_column(f"distinct:{column}", default=None)
        count = int(distinct[0]) if distinct is not None else 0
        # The quick count is a few percent off; whether a column is a key must be known exactly.
        if count > 0.9 * rows or rows <= SAMPLE_ROWS:
            count = _exact(table, column) if step > 1 else _n_distinct(sample[column])
        filled = 1.0 - float(counted[f"missing:{column}"][0]) / rows
        columns[column] = _describe(sample[column], rows, count, filled)
    return Profiled(name, source, table, rows, columns)


def _is_plain(dtype: pl.DataType) -> bool:
    return not dtype.is_nested() and dtype not in (pl.Boolean, pl.Binary, pl.Object)


def _counts(table: Table) -> list[pl.Expr]:
    return [
        pl.col(name).approx_n_unique().alias(f"distinct:{name}")
        for name, dtype in table.schema.items()
        if _is_plain(dtype) and not dtype.is_temporal()
    ]


def _missing(table: Table) -> list[pl.Expr]:
    exprs = []
    for name, dtype in table.schema.items():
        column = pl.col(name)
        absent = column.is_null() | (column == "") if dtype == pl.String else column.is_null()
        exprs.append(absent.sum().alias(f"missing:{name}"))
    return exprs


def _exact(table: Table, column: str) -> int:
    return _n_distinct(table.distinct(column))


def _n_distinct(values: pl.Series) -> int:
    return len(values.drop_nulls().unique()) if _is_plain(values.dtype) else 0


def _describe(sample: pl.Series, rows: int, distinct: int, filled: float) -> Column:
    timely = not _TIMELY.isdisjoint(stem(word) for word in words_of(sample.name))
    sort = _sort(sample, timely)
    wordiness = _wordiness(sample) if sort == "text" else 0.0
    return Column(sample.name, sort, rows, distinct, filled, wordiness, sample)


def _sort(sample: pl.Series, timely: bool) -> Sort:
    if isinstance(sample.dtype, pl.Date | pl.Datetime):
        return "time"
    if not (sample.dtype.is_numeric() or sample.dtype == pl.String):
        return "other"
    values = sample.drop_nulls().unique().head(5_000)
    if sample.dtype == pl.String:
        values = values.str.strip_chars()
        values = values.filter(values != "")
    if len(values) == 0:
        return "other"
    numbers = values.cast(pl.Float64, strict=False)
    if numbers.null_count():
        return "time" if _share_of_times(values) >= 0.95 else "text"
    if timely and _share_of_times(values) >= 0.95:
        return "time"
    finite = numbers.filter(numbers.is_finite())
    return "whole" if bool((finite == finite.round()).all()) else "number"


def _share_of_times(values: pl.Series) -> float:
    """The share of values that are moments between 1990 and 2100."""
    try:
        times = parse_times(values)
    except DataError:
        # Dates that could be read day first or month first: dates all the same.
        return 1.0
    return _share(times.is_between(_FIRST_EPOCH_US, _LAST_EPOCH_US).fill_null(False))


def _share(hits: pl.Series) -> float:
    return int(hits.sum()) / len(hits) if len(hits) else 0.0


def _wordiness(sample: pl.Series) -> float:
    values = sample.drop_nulls().unique().head(5_000)
    frame = values.alias("v").to_frame().filter(pl.col("v") != "")
    dense = pl.col("v").str.count_matches(_CJK)
    spaced = pl.col("v").str.replace_all(_CJK, " ").str.count_matches(r"\S+")
    return float(frame.select((spaced + dense / 2).mean()).item() or 0.0)
