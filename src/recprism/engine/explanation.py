"""Why this item, and what would change it: leave out each event behind it and rank again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recprism.data.times import from_micros
from recprism.engine.ranking import Ranked, rank
from recprism.engine.titles import Titles
from recprism.model import Model
from recprism.profiles.state import UserState
from recprism.records import Reason
from recprism.signals.plan import TaskPlan
from recprism.signals.shortlist import Binder

MOST_EVENTS = 20
"""So many of the latest events behind an item are left out, one at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why an item stands at `rank` (from 1; None when it is not on the shortlist).

    `changes` lists, for each event left out, the event, the new rank and the new score. `formula`
    holds the task's `expression` and the value of each of its names (None where unknown), where
    that made the score.
    """

    user: str | None
    task: str
    item: str
    title: str
    rank: int | None
    score: float | None
    reason: Reason | None
    note: str | None
    changes: tuple[Mapping[str, Any], ...]
    formula: Mapping[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "user": self.user,
            "task": self.task,
            "item": self.item,
            "title": self.title,
            "rank": self.rank,
            "score": None if self.score is None else round(self.score, 6),
            "reason": None if self.reason is None else self.reason.to_dict(),
            "formula": None if self.formula is None else dict(self.formula),
            "note": self.note,
            "changes": [dict(change) for change in self.changes],
        }


def formula_of(ranked: Ranked, position: int) -> dict[str, Any] | None:
    """The expression behind the score at a position with the values of its names, if there is
    one."""
    if ranked.plan.formula is None or ranked.terms is None:
        return None
    values = {name: float(column[position]) for name, column in ranked.terms.items()}
    return {
        "expression": ranked.plan.formula.text,
        "values": {name: round(v, 6) if isfinite(v) else None for name, v in values.items()},
    }


def what_changes(
    model: Model, titles: Titles, user: UserState, plan: TaskPlan, ranked: Ranked, item_idx: int
) -> list[dict[str, Any]]:
    """The new rank of an item without each of the latest events that speak for it."""
    changes = []
    for place in _events_behind(model, titles, user, plan, ranked, item_idx):
        keep = np.ones(len(user.item), bool)
        keep[place] = False
        again = rank(model, Binder(model.snapshot, _without(user, keep)), plan)
        position = again.position(item_idx)
        changes.append(
            {
                "without": {
                    "time": from_micros(int(user.time[place])).isoformat(),
                    "action": model.catalog.actions[int(user.action[place])],
                    "item": model.catalog.item_id(int(user.item[place])),
                    "title": titles.of(int(user.item[place])),
                },
                "rank": None if position < 0 else position + 1,
                "score": None if position < 0 else round(float(again.score[position]), 6),
            }
        )
    return changes


def _events_behind(
    model: Model, titles: Titles, user: UserState, plan: TaskPlan, ranked: Ranked, item_idx: int
) -> NDArray[np.int64]:
    """Places of the latest events on the item, what it links to, and the items of all clues."""
    position = ranked.position(item_idx)
    offer_row = int(ranked.candidates.offer_row[position]) if position >= 0 else -1
    targets = titles.targets(model.catalog.kind_of(item_idx), item_idx, offer_row)
    about = targets if len(targets) else np.array([item_idx], np.int32)
    involved = [np.array([item_idx]), about]
    for bound in Binder(model.snapshot, user).bind(plan.goal).values():
        clue = bound.clue(about)
        if clue is not None:
            involved.append(np.array(clue.items, np.int64))
    places = np.flatnonzero(np.isin(user.item, np.concatenate(involved)))
    return places[::-1][:MOST_EVENTS]


def _without(user: UserState, keep: NDArray[np.bool_]) -> UserState:
    return replace(
        user,
        item=user.item[keep],
        action=user.action[keep],
        time=user.time[keep],
        value=user.value[keep],
        session=user.session[keep],
    )
