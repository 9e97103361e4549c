"""A task's rules on single items: labels that are never shown, and what may come again.

In come a kind and its task from the project file, compiled once; out goes a mask over candidates.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from recprism.data.dataset import BoolArray, IntArray, KindTable, Links, LongArray
from recprism.errors import UnknownName
from recprism.lists.eligibility import Candidates
from recprism.project.schema import RepeatAfter, Task

NEVER_AGAIN = int(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class Policy:
    """The compiled rules of one task.

    `excluded` [len(kind)] marks items whose label is ruled out, `excluded_groups` [groups] offers
    whose label is (None: no such rule). `again_after` is the span in microseconds after the goal
    in which an item stays away (0: it may come at once). `via` is the link on whose far end the
    goal is counted (None: on the item itself).
    """

    start: int
    excluded: BoolArray
    excluded_groups: BoolArray | None
    again_after: int
    via: Links | None

    @property
    def is_open(self) -> bool:
        """Whether the rules let everything through."""
        return not (self._excludes or self.excluded_groups is not None or self.again_after)

    @cached_property
    def _excludes(self) -> bool:
        return bool(self.excluded.any())

    def allowed(
        self, candidates: Candidates, goal_item: IntArray, goal_time: LongArray, at: int
    ) -> BoolArray:
        """Which candidates the rules let through, [n].

        `goal_item` (global item_idx) and `goal_time` (microseconds) [m] are the user's past events
        with the task's goal action; empty for a user without history.
        """
        keep = ~self.excluded[candidates.item - self.start]
        if self.excluded_groups is not None:
            keep &= (candidates.group < 0) | ~self.excluded_groups[candidates.group]
        if self.again_after and len(goal_item):
            keep &= ~self._reached(candidates, goal_item[at - goal_time < self.again_after])
        return keep

    def _reached(self, candidates: Candidates, reached: IntArray) -> BoolArray:
        """Candidates whose goal lies among the items `reached`, [n]."""
        if self.via is None:
            own = reached[(reached >= self.start) & (reached < self.start + len(self.excluded))]
            hit = np.zeros(len(self.excluded), bool)
            hit[own - self.start] = True
            return np.asarray(hit[candidates.item - self.start])
        own_row = candidates.item - self.start
        rows = candidates.offer_row.astype(np.int32) if self.via.by_offer else own_row
        targets, _ = self.via.targets.gather(rows)
        candidate = np.repeat(np.arange(len(rows)), self.via.targets.counts(rows))
        hit = np.zeros(len(rows), bool)
        hit[candidate[np.isin(targets, reached)]] = True
        return hit


def compile_policy(kind: KindTable, task: Task) -> Policy:
    """The rules of `task` over `kind`.

    Raises `UnknownName` for an `exclude` label that neither the items nor their offers have, and
    for a `via` that is no link of the kind.
    """
    excluded = np.zeros(len(kind), bool)
    groups: BoolArray | None = None
    of_offers = _offer_labels(kind)
    for label, values in task.exclude.items():
        if label in kind.label_names:
            excluded |= _has_value(kind.label(label), values)
        elif label in of_offers:
            found = _has_value(of_offers[label], values)
            groups = found if groups is None else groups | found
        else:
            known = [*kind.label_names, *of_offers]
            raise UnknownName(f"label of `{kind.name}`", label, known)
    if task.via is not None and task.via not in kind.links:
        raise UnknownName(f"link of `{kind.name}`", task.via, kind.links)
    via = None if task.via is None else kind.links[task.via]
    return Policy(kind.start, excluded, groups, _again_after(task), via)


def _offer_labels(kind: KindTable) -> dict[str, pl.Series]:
    if kind.offers is None or kind.offers.labels is None:
        return {}
    return {column.name.removeprefix("label:"): column for column in kind.offers.labels}


def _has_value(column: pl.Series, values: list[str]) -> BoolArray:
    return column.cast(pl.String).is_in(values).fill_null(False).to_numpy().copy()


def _again_after(task: Task) -> int:
    if isinstance(task.repeat, RepeatAfter):
        return round(task.repeat.after.total_seconds() * 1e6)
    return NEVER_AGAIN if task.repeat == "never" else 0
