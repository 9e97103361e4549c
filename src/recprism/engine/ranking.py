"""From a bound user to ranked candidates of one task, before lists are cut and merged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recprism.data.dataset import DAY_US, UNKNOWN, BoolArray, FloatArray, IntArray
from recprism.lists import Candidates
from recprism.lists.formula import Formula
from recprism.model import Model
from recprism.profiles.state import UserState
from recprism.ranker.features import Features, make_features
from recprism.signals.plan import TaskPlan
from recprism.signals.shortlist import Binder, Shortlist, make_shortlist
from recprism.signals.snapshot import Snapshot
from recprism.signals.trend import WINDOW_DAYS

FUSION = 60.0
"""The constant of reciprocal rank fusion (Cormack et al., SIGIR 2009)."""
WISH_WEIGHT = 3.0
"""A wish in words outweighs what the past says: its ranks count so many times."""


@dataclass(frozen=True)
class Ranked:
    """Candidates of one task, best first, each item once.

    `score` [n] orders them, `probability` [n] is that of the goal (NaN without a goal or ranker).
    `features` are kept in the same order for the shares of signals. `earlier` [n, s] are the
    probabilities of the actions of the funnel before the goal; s = 0 where the task has none, and
    for strangers. `terms` [n] each are what the task's formula was computed from, None where it did
    not order the list. `composed` says that a language model ordered the first of them.
    """

    plan: TaskPlan
    candidates: Candidates
    score: NDArray[np.float64]
    probability: NDArray[np.float64]
    columns: FloatArray
    retrieved: NDArray[np.bool_]
    features: Features | None
    earlier: NDArray[np.float64]
    terms: Mapping[str, NDArray[np.float64]] | None = None
    composed: bool = False

    def __len__(self) -> int:
        return len(self.candidates)

    def take(self, rows: NDArray[np.int64] | BoolArray) -> Ranked:
        """The candidates at `rows`, in that order, or those where `rows` [n] says so."""
        features, terms = self.features, self.terms
        if features is not None:
            features = Features(features.numbers[rows], features.codes[rows])
        if terms is not None:
            terms = {name: values[rows] for name, values in terms.items()}
        return replace(
            self,
            candidates=self.candidates.take(rows),
            score=self.score[rows],
            probability=self.probability[rows],
            columns=self.columns[rows],
            retrieved=self.retrieved[rows],
            features=features,
            earlier=self.earlier[rows],
            terms=terms,
        )

    def in_order(self, rows: NDArray[np.int64]) -> Ranked:
        """All candidates in the order `rows` that a language model gave them.

        Probabilities stay those of the items. Scores, which order a list, are reciprocal ranks, as
        where a wish orders it.
        """
        score = 1.0 / (FUSION / 10 + np.arange(1, len(rows) + 1, dtype=np.float64))
        return replace(self.take(rows), score=score, composed=True)

    def position(self, item_idx: int) -> int:
        """Rank of an item counted from 0, -1 when it is not here."""
        found = np.flatnonzero(self.candidates.item == item_idx)
        return int(found[0]) if len(found) else -1


def rank(model: Model, binder: Binder, plan: TaskPlan, wanted: int = 0) -> Ranked:
    """Rank the shortlist of one task, of at least `wanted` items where there are so many.

    By the task's ranker where there is one and something is known of the user; a stranger gets
    popularity in context. A wish in words, and a task without a goal, rank by content. A formula
    computes with the ranker's probabilities, and for strangers with popularity in their place.
    """
    shortlist = make_shortlist(binder, plan, model.project.ranker.shortlist, wanted)
    ranker = model.rankers.get(plan.name)
    features, earlier = None, np.zeros((len(shortlist), 0))
    if ranker is None or binder.user.is_cold:
        probability = _popular_share(model, plan, shortlist)
        score = order_by = _without_ranker(binder, plan, shortlist, probability)
    else:
        features = make_features(model.features, binder, shortlist, plan)
        chances = ranker.chances(features)
        score, earlier = chances.goal, chances.earlier
        probability, order_by = score, np.asarray(chances.logit, np.float64)
    terms = None
    if plan.has_goal and (features is not None or is_stranger(binder.user)):
        terms = _terms(plan, shortlist, probability, earlier)
    if terms is not None and plan.formula is not None:
        score, order_by = _by_formula(plan.formula, terms, order_by)
    if binder.user.wish is not None and plan.has_goal:
        score = order_by = _with_wish(model.snapshot, shortlist, order_by)
    if not plan.has_goal:
        probability = np.full(len(shortlist), np.nan)
    ranked = Ranked(
        plan,
        shortlist.candidates,
        score,
        probability,
        shortlist.columns,
        shortlist.retrieved,
        features,
        earlier,
        terms,
    )
    return ranked.take(_once(shortlist.candidates.item, order_by))


def _terms(
    plan: TaskPlan,
    shortlist: Shortlist,
    probability: NDArray[np.float64],
    earlier: NDArray[np.float64],
) -> dict[str, NDArray[np.float64]] | None:
    """What the task's formula computes with; None without one, or where a probability is unknown.

    Without a ranker nothing is known of the actions that lead to the goal.
    """
    if plan.formula is None:
        return None
    chances = dict(zip(plan.spec.funnel, earlier.T, strict=False))
    chances[plan.spec.goal or ""] = probability
    items = shortlist.candidates.item
    trained = plan.is_trained(items)
    if trained.all():
        return plan.formula.terms(chances, items - np.int32(plan.kind.start))
    assert plan.beside is not None
    terms: dict[str, NDArray[np.float64]] = {}
    for one, some in ((plan, trained), (plan.beside, ~trained)):
        assert one.formula is not None
        own = {name: values[some] for name, values in chances.items()}
        found = one.formula.terms(own, items[some] - np.int32(one.kind.start))
        if found is None:
            return None
        for name, values in found.items():
            terms.setdefault(name, np.full(len(items), np.nan))[some] = values
    return terms


def _by_formula(
    formula: Formula, terms: Mapping[str, NDArray[np.float64]], order_by: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(score, what orders by it [n]); equal scores stay in the order of `order_by`."""
    score, lost = formula.score(terms, len(order_by))
    place = np.lexsort((-order_by, -score, lost))
    order = np.empty(len(place), np.float64)
    order[place] = -np.arange(len(place))
    return score, order


def main_numbers(snapshot: Snapshot, columns: FloatArray) -> dict[str, FloatArray]:
    """The main number of each signal, its largest over what an item links to, [n] each."""
    return {
        name: strongest(snapshot, columns, f"{name}.{signal.columns[0]}")
        for name, signal in snapshot.signals.items()
    }


def strongest(snapshot: Snapshot, columns: FloatArray, name: str) -> FloatArray:
    """A column, of each candidate its own number or the largest of what it links to, [n]."""
    return np.asarray(columns[:, :2, snapshot.column_index[name]].max(axis=1))


def _popular_share(model: Model, plan: TaskPlan, shortlist: Shortlist) -> NDArray[np.float64]:
    """For strangers: the share of recent users who reached an item, scaled to the horizon.

    P ~ distinct users of the last 28 days / users active then x horizon / 28 days, for the item or
    the most popular one it links to.
    """
    users = np.expm1(strongest(model.snapshot, shortlist.columns, "trend.users"))
    scale = min(1.0, plan.horizon_us / (WINDOW_DAYS * DAY_US))
    return np.asarray(np.clip(users / model.active_users * scale, 0.0, 1.0), np.float64)


def _without_ranker(
    binder: Binder, plan: TaskPlan, shortlist: Shortlist, popular: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Order for strangers and for tasks without a ranker."""
    snapshot, columns = binder.snapshot, shortlist.columns
    if binder.user.wish is not None and not plan.has_goal:
        return strongest(snapshot, columns, "content.wish").astype(np.float64)
    if is_stranger(binder.user):
        return popular + 1e-9 * columns[:, 1, snapshot.column_index["trend.recent"]]
    if not plan.has_goal:
        return strongest(snapshot, columns, "content.similarity").astype(np.float64)
    fused = np.zeros(len(shortlist))
    for number in main_numbers(snapshot, columns).values():
        # Where a signal knows nothing of an item, its rank among the unknown means nothing.
        reciprocal = 1.0 / (FUSION + _ranks(np.asarray(number, np.float64)))
        fused += np.where(number > 0, reciprocal, 0.0)
    return fused


def is_stranger(user: UserState) -> bool:
    """Whether there is nothing to start from: no past, and no item that is looked at."""
    return user.is_cold and user.viewing == UNKNOWN


def _with_wish(
    snapshot: Snapshot, shortlist: Shortlist, order_by: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Reciprocal rank fusion of the wish and the usual order."""
    wish = strongest(snapshot, shortlist.columns, "content.wish")
    by_wish = WISH_WEIGHT / (FUSION / 10 + _ranks(np.asarray(wish, np.float64)))
    return by_wish + 1.0 / (FUSION / 10 + _ranks(order_by))


def _ranks(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rank of each value, the largest is 1."""
    rank = np.empty(len(values), np.int64)
    rank[np.argsort(-values, kind="stable")] = np.arange(1, len(values) + 1)
    return rank


def _once(item: IntArray, order_by: NDArray[np.float64]) -> NDArray[np.int64]:
    """Positions from best to worst, of each item its best row only."""
    order = np.argsort(-order_by, kind="stable")
    _, first = np.unique(item[order], return_index=True)
    return order[np.sort(first)]
