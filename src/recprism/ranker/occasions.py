"""When users are asked in training, and what then came true.

An occasion is (task, user, time t) with the outcomes in [t, t + horizon). Weekly tasks are asked at
each snapshot for everyone with a past; rare goals on each day on which a user reached the goal, and
then the signals come from a snapshot up to some weeks before t, with the user's own events folded
in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from recprism.data.dataset import DAY_US, EventLog, IntArray, LongArray
from recprism.data.times import to_micros
from recprism.signals.plan import TaskPlan

WEEK = timedelta(days=7)
FIRST_MONDAY = datetime(1970, 1, 5)
SPARSE_WEEKS = 4
"""Beyond the recent weeks, rare goals are learned from every fourth snapshot of the grid."""


def week_grid(start: int, end: int, timezone: str) -> list[tuple[int, int]]:
    """(number, time) of the weeks of a fixed grid with start <= time <= end.

    A week begins on Monday 00:00 on the clock of `timezone`; the time is naive UTC in microseconds.
    The number counts from 1970, so that all cut-offs share one grid.
    """
    zone, grid = ZoneInfo(timezone), []
    for week in range((start // DAY_US) // 7 - 2, (end // DAY_US) // 7 + 3):
        local = (FIRST_MONDAY + week * WEEK).replace(tzinfo=zone)
        time = to_micros(local)
        if start <= time <= end:
            grid.append((week, time))
    return grid


@dataclass(frozen=True)
class Schedule:
    """Which snapshots a cut-off learns from; all ascending, in microseconds.

    `weekly` are the recent weeks S with S + horizon <= until: the last one validates and
    calibrates. `sparse` are earlier ones, which only rare goals use.
    """

    weekly: Sequence[int]
    sparse: Sequence[int]


def make_schedule(
    log: EventLog, until: int, horizon_us: int, timezone: str, n_weekly: int
) -> Schedule:
    """The snapshots of the fixed grid for one cut-off, after a first week of data."""
    if len(log) == 0:
        return Schedule((), ())
    grid = week_grid(int(log.time.min()) + 7 * DAY_US, until, timezone)
    whole = [(week, time) for week, time in grid if time + horizon_us <= until]
    recent, earlier = whole[-n_weekly:], whole[:-n_weekly]
    return Schedule(
        [time for _, time in recent],
        [time for week, time in earlier if week % SPARSE_WEEKS == 0],
    )


@dataclass(frozen=True)
class Occasions:
    """Users [n] and times [n] (microseconds) at which one task is asked."""

    user: IntArray
    time: LongArray

    def __len__(self) -> int:
        return len(self.user)

    def take(self, keep: np.ndarray) -> Occasions:
        return Occasions(self.user[keep], self.time[keep])


def goal_events(log: EventLog, plan: TaskPlan) -> EventLog:
    """The events that reach the task's goal."""
    return action_events(log, plan, plan.goal.action)


def action_events(log: EventLog, plan: TaskPlan, action: int) -> EventLog:
    """The events of one action on the kind of the task's goal."""
    of_kind = (log.item >= plan.goal.start) & (log.item < plan.goal.stop)
    return log.take(of_kind & (log.action == action))


def weekly_occasions(log: EventLog, at: int) -> Occasions:
    """Everyone with an event before `at`, asked at `at`."""
    user = np.unique(log.user[log.time < at]).astype(np.int32)
    return Occasions(user, np.full(len(user), at, np.int64))


def goal_days(log: EventLog, plan: TaskPlan, start: int, end: int) -> Occasions:
    """Each (user, day) with a goal event whose day begins in [start, end), asked as it begins."""
    reached = goal_events(log, plan)
    day = reached.time // DAY_US
    inside = (day * DAY_US >= start) & (day * DAY_US < end)
    pairs = np.unique(np.stack([reached.user[inside].astype(np.int64), day[inside]]), axis=1)
    return Occasions(pairs[0].astype(np.int32), pairs[1] * DAY_US)


def outcomes(goals: EventLog, user_idx: int, start: int, end: int) -> IntArray:
    """Distinct items on which the user reached the goal in [start, end)."""
    span = goals.span(user_idx)
    time = goals.time[span]
    lo, hi = np.searchsorted(time, (start, end))
    return np.unique(goals.item[span][lo:hi])
