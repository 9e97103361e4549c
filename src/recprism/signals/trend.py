"""Trend: time-decayed popularity, overall, in the user's segment, and in the current context."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from recprism.data.dataset import DAY_US, EventLog, FloatArray, IntArray
from recprism.profiles.state import UserState
from recprism.signals.interface import Arrays, Clue, Goal, Setting
from recprism.signals.newcomers import Newcomers
from recprism.signals.taste import top

WINDOW_DAYS = 28
"""The window in which a sentence counts buyers."""
PRIOR = 5.0
"""Pseudo-count that draws the segment's lift towards 1."""
COLUMNS = ("recent", "long", "segment", "users")


class Trend:
    """Popularity per item.

    `recent` and `long` [n_items] are log(1 + decayed events), with the configured decay and without
    any; `segment` [n_segments, n_items] is the log of the segment's lift over everybody; `users`
    [n_items] is the number of distinct users within the last 28 days of the snapshot.
    """

    name: ClassVar[str] = "trend"
    columns: ClassVar[tuple[str, ...]] = COLUMNS
    with_goal: ClassVar[bool] = False
    sparse: ClassVar[bool] = False

    def __init__(self, general: FloatArray, segment: FloatArray, users: IntArray) -> None:
        self._general, self._segment, self._users = general, segment, users
        self._best: dict[tuple[int, int], IntArray] = {}

    @classmethod
    def fit(cls, setting: Setting, log: EventLog, segment: IntArray) -> Self:
        n, config = setting.catalog.n_items, setting.config.trend
        age = (setting.at - log.time) / DAY_US
        decayed = np.exp(-age / config.decay_days)
        recent, long = np.bincount(log.item, decayed, n), np.bincount(log.item, minlength=n)
        late = age < WINDOW_DAYS
        pairs = np.unique(log.item[late].astype(np.int64) * max(1, log.n_users) + log.user[late])
        users = np.bincount(pairs // max(1, log.n_users), minlength=n).astype(np.int32)
        general = np.log1p(np.stack([recent, long], axis=1)).astype(np.float32)
        return cls(general, _by_segment(log, decayed, segment, setting), users)

    def bind(
        self,
        user: UserState,
        goal: Goal,  # noqa: ARG002
        taste: FloatArray,  # noqa: ARG002
        segment: int,
    ) -> BoundTrend:
        return BoundTrend(self, user, segment)

    def numbers(self, items: IntArray, segment: int) -> FloatArray:
        """`COLUMNS` of `items`, shape [len(items), 4]."""
        out = np.empty((len(items), 4), np.float32)
        out[:, :2] = self._general[items]
        out[:, 2] = self._segment[segment][items] if segment >= 0 else 0.0
        out[:, 3] = np.log1p(self._users[items])
        return out

    def recent(self, items: IntArray) -> FloatArray:
        """Log of the decayed events of `items`, shape [len(items)]."""
        return np.asarray(self._general[items, 0])

    def best(self, start: int, stop: int, n: int) -> IntArray:
        """The `n` most popular items in [start, stop), the same for everyone, so kept."""
        known = self._best.get((start, stop))
        if known is None or len(known) < min(n, stop - start):
            known = (start + top(self._general[start:stop, 0], n)).astype(np.int32)
            self._best[start, stop] = known
        return known[:n]

    def users(self, item: int) -> int:
        """Distinct users of an item within the last 28 days of the snapshot."""
        return int(self._users[item])

    def alike(self) -> IntArray | None:
        return None

    def to_arrays(self) -> Arrays:
        return {"general": self._general, "segment": self._segment, "users": self._users}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], setting: Setting) -> Self:  # noqa: ARG003
        return cls(arrays["general"], arrays["segment"], arrays["users"])


class BoundTrend:
    """Popularity as one segment sees it."""

    def __init__(self, trend: Trend, user: UserState, segment: int) -> None:
        self._trend, self._user, self._segment = trend, user, segment
        self.common: Hashable = segment

    def score(self, items: IntArray) -> FloatArray:
        return self._trend.numbers(items, self._segment)

    def main(self, items: IntArray) -> FloatArray:
        return self._trend.recent(items)

    def retrieve(self, start: int, stop: int, n: int) -> IntArray:
        return self._trend.best(start, stop, n)

    def clue(self, items: IntArray) -> Clue | None:
        numbers = self._trend.numbers(items, self._segment)
        best = int(items[np.argmax(numbers[:, 0])])
        facts = {"buyers": self._trend.users(best), "days": WINDOW_DAYS}
        return Clue(Trend.name, 0, (best,), facts)

    def score_new(self, newcomers: Newcomers) -> FloatArray:
        """As popular as what is nearest to it: the mean over the items `near`."""
        near = newcomers.near
        numbers = self._trend.numbers(near.reshape(-1), self._segment)
        numbers = np.where((near >= 0)[..., None], numbers.reshape(*near.shape, -1), 0.0)
        n = np.maximum(1, (near >= 0).sum(axis=1))
        return np.asarray(numbers.sum(axis=1) / n[:, None], np.float32)

    def main_new(self, newcomers: Newcomers) -> FloatArray:
        return np.asarray(self.score_new(newcomers)[:, 0])

    def clue_new(self, newcomers: Newcomers, row: int) -> Clue | None:  # noqa: ARG002
        return Clue(Trend.name, 0, (), {"new": True})


def _by_segment(
    log: EventLog, decayed: NDArray[Any], segment: IntArray, setting: Setting
) -> FloatArray:
    """log((observed + c) / (expected + c)) per segment and item, shape [n_segments, n_items].

    Expected is what the segment would have if its events were spread as everybody's are.
    """
    n, m = setting.catalog.n_items, setting.segments
    of_event = segment[log.user]
    known = of_event >= 0
    place = of_event[known].astype(np.int64) * n + log.item[known]
    observed = np.bincount(place, decayed[known], m * n).reshape(m, n)
    share = observed.sum(axis=0) / max(1e-9, observed.sum())
    expected = observed.sum(axis=1, keepdims=True) * share
    lift = np.log((observed + PRIOR) / (expected + PRIOR))
    return np.asarray(lift, np.float32)
