"""What a linked item borrows: numbers of the items it links to, brought together.

A coupon covers 1 to 14,477 products and an ad promotes one. For each number of a signal the linked
item gets the largest, the mean of the top three, and the sum over the root of how many there are.

What makes this quick is to look at fewer rows. Of items that a signal cannot tell apart, three are
looked at and weigh for all (`thin`): 4,794 texts stand for 92,000 products. Sparse signals are
gathered over the rows that hold anything. And numbers that are the same for many users are gathered
once (`LinkNumbers`).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from recprism.data.dataset import FloatArray, Grouped, IntArray, LongArray
from recprism.signals.interface import Bound, Signal

TOP = 3


@dataclass(frozen=True)
class Thin:
    """Links of which a signal needs to look at `targets` only.

    `weight` [len(targets.values)] is how many links each one stands for, `size` [rows] the number
    of links there are.
    """

    targets: Grouped
    weight: FloatArray
    size: LongArray


def thin(targets: Grouped, alike: IntArray | None) -> Thin:
    """Keep three of the targets of a row that share a number of `alike` [n_items]."""
    size = np.diff(targets.offsets)
    if alike is None or size.max(initial=0) <= TOP:
        return Thin(targets, np.ones(len(targets.values), np.float32), size)
    row = np.repeat(np.arange(len(size), dtype=np.int32), size)
    number = alike[targets.values]
    order = np.lexsort((number, row))
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(row[order]) != 0) | (np.diff(number[order]) != 0)
    first = np.flatnonzero(new)
    many = np.diff(np.append(first, len(order)))
    place = np.arange(len(order)) - np.repeat(first, many)
    keep = place < TOP
    weight = np.repeat(many / np.minimum(many, TOP), many)[keep]
    kept = Grouped.build(row[order][keep], targets.values[order][keep], len(size))
    return Thin(kept, weight.astype(np.float32), size)


class LinkNumbers:
    """The numbers that the rows of one kind of links borrow from a signal."""

    def __init__(self, targets: Grouped, signal: Signal) -> None:
        self.targets = targets
        self._links, self._sparse = thin(targets, signal.alike()), signal.sparse
        self._common: dict[Hashable, FloatArray] = {}

    def of(self, bound: Bound, rows: IntArray) -> FloatArray:
        """Largest, mean of the top three, and sum / sqrt(n), [3, len(rows), columns]."""
        if bound.common is None or self._links.size.max(initial=0) <= 1:
            return self._gather(bound, rows)
        if bound.common not in self._common:
            every = np.arange(len(self._links.size), dtype=np.int32)
            self._common[bound.common] = self._gather(bound, every)
        return self._common[bound.common][:, rows]

    def _gather(self, bound: Bound, rows: IntArray) -> FloatArray:
        links, targets = self._links, self._links.targets
        places, starts = targets.places(rows)
        score, size = bound.score(targets.values[places]), links.size[rows]
        if len(places) == len(rows) and (size == 1).all():
            return np.asarray(np.broadcast_to(score, (TOP, *score.shape)))
        spans = Spans(starts, targets.counts(rows), size)
        return gather_links(score, links.weight[places], spans, sparse=self._sparse)


@dataclass(frozen=True)
class Spans:
    """Rows one after another: span r begins at `start[r]`, holds `held[r]` rows and stands for
    `size[r]` links."""

    start: LongArray
    held: LongArray
    size: LongArray


def gather_links(
    values: FloatArray, weight: FloatArray, spans: Spans, *, sparse: bool
) -> FloatArray:
    """Largest, mean of the top three, and sum / sqrt(size) per span, [3, len(spans), c].

    `values` [total, c] and `weight` [total] hold the spans one after another. `sparse` says that
    values are mostly zero and never negative; then only the rows that hold anything are looked at.
    Empty spans give 0.
    """
    out = np.zeros((3, len(spans.start), values.shape[1]), np.float32)
    full = np.flatnonzero(spans.held > 0)
    if len(full) == 0:
        return out
    begin, held, size = spans.start[full], spans.held[full], spans.size[full]
    if not sparse:
        out[:, full] = _gather(values, weight, Spans(begin, held, size))
        return out
    row = np.flatnonzero(values.any(axis=1))
    span = np.searchsorted(begin, row, side="right") - 1
    touched, first, held = np.unique(span, return_index=True, return_counts=True)
    if len(touched):
        some = Spans(first, held, size[touched])
        out[:, full[touched]] = _gather(values[row], weight[row], some)
    return out


def _gather(values: FloatArray, weight: FloatArray, spans: Spans) -> FloatArray:
    """The three numbers per span [3, spans, c]; rows that a span does not hold are zeros.

    One partition per span: spans differ too much in length to be padded, and passes over all of
    them at once (largest, drop it, next) took twice as long.
    """
    n, c = len(spans.start), values.shape[1]
    tops = np.full((n, TOP, c), -np.inf, np.float32)
    for row, (start, held) in enumerate(
        zip(spans.start.tolist(), spans.held.tolist(), strict=True)
    ):
        span = values[start : start + held]
        if held > TOP:
            tops[row] = np.partition(span, held - TOP, axis=0)[held - TOP :]
        else:
            tops[row, :held] = span
    size = spans.size[:, None]
    top_three = np.where(np.isfinite(tops), tops, 0.0).sum(axis=1) / np.minimum(size, TOP)
    total = np.add.reduceat(values * weight[:, None], spans.start, axis=0) / np.sqrt(size)
    return np.stack([tops.max(axis=1), top_three, total])
