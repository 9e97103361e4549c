"""Event logs and states written out as rows, and a strategy that draws them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from recprism.data.dataset import DAY_US, EventLog
from recprism.profiles.state import UserState

Row = tuple[int, int, int, float, int]
"""(user, item, action, day, session)."""


def log_of(rows: Sequence[Row], n_users: int) -> EventLog:
    """Events sorted by user, then time."""
    rows = sorted(rows, key=lambda row: (row[0], row[3]))
    user = np.array([row[0] for row in rows], np.int32)
    nothing = np.full(len(rows), -1, np.int32)
    offsets = np.zeros(n_users + 1, np.int64)
    np.cumsum(np.bincount(user, minlength=n_users), out=offsets[1:])
    return EventLog(
        user=user,
        item=np.array([row[1] for row in rows], np.int32),
        action=np.array([row[2] for row in rows], np.int32),
        time=np.array([micros(row[3]) for row in rows], np.int64),
        value=np.full(len(rows), np.nan, np.float32),
        session=np.array([row[4] for row in rows], np.int32),
        offer=nothing,
        context={},
        offsets=offsets,
    )


def state_of(rows: Sequence[tuple[int, int, float]], day: float) -> UserState:
    """A known user's state on `day` from (item, action, day) rows, in any order."""
    rows = sorted(rows, key=lambda row: row[2])
    n = len(rows)
    return UserState(
        user_idx=0,
        at=micros(day),
        item=np.array([row[0] for row in rows], np.int32),
        action=np.array([row[1] for row in rows], np.int32),
        time=np.array([micros(row[2]) for row in rows], np.int64),
        value=np.full(n, np.nan, np.float32),
        session=np.full(n, -1, np.int32),
    )


def micros(day: float) -> int:
    return round(day * DAY_US)


def rows(n_users: int, n_items: int, n_days: int, most: int = 60) -> st.SearchStrategy[list[Row]]:
    """Up to `most` events on whole and half days, some of them in sessions."""
    row = st.tuples(
        st.integers(0, n_users - 1),
        st.integers(0, n_items - 1),
        st.integers(0, 1),
        st.integers(0, 4 * n_days - 1).map(lambda quarter: quarter / 4),
        st.integers(-1, 2),
    )
    return st.lists(row, max_size=most)
