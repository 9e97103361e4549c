"""Transitions between items: in comes a log, out goes how much each item leads to each other one.

A visit is a session where the source has sessions, else a day. A pair of items counts when a user
touched one of them at a later visit than the other, divided by a power of the number of visits
between and decayed by the time between; the opposite direction counts less, and a pair within one
visit counts both ways. The decision worth knowing: a log is one sparse matrix V of visits and
items, and all pairs are one product, V' (L V), with L the weights between visits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from sparse_dot_topn import sp_matmul_topn

from recprism.data.dataset import DAY_US, EventLog, FloatArray, IntArray, LongArray
from recprism.project.schema import Follow as Config

LEAST_SPAN = 2
PAIRS = 40_000_000
"""Pairs of items of different visits that are looked at; more of them shorten the span, but not
below `LEAST_SPAN` visits."""
SAME_VISIT = 0.5
"""Weight of a pair within one visit."""
MEMORY_DAYS = 180.0
"""Decay time of the transitions themselves."""


@dataclass(frozen=True)
class Visits:
    """Who touched what when, in order of user and time.

    `incidence` [n_visits, n_rows] is 1 where an item was touched; `user` and `time` [n_visits] are
    each visit's user and first event. `item` [n_rows] is the item of each row, `row` [n_items] its
    inverse, -1 for items without.
    """

    incidence: sp.csr_matrix
    user: IntArray
    time: LongArray
    item: IntArray
    row: IntArray

    @classmethod
    def read(cls, log: EventLog, n_items: int, least: int) -> Visits:
        """The visits of a log, to items that at least `least` users touched."""
        order = np.lexsort((log.session, log.time // DAY_US, log.user))
        user, day, session = log.user[order], log.time[order] // DAY_US, log.session[order]
        new = np.ones(len(order), bool)
        new[1:] = (user[1:] != user[:-1]) | (day[1:] != day[:-1]) | (session[1:] != session[:-1])
        begin, owner = log.time[order][new], user[new]
        by_time = np.lexsort((begin, owner))  # session codes of one day come in any order
        number = np.empty(len(by_time), np.int64)
        number[by_time] = np.arange(len(by_time))
        visit = number[np.cumsum(new) - 1]
        row, item = _supported(log, n_items, least)
        known = row[log.item[order]] >= 0
        place = (visit[known], row[log.item[order]][known])
        shape = (len(by_time), len(item))
        incidence = sp.csr_matrix((np.ones(len(place[0]), np.float32), place), shape=shape)
        incidence.sum_duplicates()
        incidence.data[:] = 1.0
        return cls(incidence, owner[by_time], begin[by_time], item, row)

    @property
    def popularity(self) -> FloatArray:
        """Visits per item, at least 1, [n_rows]."""
        return np.maximum(1.0, np.asarray(self.incidence.sum(axis=0), np.float32).ravel())


def _supported(log: EventLog, n_items: int, least: int) -> tuple[IntArray, IntArray]:
    """Rows for items with enough users: (row of each item or -1 [n_items], item of each row)."""
    users = np.bincount(log.item, minlength=n_items)
    if least > 1:
        pairs = np.unique(log.item.astype(np.int64) * max(1, log.n_users) + log.user)
        users = np.bincount(pairs // max(1, log.n_users), minlength=n_items)
    item = np.flatnonzero(users >= min(least, max(1, log.n_users))).astype(np.int32)
    row = np.full(n_items, -1, np.int32)
    row[item] = np.arange(len(item), dtype=np.int32)
    return row, item


def strongest_pairs(
    visits: Visits, between: sp.csr_matrix, weight: FloatArray, n: int
) -> sp.csr_matrix:
    """The `n` heaviest transitions of each item, columns times `weight`, CSR [n_rows, n_rows].

    Each row has the heaviest first. No item leads to itself. The product of all pairs is never
    held: it is some twenty times as large as what is kept of it.
    """
    led = sp.csr_matrix(between @ visits.incidence)
    led.data *= weight[led.indices]
    return strongest_products(sp.csr_matrix(visits.incidence.T), led, n)


def strongest_products(left: sp.csr_matrix, right: sp.csr_matrix, n: int) -> sp.csr_matrix:
    """The `n` largest numbers of each row of the square matrix `left` `right`, the largest first.

    Its diagonal is left out.
    """
    kept = sp_matmul_topn(left, right, top_n=n + 1, sort=True)
    row = np.repeat(np.arange(kept.shape[0], dtype=np.int32), np.diff(kept.indptr))
    other = row != kept.indices
    offsets = np.searchsorted(row[other], np.arange(kept.shape[0] + 1))
    parts = (kept.data[other], kept.indices[other], offsets)
    return first_of_rows(sp.csr_matrix(parts, shape=kept.shape), n)


def first_of_rows(matrix: sp.csr_matrix, n: int) -> sp.csr_matrix:
    """The first `n` entries of each row, as they are stored."""
    size = np.diff(matrix.indptr)
    first = np.arange(matrix.nnz) - np.repeat(matrix.indptr[:-1], size) < n
    offsets = np.concatenate([[0], np.cumsum(np.minimum(size, n))])
    return sp.csr_matrix((matrix.data[first], matrix.indices[first], offsets), matrix.shape)


def pairs_of(visits: Visits, between: sp.csr_matrix, chosen: LongArray) -> sp.csr_matrix:
    """What the visits `chosen` [n], one per user, add to the transitions, CSR [n_rows, n_rows]."""
    incidence = visits.incidence
    is_other = np.ones(len(visits.user), np.float32)
    is_other[chosen] = 0.0
    here = incidence[chosen]
    after = sp.csr_matrix(here.T) @ (between[chosen] @ incidence)
    before = sp.csr_matrix((sp.diags(is_other) @ between[:, chosen]).T @ incidence)
    return sp.csr_matrix(after + sp.csr_matrix(before.T) @ here)


def weigh_visits(visits: Visits, at: int, config: Config) -> sp.csr_matrix:
    """L [n_visits, n_visits]: what a visit (column) weighs for what leads from another (row)."""
    n = len(visits.user)
    fresh = np.exp(-((at - visits.time) / DAY_US) / MEMORY_DAYS)
    bands = [(np.arange(n), np.arange(n), SAME_VISIT * fresh)]
    for step in range(1, _affordable(visits, config.span) + 1):
        earlier = np.flatnonzero(visits.user[step:] == visits.user[:-step])
        gap = (visits.time[earlier + step] - visits.time[earlier]) / DAY_US
        weight = step**-config.distance_power * np.exp(-gap / config.decay_days)
        weight = weight * fresh[earlier + step]
        bands.append((earlier, earlier + step, weight))
        if config.backward > 0:
            bands.append((earlier + step, earlier, config.backward * weight))
    row, column, weight = (np.concatenate(part) for part in zip(*bands, strict=True))
    return sp.csr_matrix((weight.astype(np.float32), (row, column)), shape=(n, n))


def _affordable(visits: Visits, span: int) -> int:
    """How many later visits to look at: `span`, or fewer where that means more than `PAIRS`."""
    size, pairs = np.diff(visits.incidence.indptr).astype(np.int64), 0
    for step in range(1, min(span, len(size) - 1) + 1):
        same = visits.user[step:] == visits.user[:-step]
        if not same.any():
            return step - 1
        pairs += int((size[step:] * size[:-step])[same].sum())
        if pairs > PAIRS:
            return max(step - 1, min(LEAST_SPAN, span))
    return min(span, max(0, len(size) - 1))
