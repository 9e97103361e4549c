"""Stretches of histories as batches of nearly equal length, and what is held out of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recprism.data.dataset import IntArray, LongArray
from recprism.project.schema import Transformer as Config
from recprism.signals.events import Histories, gap_buckets, gaps_before

HELD_OUT = 2000
"""At most so many users validate; a tenth of them where that is less."""
FEW_HELD_OUT = 100
"""With fewer users than ten times this, up to half of them validate."""
POOL = 64
"""Stretches are sorted by length within so many batches, which leaves order to chance."""


@dataclass(frozen=True)
class Spans:
    """Stretches [start, stop) of events, at least two events each; the first is only read."""

    start: LongArray
    stop: LongArray

    def __len__(self) -> int:
        return len(self.start)

    @property
    def size(self) -> LongArray:
        """How many events of each are read."""
        return self.stop - self.start - 1


@dataclass(frozen=True)
class Batch:
    """Padded on the right: `item`, `target` [b, t] item_idx, `codes` [b, t, 3], `size` [b].

    Places at or after `size` hold zeros and count for nothing.
    """

    item: LongArray
    target: LongArray
    codes: LongArray
    size: LongArray

    @property
    def is_event(self) -> NDArray[np.bool_]:
        """Which places hold an event, [b, t]."""
        return np.arange(self.item.shape[1])[None, :] < self.size[:, None]


@dataclass(frozen=True)
class Events:
    """All events as the network reads them, [m] and codes [m, 3]."""

    item: IntArray
    codes: IntArray

    @classmethod
    def read(cls, histories: Histories) -> Events:
        """Items and codes of all events: kind and action, time before, time until the next."""
        is_first = np.zeros(len(histories.item), bool)
        is_first[histories.offsets[:-1][np.diff(histories.offsets) > 0]] = True
        until = np.zeros(len(histories.item), np.int64)
        until[:-1] = np.diff(histories.time)
        codes = (histories.code, gaps_before(histories.time, is_first), gap_buckets(until))
        return cls(histories.item, np.stack(codes, axis=1).astype(np.int32))

    def batch(self, spans: Spans, rows: LongArray) -> Batch:
        """The stretches `rows` [b] side by side."""
        start, size = spans.start[rows], spans.size[rows]
        place = np.arange(int(size.max()))
        at = start[:, None] + np.minimum(place[None, :], size[:, None] - 1)
        is_event = place[None, :] < size[:, None]
        return Batch(
            np.where(is_event, self.item[at], 0).astype(np.int64),
            np.where(is_event, self.item[at + 1], 0).astype(np.int64),
            np.where(is_event[:, :, None], self.codes[at], 0).astype(np.int64),
            size,
        )


def hold_out(histories: Histories, rng: np.random.Generator) -> tuple[LongArray, LongArray]:
    """Users whose last event validates, and where each user's training events stop [users]."""
    able = np.flatnonzero(np.diff(histories.offsets) >= 3)
    wanted = min(HELD_OUT, max(len(able) // 10, min(len(able) // 2, FEW_HELD_OUT)))
    users = np.sort(rng.choice(able, wanted, replace=False))
    stop = histories.offsets[1:].copy()
    stop[users] -= 1
    return users, stop


def last_spans(histories: Histories, users: LongArray, max_length: int) -> Spans:
    """The last `max_length` events before each user's very last one, and that one."""
    stop = histories.offsets[users + 1]
    return Spans(np.maximum(histories.offsets[users], stop - max_length - 1), stop)


def draw_spans(
    start: LongArray, stop: LongArray, config: Config, rng: np.random.Generator
) -> Spans:
    """Stretches of one pass over histories [start, stop): whole ones, and pieces of long ones.

    At most `config.windows` pieces of a history, cut at a random place so that each pass cuts
    differently, and at most `config.pass_events` events of all.
    """
    size, most = stop - start, config.max_length + 1
    short = (size >= 2) & (size <= most)
    starts, stops = [start[short]], [stop[short]]
    for user in np.flatnonzero(size > most):
        last = stop[user] - rng.integers(config.max_length)
        ends = np.arange(last, start[user] + 1, -config.max_length)
        ends = rng.permutation(np.union1d(ends, stop[user]))[: config.windows]
        starts.append(np.maximum(start[user], ends - most))
        stops.append(ends)
    spans = Spans(np.concatenate(starts), np.concatenate(stops))
    order = rng.permutation(len(spans))
    total = np.cumsum(spans.size[order])
    kept = order[: max(1, int(np.searchsorted(total, config.pass_events, side="right")))]
    return Spans(spans.start[kept], spans.stop[kept])


def batches(spans: Spans, n_events: int, rng: np.random.Generator | None) -> Iterator[LongArray]:
    """Rows of `spans` in batches of about `n_events` padded places; in order of length without
    `rng`, else shuffled."""
    size = spans.size
    order = np.arange(len(spans)) if rng is None else rng.permutation(len(spans))
    pool = len(order) if rng is None else max(1, POOL * n_events // max(1, int(size.mean())))
    found = []
    for i in range(0, len(order), pool):
        rows = order[i : i + pool]
        rows = rows[np.argsort(size[rows], kind="stable")]
        found += _cut(rows, size[rows], n_events)
    turn = np.arange(len(found)) if rng is None else rng.permutation(len(found))
    for i in turn:
        yield found[i]


def _cut(rows: LongArray, size: LongArray, n_events: int) -> list[LongArray]:
    """Consecutive `rows` (by ascending `size`) in groups of at most `n_events` places."""
    groups, begin = [], 0
    for i in range(1, len(rows) + 1):
        if i == len(rows) or (i + 1 - begin) * size[i] > n_events:
            groups.append(rows[begin:i])
            begin = i
    return groups
