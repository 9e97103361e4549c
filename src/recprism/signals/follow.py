"""Follow: what people turn to after an item, across kinds.

A transition i -> j counts when a user touches j at the same visit as i or at one of the next
visits, weighted by exp(-days between / decay) and divided by popularity(j)^damping, for which about
0.3 does better than the 0.5 of a cosine. The strongest followers of each item are kept. A visit is
a session where the source has sessions, else a day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recprism.data.dataset import DAY_US, EventLog, FloatArray, IntArray, LongArray
from recprism.profiles.state import UserState
from recprism.project.schema import Follow as Config
from recprism.signals.interface import Arrays, Clue, Goal, Setting, among

MIN_USERS = 3
"""Items that fewer users touched are not followed: chance would decide."""
VISITS = 2
"""How many later visits a transition may span."""
SAME_VISIT = 0.5
"""Weight of a pair within one visit."""
MEMORY_DAYS = 180.0
"""Decay time of the transitions themselves."""


class Follow:
    """Kept followers per item as a sparse matrix in CSR form over all items."""

    name: ClassVar[str] = "follow"
    columns: ClassVar[tuple[str, ...]] = ("score", "best")
    with_goal: ClassVar[bool] = False
    sparse: ClassVar[bool] = True

    def __init__(
        self, offsets: LongArray, target: IntArray, weight: FloatArray, config: Config
    ) -> None:
        self._offsets, self._target, self._weight = offsets, target, weight
        self._config = config

    @classmethod
    def fit(cls, setting: Setting, log: EventLog, segment: IntArray) -> Self:  # noqa: ARG003
        config, n_items = setting.config.follow, setting.catalog.n_items
        kept = transitions(log, n_items, setting.at, config)
        return cls(kept.indptr.astype(np.int64), kept.indices, kept.data, config)

    def bind(
        self,
        user: UserState,
        goal: Goal,  # noqa: ARG002
        taste: FloatArray,  # noqa: ARG002
        segment: int,  # noqa: ARG002
    ) -> BoundFollow:
        source, weight = recent_items(user, self._config)
        return BoundFollow(self, user, source, weight)

    def followers(self, item: int) -> tuple[IntArray, FloatArray]:
        """Followers of one item and their weights."""
        span = slice(self._offsets[item], self._offsets[item + 1])
        return self._target[span], self._weight[span]

    def gather(self, source: IntArray) -> tuple[IntArray, FloatArray, IntArray]:
        """Followers of all of `source`: (target, weight, position in `source`), each [total]."""
        counts = self._offsets[source + 1] - self._offsets[source]
        starts = np.cumsum(counts) - counts
        at = np.arange(int(counts.sum())) + np.repeat(self._offsets[source] - starts, counts)
        position = np.repeat(np.arange(len(source), dtype=np.int32), counts)
        return self._target[at], self._weight[at], position

    @property
    def n_items(self) -> int:
        return len(self._offsets) - 1

    def alike(self) -> IntArray | None:
        return None

    def to_arrays(self) -> Arrays:
        return {"offsets": self._offsets, "target": self._target, "weight": self._weight}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], setting: Setting) -> Self:
        config = setting.config.follow
        return cls(arrays["offsets"], arrays["target"], arrays["weight"], config)


class BoundFollow:
    """The followers of a user's recent items, weighted by how recent those are."""

    common = None

    def __init__(
        self, follow: Follow, user: UserState, source: IntArray, weight: FloatArray
    ) -> None:
        self._user, self._source = user, source
        target, strength, position = follow.gather(source)
        strength = strength * weight[position]
        self._target, self._strength, self._position = target, strength, position
        self._distinct, inverse = np.unique(target, return_inverse=True)
        n = len(self._distinct)
        self._numbers = np.zeros((n + 1, 2), np.float32)
        self._numbers[1:, 0] = np.bincount(inverse, strength, n)
        np.maximum.at(self._numbers[1:, 1], inverse, strength.astype(np.float32))
        self._place = np.zeros(follow.n_items, np.int32)
        self._place[self._distinct] = np.arange(1, n + 1, dtype=np.int32)

    def score(self, items: IntArray) -> FloatArray:
        return self._numbers[self._place[items]]

    def main(self, items: IntArray) -> FloatArray:
        return np.asarray(self._numbers[self._place[items], 0])

    def retrieve(self, start: int, stop: int, n: int) -> IntArray:
        lo, hi = np.searchsorted(self._distinct, (start, stop))
        best = np.argsort(-self._numbers[1 + lo : 1 + hi, 0], kind="stable")[:n]
        return self._distinct[lo:hi][best].astype(np.int32)

    def clue(self, items: IntArray) -> Clue | None:
        followed = items[self._numbers[self._place[items], 0] > 0]
        if len(followed) == 0:
            return None
        hit = among(self._target, followed)
        push = np.bincount(self._position[hit], self._strength[hit])
        order = np.argsort(-push, kind="stable")
        source = self._source[order[push[order] > 0]][:3]
        return Clue(Follow.name, self._user.n_events_on(source), tuple(source.tolist()), {})


def recent_items(user: UserState, config: Config) -> tuple[IntArray, FloatArray]:
    """The user's last distinct items, newest first, and weights exp(-age / decay).

    While the user looks at an item, it alone is followed.
    """
    if user.viewing >= 0:
        return np.array([user.viewing], np.int32), np.ones(1, np.float32)
    item, place = np.unique(user.item[::-1], return_index=True)
    newest = np.argsort(place, kind="stable")[: config.history]
    age = (user.at - user.time[::-1][place[newest]]) / DAY_US
    return item[newest].astype(np.int32), np.exp(-age / config.decay_days).astype(np.float32)


@dataclass(frozen=True)
class Visits:
    """Who touched what when: incidence [n_visits, n_rows], and each visit's user and time."""

    incidence: sp.csr_matrix
    user: IntArray
    time: LongArray


def transitions(log: EventLog, n_items: int, at: int, config: Config) -> sp.csr_matrix:
    """Kept followers, CSR [n_items, n_items], at most `config.neighbors` per row."""
    row, item = _supported(log, n_items)
    visits = _visits(log, row, len(item))
    counts = _count_pairs(visits, at, config.decay_days)
    popularity = np.maximum(1.0, np.asarray(visits.incidence.sum(axis=0)).ravel())
    counts.data *= (popularity**-config.damping).astype(np.float32)[counts.indices]
    counts.data *= (popularity**-1.0).astype(np.float32)[
        np.repeat(np.arange(len(item)), np.diff(counts.indptr))
    ]
    kept = _top_per_row(counts, config.neighbors)
    rows = np.repeat(item, np.diff(kept.indptr))
    return sp.csr_matrix((kept.data, (rows, item[kept.indices])), shape=(n_items, n_items))


def _supported(log: EventLog, n_items: int) -> tuple[IntArray, IntArray]:
    """Rows for items with enough users: (row of each item or -1 [n_items], item of each row)."""
    pairs = np.unique(log.item.astype(np.int64) * max(1, log.n_users) + log.user)
    users = np.bincount(pairs // max(1, log.n_users), minlength=n_items)
    item = np.flatnonzero(users >= min(MIN_USERS, max(1, log.n_users))).astype(np.int32)
    row = np.full(n_items, -1, np.int32)
    row[item] = np.arange(len(item), dtype=np.int32)
    return row, item


def _visits(log: EventLog, row: IntArray, n_rows: int) -> Visits:
    """Visits in order of user and time; a visit is a session, or a day without sessions."""
    order = np.lexsort((log.session, log.time // DAY_US, log.user))
    user, day, session = log.user[order], log.time[order] // DAY_US, log.session[order]
    new = np.ones(len(order), bool)
    new[1:] = (user[1:] != user[:-1]) | (day[1:] != day[:-1]) | (session[1:] != session[:-1])
    begin, owner = log.time[order][new], user[new]
    by_time = np.lexsort((begin, owner))  # session codes of one day come in any order
    n_visits = len(by_time)
    number = np.empty(n_visits, np.int64)
    number[by_time] = np.arange(n_visits)
    visit = number[np.cumsum(new) - 1]
    known = row[log.item[order]] >= 0
    ones = np.ones(int(known.sum()), np.float32)
    place = (visit[known], row[log.item[order]][known])
    incidence = sp.csr_matrix((ones, place), shape=(n_visits, n_rows))
    incidence.sum_duplicates()
    incidence.data[:] = 1.0
    return Visits(incidence, owner[by_time], begin[by_time])


def _count_pairs(visits: Visits, at: int, decay_days: float) -> sp.csr_matrix:
    """Weighted transitions [n_rows, n_rows], without the diagonal."""
    fresh = np.exp(-((at - visits.time) / DAY_US) / MEMORY_DAYS)
    total = SAME_VISIT * (_scaled(visits.incidence, fresh).T @ visits.incidence)
    n = len(visits.user)
    for step in range(1, VISITS + 1):
        if n <= step:
            break
        gap = (visits.time[step:] - visits.time[:-step]) / DAY_US
        same = visits.user[step:] == visits.user[:-step]
        weight = np.where(same, np.exp(-gap / decay_days) * fresh[step:], 0.0)
        earlier = _scaled(visits.incidence[:-step], weight)
        total = total + earlier.T @ visits.incidence[step:]
    total = sp.csr_matrix(total)
    total.setdiag(0)
    total.eliminate_zeros()
    return total


def _scaled(matrix: sp.csr_matrix, weight: NDArray[Any]) -> sp.csr_matrix:
    """Rows of `matrix` times `weight` [n_rows]; rows of weight 0 become empty."""
    out = matrix.copy()
    out.data = out.data * np.repeat(weight, np.diff(matrix.indptr)).astype(np.float32)
    out.eliminate_zeros()
    return out


def _top_per_row(matrix: sp.csr_matrix, n: int) -> sp.csr_matrix:
    """Only the `n` largest entries of each row.

    One partition per row: sorting all entries at once takes ten times as long.
    """
    bounds, keep = matrix.indptr.tolist(), []
    for lo, hi in pairwise(bounds):
        if hi - lo > n:
            keep.append(lo + np.argpartition(matrix.data[lo:hi], hi - lo - n)[-n:])
        else:
            keep.append(np.arange(lo, hi))
    kept = np.concatenate(keep) if keep else np.zeros(0, np.int64)
    size = np.minimum(np.diff(matrix.indptr), n)
    offsets = np.concatenate([[0], np.cumsum(size)])
    return sp.csr_matrix((matrix.data[kept], matrix.indices[kept], offsets), matrix.shape)
