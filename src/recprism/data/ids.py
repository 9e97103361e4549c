"""Ids from columns of any type: text outside, row numbers inside.

In come raw columns, out go `Ids` and row numbers. The one decision worth knowing: only the distinct
values of a column ever become text. A column of 20.9 million integers with 60,000 distinct values
is mapped through a table of 60,000 rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from recprism.data.dataset import UNKNOWN, Ids, IntArray

MAX_ID_BYTES = 512


def as_text(values: pl.Series) -> pl.Series:
    """Ids as text, null where missing, same length as `values`.

    Whole numbers become plain decimals, also when they are kept as floats (a column with gaps
    often is); text stays as it is. Validity is not checked here, see `is_valid`.
    """
    dtype = values.dtype
    if dtype == pl.String:
        text = values
    elif dtype.is_float():
        whole = values.is_finite() & (values == values.round()) & (values.abs() < 2.0**63)
        plain = values.set(~whole.fill_null(False), None).cast(pl.Int64).cast(pl.String)
        other = values.fill_nan(None).cast(pl.String)
        text = plain.fill_null(other) if plain.null_count() else plain
    else:
        text = values.cast(pl.String)
    return text.set((text == "").fill_null(False), None).alias("id")


def is_valid(text: pl.Series) -> pl.Series:
    """Whether each text is an id: 1 to 512 bytes without control characters; False for null."""
    size = text.str.len_bytes()
    plain = ~text.str.contains(r"\p{Cc}")
    return (size.is_between(1, MAX_ID_BYTES) & plain).fill_null(False)


def distinct(values: pl.Series) -> pl.Series:
    """The distinct valid ids of a raw column as text, in no particular order."""
    text = as_text(values.unique()).unique()
    return text.filter(is_valid(text))


def encode(values: pl.Series, ids: Ids) -> IntArray:
    """Row numbers of the ids in a raw column, shape [len(values)], -1 where there is none."""
    raw = values.unique().drop_nulls()
    if len(raw) == 0:
        return np.full(len(values), UNKNOWN, np.int32)
    rows = ids.rows(as_text(raw))
    if values.dtype == pl.String:
        # Categories are found by hash, several times faster than by a join on text.
        places = values.cast(pl.Enum(raw)).to_physical().fill_null(len(raw)).to_numpy()
        coded: IntArray = np.append(rows, np.int32(UNKNOWN))[places]
        return coded
    if values.dtype.is_integer() and (low := int(raw.min())) >= -(2**62):  # type: ignore[arg-type]
        width = int(raw.max()) - low + 1  # type: ignore[arg-type]
        if width <= max(4 * len(values), 2**16):
            table = np.full(width + 1, UNKNOWN, np.int32)
            table[raw.to_numpy().astype(np.int64) - low] = rows
            found: IntArray = table[values.cast(pl.Int64).fill_null(low + width).to_numpy() - low]
            return found
    codes = values.replace_strict(
        raw, pl.Series("row", rows), default=UNKNOWN, return_dtype=pl.Int32
    )
    return codes.to_numpy().astype(np.int32, copy=False)


def union(first: pl.Series | None, others: Iterable[pl.Series]) -> Ids:
    """Ids of `first` in their order, then those that only `others` hold, sorted as text."""
    known = pl.Series("id", [], pl.String) if first is None else first.alias("id")
    rest = [series.alias("id") for series in others]
    if rest:
        extra = pl.concat(rest).unique().sort()
        extra = extra.filter(~extra.is_in(known.implode()))
        known = pl.concat([known, extra])
    return Ids(known.rechunk())


def vocabulary(columns: Sequence[pl.Series]) -> list[str]:
    """The distinct values of several id columns: by number when all are numbers, else as text."""
    if not columns:
        return []
    values = pl.concat([series.alias("id") for series in columns]).unique()
    numbers = values.cast(pl.Float64, strict=False)
    if numbers.null_count() == 0 and bool(numbers.is_finite().all()):
        frame = pl.DataFrame({"number": numbers, "id": values}).sort("number", "id")
        return frame["id"].to_list()
    return values.sort().to_list()
