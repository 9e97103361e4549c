"""Funnel: what the user touched but has not taken to the goal, and how often that leads to it.

Where people view, cart and buy, most purchases are of something viewed before. A *touch* is an
event with another action than the goal's, on the goal's kind, after the user's last goal event on
that item. The main number is the chance that a touched item reaches the goal,

    1 - product over the user's actions a on the item of (1 - c(a, item)) ,
    c(a, item) = (users with both a and the goal + PRIOR rate(a)) / (users with a + PRIOR) ,

times exp(-days since the last touch / decay); rate(a) is c over all items of the kind. Two numbers
are the same for everyone: the goal's share of all that happens to an item, and its popularity. The
others are sums of cosines between an item and the user's own (see `together.py`), apart for those
that reached the goal and those that were touched: what a touch leads to depends on what else was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from recprism.data.dataset import DAY_US, EventLog, FloatArray, IntArray, LongArray
from recprism.profiles.state import UserState
from recprism.signals.interface import Arrays, Clue, Goal, Setting
from recprism.signals.together import ANY, Together

PRIOR = 20.0
"""Pseudo-count of users that draws an item's conversion towards that of its kind."""
SHARE_PRIOR = 5.0
"""Pseudo-count of the goal's share of an item's users."""
ENOUGH_USERS = 20
"""A sentence tells the conversion of an item from so many users on."""
COLUMNS = (
    *("chance", "kinds", "recency", "share", "reached"),
    *("near_goals", "near_touches", "goal_to_any", "any_to_goal", "goal_to_goal"),
)
OWN, GENERAL = 3, 2
"""The first columns are of the user's own touches, the next the same for everyone, the rest tell
what goes with what."""


@dataclass(frozen=True)
class Conversion:
    """One goal's numbers of the items in its range [start, stop).

    `chance` [actions, n] is c of the module, 0 for the goal itself; `general` [n, 2] are the
    columns `share` and `reached`.
    """

    chance: FloatArray
    general: FloatArray


class Funnel:
    """Distinct users per action and item, and of those the users who did a second action too.

    `reach` [actions, n_items]; `both` [p, n_items] belongs to `pairs` [p, 2] of different actions,
    of which only those are kept that occur together. `near` knows what goes with what.
    """

    name: ClassVar[str] = "funnel"
    columns: ClassVar[tuple[str, ...]] = COLUMNS
    with_goal: ClassVar[bool] = True
    sparse: ClassVar[bool] = False

    def __init__(
        self, reach: IntArray, pairs: IntArray, both: IntArray, near: Together, setting: Setting
    ) -> None:
        self.reach, self._pairs, self._both, self.near = reach, pairs, both, near
        self.actions: Sequence[str] = list(setting.catalog.actions)
        self.decay_days = setting.config.funnel.decay_days
        self._tables: dict[Goal, Conversion] = {}

    @classmethod
    def fit(cls, setting: Setting, log: EventLog, segment: IntArray) -> Self:  # noqa: ARG003
        n_items, n_actions = setting.catalog.n_items, len(setting.catalog.actions)
        who = [_item_users(log, action) for action in range(n_actions)]
        width = max(1, log.n_users)

        def per_item(keys: LongArray) -> IntArray:
            return np.bincount(keys // width, minlength=n_items).astype(np.int32)

        pairs, both = [], []
        for one in range(n_actions):
            for other in range(one + 1, n_actions):
                common = np.intersect1d(who[one], who[other], assume_unique=True)
                if len(common):
                    pairs.append((one, other))
                    both.append(per_item(common))
        reach = [per_item(keys) for keys in who]
        return cls(
            np.array(reach, np.int32).reshape(n_actions, n_items),
            np.array(pairs, np.int32).reshape(-1, 2),
            np.array(both, np.int32).reshape(-1, n_items),
            Together.fit(log, n_items, _pairs_of(n_actions)),
            setting,
        )

    def bind(
        self,
        user: UserState,
        goal: Goal,
        taste: FloatArray,  # noqa: ARG002
        segment: int,  # noqa: ARG002
    ) -> BoundFunnel:
        return BoundFunnel(self, user, goal)

    def conversion(self, goal: Goal) -> Conversion:
        """What the counts say about one goal, worked out once."""
        if goal not in self._tables:
            self._tables[goal] = self._conversion(goal)
        return self._tables[goal]

    def _conversion(self, goal: Goal) -> Conversion:
        span = slice(goal.start, goal.stop)
        chance = np.zeros((len(self.reach), goal.stop - goal.start), np.float32)
        general = np.zeros((goal.stop - goal.start, 2), np.float32)
        if 0 <= goal.action < len(self.reach):
            for action in range(len(self.reach)):
                both, reach = self.both(action, goal.action)[span], self.reach[action, span]
                rate = both.sum() / max(1, int(reach.sum()))
                chance[action] = (both + PRIOR * rate) / (reach + PRIOR)
            chance[goal.action] = 0.0
            reached = self.reach[goal.action, span]
            general[:, 0] = reached / (SHARE_PRIOR + self.reach[:, span].sum(axis=0))
            general[:, 1] = np.log1p(reached)
        return Conversion(chance, general)

    def both(self, action: int, goal: int) -> IntArray:
        """Users per item [n_items] who did both of two different actions."""
        pair = (min(action, goal), max(action, goal))
        row = np.flatnonzero((self._pairs == pair).all(axis=1))
        return self._both[row[0]] if len(row) else np.zeros(self.reach.shape[1], np.int32)

    def alike(self) -> IntArray | None:
        return None

    def to_arrays(self) -> Arrays:
        own = {"reach": self.reach, "pairs": self._pairs, "both": self._both}
        return own | self.near.to_arrays()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], setting: Setting) -> Self:
        near = Together.from_arrays(arrays)
        return cls(arrays["reach"], arrays["pairs"], arrays["both"], near, setting)


class BoundFunnel:
    """The open touches of one user for one goal."""

    common = None

    def __init__(self, funnel: Funnel, user: UserState, goal: Goal) -> None:
        self._funnel, self._user, self._goal = funnel, user, goal
        self._table = funnel.conversion(goal)
        self._open = np.flatnonzero(_is_open(user, goal))
        self._item, place = np.unique(user.item[self._open], return_inverse=True)
        self._numbers = self._own(place)
        self._place = np.zeros(funnel.reach.shape[1], np.int32)
        self._place[self._item] = np.arange(1, len(self._item) + 1, dtype=np.int32)
        self._near = self._of_near()

    def _own(self, place: NDArray[Any]) -> FloatArray:
        """`chance`, `kinds` and `recency` per touched item, [1 + n, 3]; row 0 is all zeros."""
        n, actions = len(self._item), len(self._funnel.reach)
        out = np.zeros((n + 1, OWN), np.float32)
        if n == 0:
            return out
        action, time = self._user.action[self._open], self._user.time[self._open]
        did = np.zeros((actions, n), bool)
        did[action, place] = True
        last = np.zeros(n, np.int64)
        np.maximum.at(last, place, time)
        recency = np.exp(-((self._user.at - last) / DAY_US) / self._funnel.decay_days)
        chance = self._table.chance[:, self._item - self._goal.start]
        missed = np.where(did, 1.0 - chance, 1.0).prod(axis=0)
        out[1:, 0] = (1.0 - missed) * recency
        out[1:, 1] = did.sum(axis=0)
        out[1:, 2] = recency
        return out

    def _of_near(self) -> FloatArray:
        """The columns of what goes with what, [COLUMNS after the general ones, n_items]."""
        user, goal, near = self._user, self._goal.action, self._funnel.near
        reached = np.unique(user.item[_is_reached(user, self._goal)])
        return np.stack(
            [
                near.sum_of((ANY, ANY), reached),
                near.sum_of((ANY, ANY), self._item),
                near.sum_of((goal, ANY), reached),
                near.sum_of((ANY, goal), self._item),
                near.sum_of((goal, goal), reached),
            ]
        )

    def score(self, items: IntArray) -> FloatArray:
        out = np.zeros((len(items), len(COLUMNS)), np.float32)
        out[:, :OWN] = self._numbers[self._place[items]]
        inside = (items >= self._goal.start) & (items < self._goal.stop)
        known, general = items[inside], slice(OWN, OWN + GENERAL)
        out[inside, general] = self._table.general[known - self._goal.start]
        out[inside, OWN + GENERAL :] = self._near[:, known].T
        return out

    def main(self, items: IntArray) -> FloatArray:
        return np.asarray(self._numbers[self._place[items], 0])

    def retrieve(self, start: int, stop: int, n: int) -> IntArray:
        lo, hi = np.searchsorted(self._item, (start, stop))
        best = np.argsort(-self._numbers[1 + lo : 1 + hi, 0], kind="stable")[:n]
        return self._item[lo:hi][best].astype(np.int32)

    def clue(self, items: IntArray) -> Clue | None:
        place = self._place[items]
        if not place.any():
            return None
        item = int(items[np.argmax(self._numbers[place, 0] + (place > 0))])
        own = self._open[self._user.item[self._open] == item]
        last = own[np.argmax(self._user.time[own])]
        action = int(self._user.action[last])
        facts: dict[str, Any] = {
            "touch": self._funnel.actions[action],
            "count": int((self._user.action[own] == action).sum()),
            "age_days": (self._user.at - int(self._user.time[last])) // DAY_US,
        }
        people = int(self._funnel.reach[action, item])
        if people >= ENOUGH_USERS and self._goal.action >= 0:
            reached = int(self._funnel.both(action, self._goal.action)[item])
            facts |= {"people": people, "percent": round(100 * reached / people)}
        return Clue(Funnel.name, len(own), (item,), facts)


def _pairs_of(n_actions: int) -> list[tuple[int, int]]:
    """The pairs of actions that the columns of some goal look at."""
    actions = range(n_actions)
    return [(ANY, ANY), *(pair for a in actions for pair in ((a, ANY), (ANY, a), (a, a)))]


def _is_reached(user: UserState, goal: Goal) -> NDArray[np.bool_]:
    """Which of the user's events [m] reached the goal."""
    of_kind = (user.item >= goal.start) & (user.item < goal.stop)
    return np.asarray(of_kind & (user.action == goal.action) & (user.action >= 0))


def _is_open(user: UserState, goal: Goal) -> NDArray[np.bool_]:
    """Which of the user's events [m] are touches that have not led to the goal yet."""
    of_kind = (user.item >= goal.start) & (user.item < goal.stop)
    is_goal = user.action == goal.action
    distinct, place, _ = user.distinct
    reached = np.full(len(distinct), np.iinfo(np.int64).min)
    np.maximum.at(reached, place[is_goal], user.time[is_goal])
    return np.asarray(of_kind & ~is_goal & (user.time > reached[place]) & (user.action >= 0))


def _item_users(log: EventLog, action: int) -> LongArray:
    """The distinct (item, user) pairs of one action as ascending numbers item x n_users + user."""
    chosen = log.action == action
    width = max(1, log.n_users)
    return np.unique(log.item[chosen].astype(np.int64) * width + log.user[chosen])
