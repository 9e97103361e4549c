"""What a linked item borrows: numbers of the items it links to, brought together.

A coupon covers 1 to 14,477 products and an ad promotes one. For each number of a signal the linked
item gets the largest, the mean of the top three, and the sum over the root of how many there are.
"""

from __future__ import annotations

import numpy as np

from recprism.data.dataset import FloatArray, LongArray


def gather_links(values: FloatArray, starts: LongArray, counts: LongArray) -> FloatArray:
    """Largest, mean of the top three, and sum / sqrt(count) per span.

    `values` [total, c] holds the spans one after another: span r starts at `starts[r]` and has
    `counts[r]` rows.
    Returns [3, len(starts), c]; empty spans give 0.
    """
    n, c = len(starts), values.shape[1]
    out = np.zeros((3, n, c), np.float32)
    full = np.flatnonzero(counts > 0)
    if len(full) == 0:
        return out
    if len(full) == n and len(values) == n:
        out[:] = values
        return out
    begin, size = starts[full], counts[full]
    out[2, full] = np.add.reduceat(values, begin, axis=0) / np.sqrt(size)[:, None]
    first, second, third = _top_three(values, begin, size)
    out[0, full] = first
    out[1, full] = (first + second + third) / np.minimum(size, 3)[:, None]
    return out


def _top_three(
    values: FloatArray, begin: LongArray, size: LongArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The three largest numbers of each span and column, [spans, c] each; 0 beyond the span."""
    rest = values.copy()
    tops = []
    span = np.repeat(np.arange(len(begin)), size)
    for k in range(3):
        best = np.maximum.reduceat(rest, begin, axis=0)
        tops.append(np.where((size > k)[:, None], best, 0.0).astype(np.float32))
        if k < 2:
            _drop_one(rest, best[span], begin)
    return tops[0], tops[1], tops[2]


def _drop_one(rest: FloatArray, best: FloatArray, begin: LongArray) -> None:
    """Set the first occurrence of `best` in each span and column to -inf, in place."""
    hit = rest == best
    running = np.cumsum(hit, axis=0)
    before = np.zeros((len(begin), rest.shape[1]), running.dtype)
    before[1:] = running[begin[1:] - 1]
    size = np.diff(np.append(begin, len(rest)))
    first = hit & (running - np.repeat(before, size, axis=0) == 1)
    rest[first] = -np.inf
