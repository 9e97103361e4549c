"""Rules that clean a table before it is mapped to row numbers; each counts what it met.

In comes a table as read, out goes one without missing ids, with the project's rule applied to each
column that has gaps. The one decision worth knowing: ids are never repaired, and only rows of one
id that are equal in every column count as exact duplicates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from recprism.data.ids import as_text, is_valid
from recprism.data.report import CleaningReport
from recprism.data.sources import Table
from recprism.errors import DataError
from recprism.project.schema import MissingRule

ROW = "__row"
"""Name of the column with the data row, counted from 1, in frames that are read whole."""
ID = "__id"
"""Name of the column with the id as text in such frames; no source can have it by accident."""


def is_missing(column: str, dtype: pl.DataType) -> pl.Expr:
    """Whether a value is missing: null, not a number, or text of whitespace."""
    missing = pl.col(column).is_null()
    if dtype == pl.String:
        return missing | (pl.col(column).str.strip_chars() == "")
    if dtype.is_float():
        return missing | pl.col(column).is_nan()
    return missing


def missing(values: pl.Series) -> pl.Series:
    """Whether each value of a column is missing, as `is_missing` has it."""
    return values.to_frame("v").select(is_missing("v", values.dtype))["v"]


def row_examples(met: pl.Series) -> list[str]:
    """The first three rows where a rule met something, in words."""
    return [f"row {row + 1}" for row in met.arg_true().head(3)]


def apply_missing(
    table: Table,
    lazy: pl.LazyFrame,
    columns: Sequence[str],
    rules: Mapping[str, MissingRule],
    note: tuple[CleaningReport, str],
) -> pl.LazyFrame:
    """Drop, impute or mark the missing values of `columns`; `mark` where `rules` is silent.

    `lazy` is the table or a filtered part of it. A column under a rule that the table does not have
    raises `DataError`. Text of whitespace alone becomes null.
    """
    report, label = note
    table.need(rules)
    names = list(dict.fromkeys([*columns, *rules]))
    gaps = {name: is_missing(name, table.schema[name]) for name in names}
    if not names:
        return lazy
    counts = table.collect(lazy.select(gaps[name].sum().alias(name) for name in names), stream=True)
    for name in names:
        if (count := int(counts[name][0])) == 0:
            continue
        rule, gap = rules.get(name, "mark"), gaps[name]
        if rule == "drop":
            # Counted again, because an earlier column may have dropped some of these rows.
            count = int(table.collect(lazy.select(gap.sum()), stream=True).item())
            report.add("missing-dropped", label, count, _first(table, lazy, gap), column=name)
            lazy = lazy.filter(~gap)
        elif rule == "impute":
            known = lazy.filter(~gap).select(pl.col(name).mode().sort().first())
            frequent = table.collect(known)[name]
            value = frequent[0] if len(frequent) else None
            report.add("missing-imputed", label, count, [value], column=name)
            lazy = lazy.with_columns(pl.when(gap).then(pl.lit(value)).otherwise(name).alias(name))
        else:
            report.add("missing-marked", label, count, _first(table, lazy, gap), column=name)
            lazy = lazy.with_columns(pl.when(~gap).then(name).alias(name))
    return lazy


def _first(table: Table, lazy: pl.LazyFrame, gap: pl.Expr) -> list[str]:
    """The first three rows with a gap, by their number in the source or among those left."""
    numbered = lazy if ROW in lazy.collect_schema() else lazy.with_row_index(ROW, offset=1)
    rows = table.collect(numbered.filter(gap).select(ROW).head(3))[ROW]
    return [f"row {row}" for row in rows]


def bad_ids(
    values: pl.Series, column: str, note: tuple[CleaningReport, str], alive: pl.Series | None = None
) -> pl.Series:
    """Which rows have a usable id; the others are counted as missing or invalid.

    `values` is a raw column; rows where `alive` is False were dropped before and count nowhere.
    Returns a Boolean series, True where the row stays.
    """
    report, label = note
    raw = values.unique()
    text = as_text(raw)
    missing = raw.filter(text.is_null())
    invalid = raw.filter(text.is_not_null() & ~is_valid(text))
    stays = pl.repeat(True, len(values), dtype=pl.Boolean, eager=True) if alive is None else alive
    for rule, bad in (("missing-id", missing), ("invalid-id", invalid)):
        if len(bad) == 0:
            continue
        found = values.is_in(bad.implode(), nulls_equal=True) & stays
        report.add(rule, label, int(found.sum()), row_examples(found), column=column)
        stays = stays & ~found
    return stays


def drop_duplicates(
    frame: pl.DataFrame, table: Table, column: str, note: tuple[CleaningReport, str]
) -> pl.DataFrame:
    """Rows of a table with one row per item, without exact repeats.

    `frame` holds all columns, `ROW` and `ID`. Raises `DataError` with the row
    where an id comes back with other content.
    """
    report, label = note
    content = [name for name in frame.columns if name != ROW]
    once = frame.unique(content, keep="first", maintain_order=True)
    repeats = frame.join(once.select(ROW), on=ROW, how="anti", maintain_order="left")
    report.add("exact-duplicate", label, repeats.height, repeats[ID])
    clash = once.filter(~pl.col(ID).is_first_distinct())
    if clash.height:
        row, twice = clash[ROW][0], clash[ID][0]
        earlier = once.filter(pl.col(ID) == twice)[ROW][0]
        raise DataError(
            table.name,
            f"the id `{twice}` was met before, in row {earlier}, with other content; "
            "one row per id is expected.",
            "Remove one of them, or say `rows: links` or `rows: offers` if rows are not items.",
            row=row,
            column=column,
        )
    return once


def note_near_duplicates(
    frame: pl.DataFrame, column: str, note: tuple[CleaningReport, str]
) -> None:
    """Count items that equal an earlier one in every column but the id; they are kept apart."""
    report, label = note
    content = [name for name in frame.columns if name not in (ROW, ID, column)]
    if not content or frame.is_empty():
        return
    near = repeats(frame, content)
    report.add("near-duplicate", label, near.height, near[ID])


def note_constants(
    frame: pl.DataFrame, columns: Sequence[str], note: tuple[CleaningReport, str]
) -> None:
    """Report columns of several rows that hold one and the same value throughout."""
    report, label = note
    for name in dict.fromkeys(columns):
        values = frame[name].unique()
        if frame.height > 1 and len(values) == 1:
            report.add("constant-column", label, frame.height, [values[0]], column=name)


def repeats(frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """The rows that equal an earlier one in all of `columns`."""
    again = frame.filter(frame.select(columns).is_duplicated())
    return again.filter(~again.select(pl.struct(columns)).to_series().is_first_distinct())


def numbers(values: pl.Series, table: Table, column: str) -> pl.Series:
    """A column of amounts as Float64, null where missing or not finite.

    Raises `DataError` with the row for text that is no number, or another type.
    """
    if values.dtype.is_numeric() or values.dtype in (pl.Boolean, pl.Null):
        amounts = values.cast(pl.Float64)
    elif values.dtype == pl.String:
        text = values.str.strip_chars()
        amounts = text.cast(pl.Float64, strict=False)
        wrong = amounts.is_null() & text.is_not_null() & (text != "")
        if bool(wrong.any()):
            row = int(wrong.arg_true()[0])
            raise DataError(
                table.name,
                f"holds `{values[row][:80]}`, a number is expected.",
                "Mend the cell, or name another column.",
                row=row + 1,
                column=column,
            )
    else:
        raise DataError(
            table.name,
            f"holds values of the type `{values.dtype}`, numbers are expected.",
            "Name another column.",
            column=column,
        )
    return amounts.set((~amounts.is_finite()).fill_null(False), None)
