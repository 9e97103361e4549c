"""How a transformer reads a user's events: numbers for what, how and when, without torch.

Shared by training and serving, so that the two cannot drift apart. An event is read as its item, a
code for kind and action, the time since the event before it and the time until the next one (when
asked: until now). Times are buckets of doubling length; a bucket that training never saw is read as
the nearest one that it did.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recprism.data.dataset import BoolArray, IntArray, LongArray

NO_CODE = 0
"""Code of an event whose action is unknown."""
NO_GAP = 0
"""Bucket of the time before the first event."""
GAP_BUCKETS = 36
"""No gap, less than a second, and doublings of a second up to five centuries."""


@dataclass(frozen=True)
class Histories:
    """Events of all users, oldest first: user `u` has those in [offsets[u], offsets[u + 1]).

    Arrays of one length m: `item` item_idx, `code` of kind and action (`NO_CODE`: unknown),
    `time` in microseconds. `offsets` has one number more than there are users.
    """

    offsets: LongArray
    item: IntArray
    code: IntArray
    time: LongArray

    @property
    def n_users(self) -> int:
        return len(self.offsets) - 1


def gap_buckets(gap_us: LongArray) -> IntArray:
    """Bucket of each span of microseconds: 1 below a second, then one more per doubling."""
    seconds = np.maximum(0, gap_us) // 1_000_000
    _, doublings = np.frexp(seconds.astype(np.float64))
    return np.asarray(np.minimum(1 + doublings, GAP_BUCKETS - 1), np.int32)


def gaps_before(time: LongArray, is_first: BoolArray) -> IntArray:
    """Bucket of the time since the event before [m]; `NO_GAP` where `is_first`."""
    before = np.diff(time, prepend=time[:1])
    return np.where(is_first, NO_GAP, gap_buckets(before)).astype(np.int32)


def nearest_seen(seen: BoolArray) -> IntArray:
    """For each code [n], the nearest code that was `seen` [n]; ties to the smaller one."""
    known = np.flatnonzero(seen)
    if len(known) == 0:
        return np.arange(len(seen), dtype=np.int32)
    distance: NDArray[np.int64] = np.abs(np.arange(len(seen))[:, None] - known[None, :])
    return np.asarray(known[distance.argmin(axis=1)], np.int32)
