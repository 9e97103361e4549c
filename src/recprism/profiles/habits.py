"""One user's habits: when, how often, what and for how much, per action.

In comes a `UserState`, out goes a `Habit` per action. Times of the sources are UTC and become local
here, because habits are about the clock on the user's wall; an action whose times are all midnight
is known by the day only, so its days stay as written and it has no hours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from recprism.data.dataset import DAY_US, FloatArray, IntArray, LongArray
from recprism.profiles.state import UserState

TOP_LABELS = 5
MONDAY = 4
"""1970-01-01 was a Thursday: the first Monday was four days later."""


@dataclass(frozen=True, slots=True)
class LabelMix:
    """Shares of a label's values among the events that have the label.

    `top` holds (value, share) of the most frequent values, at most five, `other` the share of the
    rest: together 1. No events with the label: `top` is empty and `other` 0.
    """

    top: tuple[tuple[str, float], ...]
    other: float

    def to_dict(self) -> dict[str, Any]:
        top = [{"value": value, "share": round(share, 4)} for value, share in self.top]
        return {"top": top, "other": round(self.other, 4)}


@dataclass(frozen=True, slots=True)
class PriceBand:
    """Quartiles of the amounts above 0: half of them lie between `low` and `high`."""

    low: float
    median: float
    high: float

    def to_dict(self) -> dict[str, float]:
        return {"low": self.low, "median": self.median, "high": self.high}


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """What one user does of one action.

    `hours` [24] and `weekdays` [7, Monday first] count events by local time (`hours` is None when
    only days are known). `visits` is the number of sessions, or of local days where no session is
    known. `per_week` and `visits_per_week` are averages since the first event, over a week at
    least. `gap_days` is the median number of days between two local days with events, None for one
    day. `first` and `last` are on the clock of the sources.
    """

    action: str
    count: int
    visits: int
    hours: tuple[int, ...] | None
    weekdays: tuple[int, ...]
    per_week: float
    visits_per_week: float
    gap_days: float | None
    labels: Mapping[str, LabelMix]
    price: PriceBand | None
    first: datetime
    last: datetime

    def to_dict(self) -> dict[str, Any]:
        return {
            "count": self.count,
            "visits": self.visits,
            "hours": None if self.hours is None else list(self.hours),
            "weekdays": list(self.weekdays),
            "per_week": round(self.per_week, 3),
            "visits_per_week": round(self.visits_per_week, 3),
            "gap_days": self.gap_days,
            "labels": {name: mix.to_dict() for name, mix in self.labels.items()},
            "price": None if self.price is None else self.price.to_dict(),
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
        }


@dataclass(frozen=True)
class LabelTable:
    """Labels of all items: `codes[name]` [n_items] index `values[name]`, code 0 is no label."""

    codes: Mapping[str, IntArray]
    values: Mapping[str, Sequence[str]]


def habits_of(
    state: UserState, labels: LabelTable, actions: Sequence[str], timezone: str
) -> dict[str, Habit]:
    """The habits of one user, one per action that occurs, the most frequent first.

    `actions` names the action codes, `timezone` is an IANA zone. No events: no habits.
    """
    codes, counts = np.unique(state.action, return_counts=True)
    ordered = codes[np.lexsort((codes, -counts))]
    return {
        actions[code]: _habit(_only(state, int(code)), labels, actions[code], timezone)
        for code in ordered
    }


def _only(state: UserState, code: int) -> UserState:
    keep = state.action == code
    return UserState(
        user_idx=state.user_idx,
        at=state.at,
        item=state.item[keep],
        action=state.action[keep],
        time=state.time[keep],
        value=state.value[keep],
        session=state.session[keep],
    )


def _habit(events: UserState, labels: LabelTable, action: str, timezone: str) -> Habit:
    local, has_hours = local_times(events.time, timezone)
    days = local // DAY_US
    distinct_days = np.unique(days)
    first, last = int(events.time.min()), int(events.time.max())
    weeks = max((events.at - first) / (7 * DAY_US), 1.0)
    visits = _count_visits(events.session, len(distinct_days))
    hours = np.bincount(local % DAY_US // (DAY_US // 24), minlength=24)
    return Habit(
        action=action,
        count=len(events.item),
        visits=visits,
        hours=tuple(hours.tolist()) if has_hours else None,
        weekdays=tuple(np.bincount((days - MONDAY) % 7, minlength=7).tolist()),
        per_week=len(events.item) / weeks,
        visits_per_week=visits / weeks,
        gap_days=float(np.median(np.diff(distinct_days))) if len(distinct_days) > 1 else None,
        labels={
            name: label_mix(codes[events.item], labels.values[name])
            for name, codes in labels.codes.items()
        },
        price=price_band(events.value),
        first=as_datetime(first),
        last=as_datetime(last),
    )


def local_times(time: LongArray, timezone: str) -> tuple[LongArray, bool]:
    """UTC microseconds [m] on the wall clock of `timezone`, and whether hours are known.

    Times that are all midnight are days, not moments: they come back as they are.
    """
    if not np.any(time % DAY_US):
        return time, False
    moments = pl.Series(time).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(timezone)
    return moments.dt.replace_time_zone(None).to_physical().to_numpy(), True


def label_mix(codes: IntArray, values: Sequence[str]) -> LabelMix:
    """The mix over the label codes [m] of some events; code 0 is left out."""
    counts = np.bincount(codes, minlength=len(values))
    counts[0] = 0
    total = int(counts.sum())
    top = [int(code) for code in np.argsort(-counts, kind="stable")[:TOP_LABELS] if counts[code]]
    rest = total - int(counts[top].sum())
    return LabelMix(
        tuple((values[code], float(counts[code] / total)) for code in top),
        rest / total if total else 0.0,
    )


def price_band(value: FloatArray) -> PriceBand | None:
    """Quartiles of the finite amounts above 0 in `value` [m], in cents; None without any."""
    paid = value[np.isfinite(value) & (value > 0)]
    if not len(paid):
        return None
    low, median, high = np.quantile(paid.astype(np.float64), [0.25, 0.5, 0.75])
    return PriceBand(round(float(low), 2), round(float(median), 2), round(float(high), 2))


def as_datetime(time: int) -> datetime:
    """Microseconds since 1970 as a naive datetime on the same clock."""
    seconds, micro = divmod(time, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micro, tzinfo=None)


def _count_visits(session: IntArray, n_days: int) -> int:
    known = session[session >= 0]
    return len(np.unique(known)) if len(known) else n_days
