"""How strongly to damp frequent items and how fast to forget, chosen on what users did last.

Logs differ: in a film log only the last few items tell what is next, in a grocery log the last
forty tell about equally, and often bought items should not drown the others. So the last visit of
some users is predicted from the visits before it, for every setting on a small grid, and the best
NDCG@10 wins. What of the transitions is left without those visits is counted once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product, starmap

import numpy as np
import scipy.sparse as sp

from recprism.data.dataset import BoolArray, FloatArray, IntArray, LongArray
from recprism.project.schema import Follow as Config
from recprism.signals.transitions import Visits, strongest

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


def choose(
    questions: Questions,
    transitions: Callable[[IntArray], sp.csr_matrix],
    popularity: FloatArray,
    config: Config,
) -> Choice:
    """The best setting among those that `config` leaves open; `transitions` gives rows [n, n_rows]
    of what the visits before tell."""
    powers = SOURCE_DAMPING if config.source_damping is None else (config.source_damping,)
    recencies = RECENCY if config.recency is None else (config.recency,)
    best, choice = 0.0, usual(config)
    source, place = np.unique(questions.row, return_inverse=True)
    kept = strongest(transitions(source), popularity**-config.damping, config.neighbors)
    shape, excluded = (questions.last.shape[0], len(source)), questions.excluded()
    for tried in starmap(Choice, product(powers, recencies)):
        weight = questions.weight * tried.recency**questions.ago
        weight = weight * tried.damp(popularity)[questions.row]
        score = sp.csr_matrix((weight, (questions.asked, place)), shape=shape) @ kept
        if excluded is not None:
            score = score - score.multiply(excluded)
        reached = _ndcg(sp.csr_matrix(score), questions.last)
        if reached > best:
            best, choice = reached, tried
    return choice


def _ndcg(score: sp.csr_matrix, wanted: sp.csr_matrix) -> float:
    """Mean NDCG@10 of the rows of `score` [n, n_rows], with `wanted` [n, n_rows] at 1."""
    top = strongest(score, np.ones(score.shape[1], np.float32), K)
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
