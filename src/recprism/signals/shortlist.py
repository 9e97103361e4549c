"""From a user's state and a task to a shortlist and the numbers the ranker sees.

The same code runs online and when training samples are made, so that the two cannot drift apart.
In come a fitted `Snapshot` and a `UserState`, out goes a `Shortlist` of at most a few hundred
candidates: those that eligibility leaves, cut by the union of each signal's best.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recprism.data.dataset import UNKNOWN, BoolArray, FloatArray, IntArray
from recprism.lists.eligibility import Candidates, eligible, every_item
from recprism.profiles.state import UserState
from recprism.signals.interface import Bound, Goal
from recprism.signals.newcomers import Beside
from recprism.signals.plan import TaskPlan
from recprism.signals.snapshot import Snapshot
from recprism.signals.taste import top

MOST_NEWCOMERS = 100
"""At most so many items that came after training are shortlisted, those that fit best."""
FEW = 400
"""Up to so many eligible candidates all signals score all of them."""


@dataclass(frozen=True)
class Shortlist:
    """Candidates of one request and task.

    An item may stand in several rows, one per offer. `columns` [n, 4, c] are the numbers of all
    signals in the order of `Snapshot.columns`, for the item itself and as `gather_links` gives
    them. `retrieved` [n, signals] tells which signals put a candidate here; `eligible` are the
    items there were to choose from (None: every item of the kind).
    """

    candidates: Candidates
    columns: FloatArray
    retrieved: BoolArray
    eligible: IntArray | None

    def __len__(self) -> int:
        return len(self.candidates)


class Binder:
    """All signals of a snapshot, bound to one user; what does not depend on the goal is shared."""

    def __init__(self, snapshot: Snapshot, user: UserState) -> None:
        if user.wish is None:
            user = replace(user, wish=snapshot.setting.wish_of(user.user_idx))
        self.snapshot, self.user = snapshot, user
        self.taste = snapshot.taste.fold_in(user.item, user.time, user.at)
        self.segment = snapshot.segment_of(self.taste, user.user_idx)
        self._shared: dict[tuple[str, Goal | None], Bound] = {}

    def bind(self, goal: Goal) -> dict[str, Bound]:
        """The bound signals by name, for one goal."""
        return {name: self._bound(name, goal) for name in self.snapshot.signals}

    def _bound(self, name: str, goal: Goal) -> Bound:
        signal = self.snapshot.signals[name]
        key = (name, goal if signal.with_goal else None)
        if key not in self._shared:
            bound = signal.bind(self.user, goal, self.taste, self.segment)
            newcomers = self.snapshot.newcomers
            if newcomers is not None:
                bound = Beside(bound, newcomers, len(signal.columns))
            self._shared[key] = bound
        return self._shared[key]


def make_shortlist(binder: Binder, plan: TaskPlan, limit: int, wanted: int = 0) -> Shortlist:
    """At most `limit` candidates (more only where that saves nothing, see `FEW`).

    Where the signals propose fewer than `wanted` items, popular ones follow, so that no list is
    short while there is something to show.
    """
    user, bound = binder.user, binder.bind(plan.goal)
    limit = max(limit, wanted)
    candidates = eligible(plan.kind, user.user_idx, user.at, user.context)
    if candidates is None:
        candidates, retrieved = _retrieve(binder, bound, plan, limit, wanted)
        open_items = None
    else:
        candidates = plan.admit(candidates, user)
        open_items = _distinct(candidates.item, plan)
        candidates, retrieved = _cut(binder, bound, plan, candidates, limit, wanted)
    if plan.beside is not None:
        candidates, retrieved = _with_newcomers(binder, bound, plan, candidates, retrieved)
    columns = score_columns(binder, plan, candidates)
    return Shortlist(candidates, columns, retrieved, open_items)


def _with_newcomers(
    binder: Binder,
    bound: Mapping[str, Bound],
    plan: TaskPlan,
    candidates: Candidates,
    retrieved: BoolArray,
) -> tuple[Candidates, BoolArray]:
    """The candidates and, after them, the newcomers whose content fits best; the latest of equal
    ones, which are the last in their table."""
    assert plan.beside is not None
    found = plan.beside.admit(every_item(plan.beside.kind), binder.user).item[::-1]
    fits = bound["content"].main(found)
    found = found[np.argsort(-fits, kind="stable")[:MOST_NEWCOMERS]]
    n = len(found)
    by = np.zeros((n, len(bound)), bool)
    by[:, list(bound).index("content")] = True
    joined = Candidates(
        np.concatenate([candidates.item, found]),
        np.concatenate([candidates.offer_row, np.full(n, UNKNOWN, np.int64)]),
        np.concatenate([candidates.group, np.full(n, UNKNOWN, np.int32)]),
    )
    return joined, np.concatenate([retrieved, by])


def _distinct(items: IntArray, plan: TaskPlan) -> IntArray:
    """The distinct items of the task's kind among `items`, in ascending order."""
    seen = np.zeros(len(plan.kind), bool)  # marking is quicker than sorting
    seen[items - plan.kind.start] = True
    return (np.flatnonzero(seen) + plan.kind.start).astype(np.int32)


def score_columns(binder: Binder, plan: TaskPlan, candidates: Candidates) -> FloatArray:
    """Numbers of all signals, shape [n, 4, c]: own, largest, mean of top three, sum / sqrt(n).

    An item of a kind without links counts as linked to itself.
    """
    bound = binder.bind(plan.goal)
    own = _scores(bound, candidates.item)
    out = np.empty((len(candidates), 4, own.shape[1]), np.float32)
    out[:, 0] = own
    if plan.links is None:
        out[:, 1:] = own[:, None]
        return out
    linked = plan.is_trained(candidates.item)  # no newcomer links to anything
    rows = plan.link_rows(candidates if linked.all() else candidates.take(linked))
    numbers = [
        binder.snapshot.link_numbers(plan.links, name).of(one, rows) for name, one in bound.items()
    ]
    borrowed = np.concatenate(numbers, axis=2).transpose(1, 0, 2)
    if linked.all():
        out[:, 1:] = borrowed
    else:
        out[:, 1:] = 0.0
        out[linked, 1:] = borrowed
    return out


def _scores(bound: Mapping[str, Bound], items: IntArray) -> FloatArray:
    return np.concatenate([signal.score(items) for signal in bound.values()], axis=1)


def _retrieve(
    binder: Binder, bound: Mapping[str, Bound], plan: TaskPlan, limit: int, wanted: int
) -> tuple[Candidates, BoolArray]:
    """The union of each signal's best among all items of the kind.

    A catalog of which the request leaves few items is shortlisted whole.
    """
    kind, user = plan.kind, binder.user
    found = [
        _admitted(signal, plan, user, binder.snapshot.quota[name]) for name, signal in bound.items()
    ]
    item = _union(found, limit)
    left = len(kind)
    if user.barred is not None:
        left = len(plan.admit_by_wish(every_item(kind), user))
    if left <= limit or len(item) < wanted:
        rest = np.setdiff1d(plan.admit(every_item(kind), user).item, item)
        item = np.concatenate([item, rest[_by_popularity(bound, rest)]])[:limit]
    retrieved = _found_by(item - kind.start, [best - kind.start for best in found], len(kind))
    return Candidates.without_offers(item), retrieved


def _admitted(signal: Bound, plan: TaskPlan, user: UserState, quota: int) -> IntArray:
    """The best `quota` items of a signal that the task's rules and the wish let through.

    Twice as many are asked for, since the rules may turn some down; a wish that rules out most of
    the catalog asks for more until there are enough.
    """
    wanted = 2 * quota
    while True:
        best = signal.retrieve(plan.kind.start, plan.kind.stop, wanted)
        item = plan.admit(Candidates.without_offers(best), user).item[:quota]
        closed = user.barred is not None or user.hidden is not None
        if not closed or len(item) == quota or len(best) < wanted:
            return item
        wanted *= 4


def _found_by(number: IntArray, found: Sequence[IntArray], size: int) -> BoolArray:
    """Which of `found` hold each of the numbers below `size`, [len(number), len(found)]."""
    held = np.zeros((len(found), size), bool)
    for row, best in enumerate(found):
        held[row, best] = True
    return held[:, number].T


def _union(found: Sequence[IntArray], limit: int) -> IntArray:
    """Distinct numbers, taken in turn: everybody's first, then everybody's second, and so on."""
    turn = np.concatenate([np.arange(len(best)) for best in found])
    item = np.concatenate(list(found))[np.argsort(turn, kind="stable")]
    _, first = np.unique(item, return_index=True)
    return item[np.sort(first)[:limit]].astype(np.int32)


def _cut(
    binder: Binder,
    bound: Mapping[str, Bound],
    plan: TaskPlan,
    candidates: Candidates,
    limit: int,
    wanted: int,
) -> tuple[Candidates, BoolArray]:
    """Eligible candidates, cut to the union of each signal's best when there are too many."""
    if len(candidates) <= max(limit, FEW):
        return candidates, np.ones((len(candidates), len(bound)), bool)
    scored, found = _first_target(plan, candidates), []
    for name, signal in bound.items():
        main = signal.main(scored)
        best = top(main, binder.snapshot.quota[name])
        found.append(best[main[best] > 0].astype(np.int32))
    place = _union(found, limit)
    if len(np.unique(candidates.item[place])) < max(1, wanted):
        rest = np.setdiff1d(np.arange(len(candidates)), place)
        place = np.concatenate([place, rest[_by_popularity(bound, scored[rest])]])[:limit]
    retrieved = _found_by(place, found, len(candidates))
    return candidates.take(place.astype(np.int64)), retrieved


def _by_popularity(bound: Mapping[str, Bound], items: IntArray) -> NDArray[np.int64]:
    """Positions of `items`, the most popular first."""
    return np.argsort(-bound["trend"].score(items)[:, 0], kind="stable")


def _first_target(plan: TaskPlan, candidates: Candidates) -> IntArray:
    """The first item each candidate links to, itself where it links to none."""
    if plan.links is None:
        return candidates.item
    rows, targets = plan.link_rows(candidates), plan.links.targets
    has = targets.counts(rows) > 0
    out = candidates.item.copy()
    out[has] = targets.values[targets.offsets[rows[has]]]
    return out
