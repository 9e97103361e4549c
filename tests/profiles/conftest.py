"""People whose habits are known: one who buys milk every seven days, and strangers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from recprism.data.dataset import Catalog, Ids, KindTable, UserTable
from recprism.profiles.habits import LabelTable
from recprism.profiles.state import UserState

AT = datetime(2017, 6, 1)


def micro(time: datetime) -> int:
    return round(time.replace(tzinfo=UTC).timestamp()) * 1_000_000


def state_of(
    rows: Sequence[tuple[datetime, int, int, float, int]], user_idx: int = 0, at: datetime = AT
) -> UserState:
    """A state from (time, item, action, value, session) rows, oldest first."""
    time, item, action, value, session = zip(*rows, strict=True) if rows else ((),) * 5
    return UserState(
        user_idx=user_idx,
        at=micro(at),
        item=np.array(item, np.int32),
        action=np.array(action, np.int32),
        time=np.array([micro(moment) for moment in time], np.int64),
        value=np.array(value, np.float32),
        session=np.array(session, np.int32),
    )


@pytest.fixture
def shop() -> Catalog:
    """Milk, bread and a thing without title; users 0 (with traits) and 1 (without)."""
    table = pl.DataFrame(
        {
            "title": ["MILK", "RYE BREAD", None],
            "text": ["milk", "rye bread", None],
            "label:aisle": ["DAIRY", "BAKERY", None],
        }
    )
    products = KindTable("products", Ids(pl.Series(["m", "b", "x"])), 0, table)
    traits = pl.DataFrame({"age": ["35-44", None], "kids": ["2", None]})
    users = UserTable(Ids(pl.Series(["ann", "bob"])), traits)
    return Catalog(users, {"products": products}, ["purchase", "redeem", "sniff"], {})


@pytest.fixture
def labels() -> LabelTable:
    codes = np.array([2, 1, 0], np.int32)
    return LabelTable({"aisle": codes}, {"aisle": ["", "BAKERY", "DAIRY"]})


@pytest.fixture
def weekly_milk() -> UserState:
    """Ten Tuesdays at 23:30 UTC, which is 19:30 in New York; every second time also bread."""
    rows = []
    for week in range(10):
        time = datetime(2017, 3, 21, 23, 30) + timedelta(weeks=week)
        rows.append((time, 0, 0, 1.5, week))
        if week % 2:
            rows.append((time, 1, 0, 3.0, week))
    return state_of(rows)
