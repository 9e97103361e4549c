"""How strongly to damp frequent items and how fast to forget, chosen on what users did last.

Logs differ: in a film log only the last few items tell what is next, in a grocery log the last
forty tell about equally, and often bought items should not drown the others. So the last visit of
some users is predicted from the visits before it, for every setting on a small grid, and the best
NDCG@10 wins. What those visits add to the transitions is taken off before, from `DEPTH` times as
many as are kept: else the visits that are asked for would have chosen what is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise, product, starmap

import numpy as np
import scipy.sparse as sp

from recprism.data.dataset import BoolArray, FloatArray, IntArray, LongArray
from recprism.project.schema import Follow as Config
from recprism.signals.transitions import Visits, pairs_of

USERS = 500
"""So many users judge, at most."""
ENOUGH = 50
"""With fewer of them, chance would choose, and the settings are `USUAL`."""
SOURCE_DAMPING = (0.25, 0.5, 0.75, 1.0)
RECENCY = (0.5, 0.65, 0.8, 1.0)
RARE = 0.05
"""When a smaller part of the last visits was touched before, nobody is offered own items again."""
PRIOR = 5.0
"""Visits added to an item's own, so that those of few visits do not count most."""
K = 10
DEPTH = 2
"""With this, what is kept without the visits came out as from all transitions, on three sets."""
ROUNDING = 1e-5
"""A transition that only the last visits told must be nothing without them, not almost nothing."""


@dataclass(frozen=True)
class Choice:
    """`source_damping`: power of an item's popularity that divides all its transitions;
    `recency`: weight of a user's item per visit that came after it."""

    source_damping: float
    recency: float

    def damp(self, popularity: FloatArray) -> FloatArray:
        """Weight of an item as something that others follow, by its `popularity`."""
        return np.asarray((popularity + PRIOR) ** -self.source_damping, np.float32)


USUAL = Choice(0.5, 0.8)


def usual(config: Config) -> Choice:
    """What `config` says, `USUAL` where it leaves the choice."""
    return Choice(
        USUAL.source_damping if config.source_damping is None else config.source_damping,
        USUAL.recency if config.recency is None else config.recency,
    )


@dataclass(frozen=True)
class Questions:
    """Items of the users' pasts and last visits, as entries of sparse rows.

    `asked` [m] numbers the user of each past item, `row` [m] is the item, `ago` [m] how many visits
    came after it, `weight` [m] its other weight. `last` [n, n_rows] is 1 for the items of the last
    visits, `past` [n, n_rows] for all earlier ones.
    """

    asked: LongArray
    row: IntArray
    ago: LongArray
    weight: FloatArray
    last: sp.csr_matrix
    past: sp.csr_matrix

    def excluded(self) -> sp.csr_matrix | None:
        """The entries nobody is offered: the users' own items where those rarely come again."""
        again = self.last.multiply(self.past).sum()
        return self.past if again < RARE * self.last.sum() else None


def last_visits(visits: Visits) -> LongArray:
    """The last visits of at most `USERS` users with an earlier one, spread over all users."""
    user = visits.user
    is_last = np.append(user[1:] != user[:-1], True)[: len(user)]
    has_earlier = np.append(False, user[1:] == user[:-1])[: len(user)]
    last = np.flatnonzero(is_last & has_earlier)
    return last[np.linspace(0, len(last) - 1, min(USERS, len(last))).astype(np.int64)]


def ask(
    visits: Visits, held_out: LongArray, history: int, decay: Callable[[LongArray], FloatArray]
) -> Questions:
    """Questions on the visits `held_out` [n]; `decay` of times between visits weighs past items."""
    incidence = visits.incidence
    first = np.searchsorted(visits.user, visits.user[held_out])
    parts = list(_pasts(visits, first, held_out, history))
    row, ago, gap = (np.concatenate(part) for part in zip(*parts, strict=True))
    asked = np.repeat(np.arange(len(held_out)), [len(part[0]) for part in parts])
    owner = np.repeat(np.arange(len(held_out)), held_out - first)
    earlier = np.concatenate([np.arange(a, b) for a, b in zip(first, held_out, strict=True)])
    ones = np.ones(len(owner), np.float32)
    shape = (len(held_out), incidence.shape[0])
    past = sp.csr_matrix(sp.csr_matrix((ones, (owner, earlier)), shape=shape) @ incidence)
    past.data[:] = 1.0
    return Questions(asked, row, ago, decay(gap), incidence[held_out], past)


def _pasts(
    visits: Visits, first: LongArray, held_out: LongArray, history: int
) -> Iterator[tuple[IntArray, LongArray, LongArray]]:
    """(row, visits after it, time until the visit held out) of each user's last distinct items."""
    offsets, rows = visits.incidence.indptr, visits.incidence.indices
    for start, stop in zip(first, held_out, strict=True):
        lo, hi = offsets[start], offsets[stop]
        visit = np.repeat(np.arange(start, stop), np.diff(offsets[start : stop + 1]))[::-1]
        item, place = np.unique(rows[lo:hi][::-1], return_index=True)
        newest = np.argsort(place, kind="stable")[:history]
        visit = visit[place[newest]]
        yield item[newest], stop - 1 - visit, visits.time[stop] - visits.time[visit]


@dataclass(frozen=True)
class Known:
    """Transitions from the rows `source` [n] to all, [n, n_rows], and popularity [n_rows]."""

    source: IntArray
    transitions: sp.csr_matrix
    popularity: FloatArray

    @classmethod
    def without(
        cls,
        held_out: LongArray,
        found: sp.csr_matrix,
        visits: Visits,
        between: sp.csr_matrix,
        source: IntArray,
        config: Config,
    ) -> Known:
        """What would have been known had the visits `held_out` not been.

        `found` has `DEPTH` times as many transitions as are to be kept, divided by popularity.
        """
        before, power = visits.popularity, config.damping
        visited = np.asarray(visits.incidence[held_out].sum(axis=0), np.float32).ravel()
        popularity = np.maximum(1.0, before - visited)
        rows = found[source]
        pattern = sp.csr_matrix((np.ones_like(rows.data), rows.indices, rows.indptr), rows.shape)
        added = pattern.multiply(pairs_of(visits, between, held_out)[source]).tocsr()
        added.data *= (1.0 + ROUNDING) * before[added.indices] ** -power
        rest = sp.csr_matrix(rows - added)
        rest.data = np.maximum(0.0, rest.data) * (popularity / before)[rest.indices] ** -power
        return cls(source, _strongest(rest, config.neighbors), popularity)


def choose(questions: Questions, known: Known, config: Config) -> Choice:
    """The best setting among those that `config` leaves open, by what is `known` from all rows that
    are asked."""
    powers = SOURCE_DAMPING if config.source_damping is None else (config.source_damping,)
    recencies = RECENCY if config.recency is None else (config.recency,)
    best, choice = 0.0, usual(config)
    place, popularity = np.searchsorted(known.source, questions.row), known.popularity
    shape, excluded = (questions.last.shape[0], len(known.source)), questions.excluded()
    for tried in starmap(Choice, product(powers, recencies)):
        weight = questions.weight * tried.recency**questions.ago
        weight = weight * tried.damp(popularity)[questions.row]
        score = sp.csr_matrix((weight, (questions.asked, place)), shape=shape) @ known.transitions
        if excluded is not None:
            score = score - score.multiply(excluded)
        reached = _ndcg(sp.csr_matrix(score), questions.last)
        if reached > best:
            best, choice = reached, tried
    return choice


def _ndcg(score: sp.csr_matrix, wanted: sp.csr_matrix) -> float:
    """Mean NDCG@10 of the rows of `score` [n, n_rows], with `wanted` [n, n_rows] at 1."""
    top = _strongest(score, K)
    row = np.repeat(np.arange(top.shape[0]), np.diff(top.indptr))
    order = np.lexsort((-top.data, row))
    rank = np.arange(len(row)) - top.indptr[row]
    is_hit: BoolArray = np.asarray(wanted[row, top.indices[order]]).ravel() > 0
    gain = (is_hit & (top.data[order] > 0)) / np.log2(2.0 + rank)
    ideal = np.cumsum(1.0 / np.log2(2.0 + np.arange(K)))
    size = np.diff(wanted.indptr)
    reached = (
        np.bincount(row, gain, top.shape[0])[size > 0] / ideal[np.minimum(size[size > 0], K) - 1]
    )
    return float(reached.mean()) if len(reached) else 0.0


def _strongest(matrix: sp.csr_matrix, n: int) -> sp.csr_matrix:
    """The `n` largest entries of each row of `matrix`.

    One partition per row: sorting all entries at once takes ten times as long.
    """
    data, keep = matrix.data, []
    for lo, hi in pairwise(matrix.indptr.tolist()):
        if hi - lo > n:
            keep.append(lo + np.argpartition(data[lo:hi], hi - lo - n)[-n:])
        else:
            keep.append(np.arange(lo, hi))
    kept = np.concatenate(keep) if keep else np.zeros(0, np.int64)
    size = np.minimum(np.diff(matrix.indptr), n)
    offsets = np.concatenate([[0], np.cumsum(size)])
    return sp.csr_matrix((data[kept], matrix.indices[kept], offsets), matrix.shape)
