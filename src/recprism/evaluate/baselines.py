"""The simple rules that a model has to beat: popular, personal and random.

In come the events known at `until` and, for each occasion, the user's own events up to its moment,
as the engine gets them; out go scores over exactly the candidates that the engine may show. The one
decision worth knowing: the personal rule follows links, so that coupons and ads have an honest rule
of their own and not only products.

* popular: goal events per item before `until`; behind a `via`, where what is on offer changes from
  week to week, those of the last 4 weeks on the item that it leads to.
* personal: count x exp(-days since the last / 60). Behind a `via`, and for users without any such
  event, 1e-6 x the goal events of the last 4 weeks are added to break the ties.
* personal, for a kind that links to many items: own events on what an item links to, divided by
  sqrt(number it links to).
* random: what a random order of the candidates scores on average.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recprism.data.dataset import DAY_US, Dataset, IntArray, KindTable, Links, LongArray
from recprism.evaluate.metrics import Standing, standing_by_score
from recprism.evaluate.protocol import Goal, Occasions, candidates_for, link_rows
from recprism.lists.eligibility import Candidates

DECAY_DAYS = 60.0
RECENT_DAYS = 28
TIE_BREAK = 1e-6

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class BaselineRules:
    """The rules of one task, with counts over all users from before `until`.

    `popular` and `recent` count goal events per global item_idx, all and of the last 4 weeks,
    shape [n_items]. `covers` is the link that the personal rule sums over, if there is one.
    """

    dataset: Dataset
    goal: Goal
    popular: Scores
    recent: Scores
    covers: Links | None

    def standings(self, user: int, at: int, truth: IntArray) -> dict[str, Standing]:
        """Where `truth` (global item_idx) stands under each rule for one user at one moment."""
        kind = self.goal.kind
        candidates = candidates_for(self.dataset, kind, user, at)
        items, scores = self.scores(user, at, candidates)
        true = np.isin(items, truth)
        found = {
            rule: standing_by_score(values, true, len(truth)) for rule, values in scores.items()
        }
        hits = int(true.sum())
        even = Standing(np.zeros(hits, np.int64), np.full(hits, len(items), np.int64), len(truth))
        return {"random": even} | found

    def scores(
        self, user: int, at: int, candidates: Candidates | None
    ) -> tuple[IntArray, dict[str, Scores]]:
        """Distinct candidate items and their scores by rule, each [n]."""
        kind = self.goal.kind
        if self.covers is not None:
            personal = self._covered(user, at, candidates, self.covers)
        else:
            personal = self._frequency(user, at, candidates)
        counts = self.popular if self.goal.link is None else self.recent
        popular = self._through(counts, candidates)
        if candidates is None:
            everything = np.arange(kind.start, kind.stop, dtype=np.int32)
            return everything, {"popular": popular, "personal": personal}
        items, which = np.unique(candidates.item, return_inverse=True)
        scores = {"popular": popular, "personal": personal}
        return items, {rule: _largest(values, which, len(items)) for rule, values in scores.items()}

    def _frequency(self, user: int, at: int, candidates: Candidates | None) -> Scores:
        personal = self._through(self._own(user, at), candidates)
        if self.goal.link is None and personal.any():
            return personal
        return personal + TIE_BREAK * self._through(self.recent, candidates)

    def _own(self, user: int, at: int) -> Scores:
        """count x exp(-days since the last / 60) of the user's goal events, [n_items]."""
        log, catalog = self.dataset.events, self.dataset.catalog
        span = log.span(user, before=at)
        kind = self.goal.kind if self.goal.link is None else catalog.kinds[self.goal.link.kind]
        item, time = log.item[span], log.time[span]
        mine = (log.action[span] == self.goal.action) & (item >= kind.start) & (item < kind.stop)
        item, time = item[mine], time[mine]
        which, last = np.unique(
            item[::-1], return_index=True
        )  # times ascend: the first is the last
        ages = (at - time[::-1][last]) / DAY_US
        out = np.zeros(catalog.n_items)
        counts = np.bincount(np.searchsorted(which, item), minlength=len(which))
        out[which] = counts * np.exp(-ages / DECAY_DAYS)
        return out

    def _through(self, values: Scores, candidates: Candidates | None) -> Scores:
        """`values` [n_items] of each candidate, or the sum over what its `via` leads to."""
        kind, link = self.goal.kind, self.goal.link
        if link is None:
            item = np.s_[kind.start : kind.stop] if candidates is None else candidates.item
            return values[item]
        return _sum_over(link, link_rows(kind, link, candidates), values)

    def _covered(self, user: int, at: int, candidates: Candidates | None, link: Links) -> Scores:
        """Own events on what each candidate links to, over the root of how many it links to."""
        log = self.dataset.events
        own = np.bincount(
            log.item[log.span(user, before=at)], minlength=self.dataset.catalog.n_items
        )
        rows = link_rows(self.goal.kind, link, candidates)
        size = link.targets.counts(rows.astype(np.int32))
        return _sum_over(link, rows, own.astype(np.float64)) / np.sqrt(np.maximum(size, 1))


def _sum_over(link: Links, rows: LongArray, values: Scores) -> Scores:
    """Sum of `values` [n_items] over the targets of each of `rows`, shape [len(rows)]."""
    counts = link.targets.counts(rows.astype(np.int32))
    targets, _ = link.targets.gather(rows.astype(np.int32))
    owner = np.repeat(np.arange(len(rows)), counts)
    return np.bincount(owner, weights=values[targets], minlength=len(rows)).astype(np.float64)


def _largest(values: Scores, which: LongArray, n: int) -> Scores:
    """The largest of `values` [m] per group `which` [m]; an item offered twice counts once."""
    out = np.full(n, -np.inf)
    np.maximum.at(out, which, values)
    return out


def covering_link(kind: KindTable) -> Links | None:
    """The link with the most edges when the items of `kind` link to more than one on average."""
    links = sorted(kind.links.values(), key=lambda link: (-len(link.targets.values), link.name))
    if not links or len(links[0].targets.values) <= len(links[0].targets):
        return None
    return links[0]


def fit_baselines(dataset: Dataset, goal: Goal, until: int) -> BaselineRules:
    """Count what was known before `until`."""
    log, catalog = dataset.events, dataset.catalog
    reached = goal.events(log, catalog) & (log.time < until)
    recent = reached & (log.time >= until - RECENT_DAYS * DAY_US)
    covers = covering_link(goal.kind) if goal.link is None else None
    counts = [
        np.bincount(log.item[mask], minlength=catalog.n_items).astype(np.float64)
        for mask in (reached, recent)
    ]
    return BaselineRules(dataset, goal, counts[0], counts[1], covers)


def baseline_standings(
    dataset: Dataset, goal: Goal, occasions: Occasions
) -> list[Mapping[str, Standing]]:
    """The standing of the truth of every occasion under `random`, `popular` and `personal`."""
    rules = fit_baselines(dataset, goal, occasions.until)
    return [
        rules.standings(int(occasions.user[row]), int(occasions.at[row]), occasions.truth.of(row))
        for row in range(len(occasions))
    ]


def item_popularity(dataset: Dataset, goal: Goal, until: int) -> tuple[Scores, Scores]:
    """Goal events and distinct users who reached the goal before `until`, both [len(kind)].

    Behind a `via` those of the item that it leads to; behind offers the largest over its offers.
    """
    log, catalog, kind = dataset.events, dataset.catalog, goal.kind
    reached = goal.events(log, catalog) & (log.time < until)
    item, user = log.item[reached].astype(np.int64), log.user[reached]
    distinct = np.unique(item * max(1, len(catalog.users)) + user) // max(1, len(catalog.users))
    found = []
    for items in (item, distinct):
        counts = np.bincount(items, minlength=catalog.n_items).astype(np.float64)
        if goal.link is None:
            counts = counts[kind.start : kind.stop]
        else:
            rows = np.arange(len(goal.link.targets), dtype=np.int64)
            counts = _sum_over(goal.link, rows, counts)
            if goal.link.by_offer and kind.offers is not None:
                counts = np.maximum(
                    _largest(counts, kind.offers.item.astype(np.int64), len(kind)), 0
                )
        found.append(counts)
    return found[0], found[1]
