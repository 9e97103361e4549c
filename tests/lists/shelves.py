"""Small kinds with offers, links and windows, written out by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from recprism.data.dataset import EventLog, Grouped, Ids, IntArray, KindTable, Links, Offers


def ints(*values: int) -> IntArray:
    return np.array(values, np.int32)


def grouped(*rows: Sequence[int]) -> Grouped:
    flat = np.array([value for row in rows for value in row], np.int32)
    of_row = np.repeat(np.arange(len(rows)), [len(row) for row in rows]).astype(np.int32)
    return Grouped.build(of_row, flat, len(rows))


def kind(
    n: int,
    *,
    start: int = 0,
    offers: Offers | None = None,
    links: Mapping[str, Links] | None = None,
    window: Sequence[tuple[int, int]] | None = None,
    labels: Mapping[str, Sequence[str | None]] | None = None,
) -> KindTable:
    columns = {
        f"label:{name}": pl.Series(values, dtype=pl.String)
        for name, values in (labels or {}).items()
    }
    ids = pl.Series([f"i{row}" for row in range(n)], dtype=pl.String)
    bounds = None
    if window is not None:
        pairs = np.array(window, np.int64)
        bounds = (pairs[:, 0].copy(), pairs[:, 1].copy())
    return KindTable(
        "things",
        Ids(ids),
        start,
        pl.DataFrame({"title": ids, "text": ids, **columns}),
        links or {},
        offers,
        bounds,
    )


def offers(
    items: Sequence[Sequence[int]],
    windows: Sequence[tuple[int, int]],
    *,
    audience: Grouped | None = None,
    context: Mapping[str, Sequence[int]] | None = None,
    placement: Sequence[Sequence[int]] | None = None,
    placement_values: Mapping[str, Sequence[str]] | None = None,
    labels: Mapping[str, Sequence[str | None]] | None = None,
) -> Offers:
    """One group per row of `items` (its items) and `windows` (start, end)."""
    content = grouped(*items)
    n_columns = len(placement_values or ())
    codes = None if placement is None else np.array(placement, np.uint8).reshape(-1, n_columns)
    bounds = np.array(windows, np.int64).reshape(-1, 2)
    return Offers(
        names=pl.Series([None] * len(items), dtype=pl.String),
        offsets=content.offsets,
        item=content.values,
        starts=bounds[:, 0].copy(),
        ends=bounds[:, 1].copy(),
        context={name: ints(*found) for name, found in (context or {}).items()},
        audience=audience,
        placement=codes,
        placement_values=placement_values or {},
        labels=None
        if labels is None
        else pl.DataFrame(labels, schema=dict.fromkeys(labels, pl.String)),
    )


def purchases(item: IntArray, time: np.ndarray, context: Mapping[str, IntArray]) -> EventLog:
    """Events of one user with the action 0, in the order of time."""
    order = np.argsort(time, kind="stable")
    n = len(item)
    nothing = np.full(n, -1, np.int32)
    return EventLog(
        user=np.zeros(n, np.int32),
        item=item[order],
        action=np.zeros(n, np.int32),
        time=np.asarray(time, np.int64)[order],
        value=np.full(n, np.nan, np.float32),
        session=nothing,
        offer=nothing,
        context={name: codes[order] for name, codes in context.items()},
        offsets=np.array([0, n], np.int64),
    )
