"""What is known of one user at one moment: the input of every signal.

A `UserState` is built from the event log (before `at`), or from live events, or from nothing at all
(a stranger). It holds arrays, no ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from recprism.data.dataset import (
    DAY_US,
    UNKNOWN,
    BoolArray,
    EventLog,
    FloatArray,
    IntArray,
    LongArray,
)


@dataclass(frozen=True)
class UserState:
    """One user's past, oldest first, all arrays of one length [m].

    `user_idx` is -1 for somebody the artifact does not know. `at` is the moment of the request in
    microseconds; every event lies before it. `context` maps a context name to a code. `viewing` is
    the item the user looks at (-1: none). `dismissed` are items that the user does not want to be
    shown, since `dismissed_time`; no event of the past concerns that. `wish` is the vector of a
    query, or of the user's own text, as `encode_query` gives it. `barred` [n_items] are the items
    that the wish rules out, `hidden` [n_items] those that were deleted since training (None: none).
    `new_item`, `new_action` and `new_time` [k] are events on items that came after training, of
    which signals know nothing.
    """

    user_idx: int
    at: int
    item: IntArray
    action: IntArray
    time: LongArray
    value: FloatArray
    session: IntArray
    context: Mapping[str, int] = field(default_factory=dict)
    viewing: int = UNKNOWN
    wish: FloatArray | None = None
    barred: BoolArray | None = None
    dismissed: IntArray = field(default_factory=lambda: np.zeros(0, np.int32))
    dismissed_time: LongArray = field(default_factory=lambda: np.zeros(0, np.int64))
    hidden: BoolArray | None = None
    new_item: IntArray = field(default_factory=lambda: np.zeros(0, np.int32))
    new_action: IntArray = field(default_factory=lambda: np.zeros(0, np.int32))
    new_time: LongArray = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def is_cold(self) -> bool:
        """Whether nothing was ever seen of this user."""
        return len(self.item) == 0

    @cached_property
    def distinct(self) -> tuple[IntArray, LongArray, LongArray]:
        """The distinct items in ascending order, the place of each event's item among them [m],
        and how many events each has."""
        items, place, counts = np.unique(self.item, return_inverse=True, return_counts=True)
        return items, place, counts

    @cached_property
    def n_days(self) -> int:
        """On how many days something happened."""
        days = np.sort(self.time // DAY_US)
        return min(1, len(days)) + int(np.count_nonzero(days[1:] != days[:-1]))

    def counts_of(self, items: IntArray) -> LongArray:
        """How many events concern each of `items` [k]."""
        distinct, _, counts = self.distinct
        if self.is_cold:
            return np.zeros(len(items), np.int64)
        place = np.searchsorted(distinct, items).clip(max=len(distinct) - 1)
        return np.where(distinct[place] == items, counts[place], 0)

    def n_events_on(self, items: IntArray) -> int:
        """How many events concern `items`."""
        return int(self.counts_of(items).sum())


def state_from_log(
    log: EventLog, user_idx: int, at: int, context: Mapping[str, int] | None = None
) -> UserState:
    """The state of a user of the log at `at`; without `context`, the user's usual one."""
    span = log.span(user_idx, before=at)
    return UserState(
        user_idx=user_idx,
        at=at,
        item=log.item[span],
        action=log.action[span],
        time=log.time[span],
        value=log.value[span],
        session=log.session[span],
        context=usual_context(log.context, span) if context is None else context,
    )


def usual_context(context: Mapping[str, IntArray], span: slice) -> dict[str, int]:
    """The most frequent code per context name over some events, ties to the smaller code."""
    usual = {}
    for name, codes in context.items():
        known = codes[span]
        known = known[known >= 0]
        if len(known):
            usual[name] = int(np.bincount(known).argmax())
    return usual
