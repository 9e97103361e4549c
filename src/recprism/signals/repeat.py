"""Repeat: personal, recency-weighted frequency, and how due an item is.

Its main number is `count x exp(-days since the last time / decay)`, the strongest simple rule on
grocery data. All of it comes from the user's own events, so it is always live.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import pairwise
from statistics import median
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from recprism.data.dataset import DAY_US, EventLog, FloatArray, IntArray, LongArray
from recprism.profiles.state import UserState
from recprism.project.schema import Repeat as Config
from recprism.signals.interface import Arrays, Clue, Goal, Setting

COLUMNS = ("strength", "count", "short", "long", "recency", "due", "days", "other")


class Repeat:
    """Personal frequency; see the module. Nothing is fitted."""

    name: ClassVar[str] = "repeat"
    columns: ClassVar[tuple[str, ...]] = COLUMNS
    with_goal: ClassVar[bool] = True
    sparse: ClassVar[bool] = True

    def __init__(self, n_items: int, config: Config) -> None:
        self._n_items, self._config = n_items, config

    @classmethod
    def fit(cls, setting: Setting, log: EventLog, segment: IntArray) -> Self:  # noqa: ARG003
        return cls(setting.catalog.n_items, setting.config.repeat)

    def bind(
        self,
        user: UserState,
        goal: Goal,
        taste: FloatArray,  # noqa: ARG002
        segment: int,  # noqa: ARG002
    ) -> BoundRepeat:
        return BoundRepeat(user, goal, self._n_items, self._config.decay_days)

    def alike(self) -> IntArray | None:
        return None

    def to_arrays(self) -> Arrays:
        return {}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], setting: Setting) -> Self:  # noqa: ARG003
        return cls(setting.catalog.n_items, setting.config.repeat)


class BoundRepeat:
    """A user's distinct past items and their numbers.

    Events count towards `strength` and its kin when they are the goal, or when they concern another
    kind than the goal's; other actions on the goal's kind (a view, where the goal is a purchase)
    make up `other`.
    """

    common = None

    def __init__(self, user: UserState, goal: Goal, n_items: int, decay_days: float) -> None:
        self._user, self._decay = user, decay_days
        of_kind = (user.item >= goal.start) & (user.item < goal.stop)
        self._counts = ~of_kind | (user.action == goal.action)
        self._distinct, inverse, _ = user.distinct
        self._numbers = _numbers(user, self._counts, inverse, len(self._distinct), decay_days)
        self._place = np.zeros(n_items, np.int32)
        self._place[self._distinct] = np.arange(1, len(self._distinct) + 1, dtype=np.int32)

    def score(self, items: IntArray) -> FloatArray:
        return self._numbers[self._place[items]]

    def main(self, items: IntArray) -> FloatArray:
        return np.asarray(self._numbers[self._place[items], 0])

    def retrieve(self, start: int, stop: int, n: int) -> IntArray:
        lo, hi = np.searchsorted(self._distinct, (start, stop))
        strength = self._numbers[1 + lo : 1 + hi, 0] + 1e-3 * self._numbers[1 + lo : 1 + hi, 7]
        best = np.argsort(-strength, kind="stable")[:n]
        return self._distinct[lo:hi][best].astype(np.int32)

    def clue(self, items: IntArray) -> Clue | None:
        strength = self._numbers[self._place[items]]
        had = items[strength[:, 1] > 0]
        if len(had) == 0:
            return None
        best = had[np.argsort(-self._numbers[self._place[had], 0], kind="stable")]
        times = [time for item in had.tolist() for time in self._times(item)]
        facts = _facts(self._user.at, times)
        if len(items) > 1:
            facts |= {"bought_items": len(had), "bought_times": facts["count"]}
        return Clue(Repeat.name, len(times), tuple(best[:5].tolist()), facts)

    def _times(self, item: int) -> list[int]:
        """When the user reached an item, in microseconds."""
        order, offsets = self._by_item
        place = int(self._place[item]) - 1
        events = order[offsets[place] : offsets[place + 1]]
        times: list[int] = self._user.time[events[self._counts[events]]].tolist()
        return times

    @cached_property
    def _by_item(self) -> tuple[LongArray, list[int]]:
        """The user's events ordered by item, and where each distinct item starts."""
        _, inverse, sizes = self._user.distinct
        return np.argsort(inverse, kind="stable"), [0, *np.cumsum(sizes).tolist()]


def _numbers(
    user: UserState, counts: NDArray[np.bool_], inverse: NDArray[Any], n: int, decay_days: float
) -> FloatArray:
    """Numbers per distinct item, shape [1 + n, 8]; row 0 is all zeros."""
    out = np.zeros((n + 1, len(COLUMNS)), np.float32)
    if n == 0:
        return out
    age = (user.at - user.time) / DAY_US
    own, age_own = inverse[counts], age[counts]
    count = np.bincount(own, minlength=n)
    last = np.full(n, np.inf)
    np.minimum.at(last, own, age_own)
    recency = np.exp(-last / decay_days)
    out[1:, 0] = count * recency
    out[1:, 1] = count
    out[1:, 2] = np.bincount(own, np.exp(-age_own / (decay_days / 4)), n)
    out[1:, 3] = np.bincount(own, np.exp(-age_own / (decay_days * 3)), n)
    out[1:, 4] = recency
    days, gap = _gaps(own, user.time[counts], n)
    out[1:, 5] = _due(last, gap)
    out[1:, 6] = days
    other = ~counts
    out[1:, 7] = np.bincount(inverse[other], np.exp(-age[other] / decay_days), n)
    return out


def _gaps(own: NDArray[Any], time: LongArray, n: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Distinct days per item [n], and mean days between them [n] (inf below two)."""
    day = time // DAY_US
    first_day = int(day.min()) if len(day) else 0
    width = (int(day.max()) - first_day + 1) if len(day) else 1
    pairs = np.sort(own.astype(np.int64) * width + (day - first_day))
    pairs = pairs[np.diff(pairs, prepend=-1) > 0]
    item, when = pairs // width, pairs % width
    days = np.bincount(item, minlength=n)
    first, last = np.full(n, width), np.zeros(n)
    np.minimum.at(first, item, when)
    np.maximum.at(last, item, when)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.where(days > 1, (last - first) / (days - 1), np.inf)
    return days, gap


def _due(last: NDArray[Any], gap: NDArray[Any]) -> NDArray[Any]:
    """How due an item is: 1 when as much time passed as usual, less before and long after.

    exp(-(log((1 + last) / (1 + gap)))^2), 0 for items without a usual gap.
    """
    known = np.isfinite(gap) & np.isfinite(last)
    out = np.zeros(len(gap))
    ratio = np.log((1 + last[known]) / (1 + gap[known]))
    out[known] = np.exp(-(ratio**2))
    return out


def _facts(at: int, times: list[int]) -> dict[str, Any]:
    """Numbers that a sentence may use, from the times (microseconds) of at least one event."""
    days = sorted({time // DAY_US for time in times})
    facts: dict[str, Any] = {
        "count": len(times),
        "age_days": (at - max(times)) // DAY_US,
        "since_days": (at - min(times)) // DAY_US,
    }
    if len(days) >= 3:
        gap = median(later - earlier for earlier, later in pairwise(days))
        facts["gap_days"] = max(1, round(gap))
    return facts
