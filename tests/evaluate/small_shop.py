"""A shop small enough to work every number out by hand: five products, two coupons, three ads.

Day 0 is 2020-01-01. Campaign `spring` runs on days 10 to 30 and was mailed to ann and bob, `summer`
on days 20 to 40 and was mailed to ann. Store `1` promotes milk and ham and store `2` tea, on days
21 to 28.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from recprism.data.dataset import (
    DAY_US,
    Catalog,
    Dataset,
    EventLog,
    Grouped,
    Ids,
    IntArray,
    KindTable,
    Links,
    LongArray,
    Offers,
    UserTable,
)
from recprism.data.times import to_micros
from recprism.evaluate.protocol import Goal

START = datetime(2020, 1, 1)
USERS = ["ann", "bob", "cem", "dot"]
PRODUCTS = ["milk", "bread", "eggs", "ham", "tea"]
COUPONS = ["c-milk", "c-food"]
ADS = ["milk", "ham", "tea"]
Row = tuple[str, str, str, float, str | None]
"""(user, kind, item, day, store)."""

ROWS: list[Row] = [
    ("ann", "products", "milk", 1, "1"),
    ("ann", "products", "milk", 8, "1"),
    ("ann", "products", "tea", 15, "2"),
    ("bob", "products", "bread", 2, "2"),
    ("bob", "products", "tea", 18, "2"),
    ("bob", "products", "tea", 19, "1"),
    ("cem", "products", "milk", 20.5, "1"),
    ("ann", "coupons", "c-milk", 12, None),
    ("ann", "products", "milk", 22, "1"),
    ("ann", "products", "ham", 23, "1"),
    ("ann", "coupons", "c-food", 22, None),
    ("ann", "coupons", "c-milk", 22, None),
    ("bob", "coupons", "c-food", 25, None),
    ("bob", "products", "tea", 24, "1"),
    ("dot", "products", "eggs", 26, "2"),
]


def day(number: float) -> datetime:
    """The moment `number` days after the start."""
    return START + timedelta(days=number)


def micros(number: float) -> int:
    return to_micros(START) + round(number * DAY_US)


def _ints(values: Sequence[int]) -> IntArray:
    return np.array(values, dtype=np.int32)


def _longs(values: Sequence[int]) -> LongArray:
    return np.array(values, dtype=np.int64)


def _ids(values: Sequence[str]) -> Ids:
    return Ids(pl.Series(values, dtype=pl.String))


def _table(titles: Sequence[str], departments: Sequence[str | None]) -> pl.DataFrame:
    columns = {"title": titles, "text": titles, "label:department": departments}
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))


def _coupons() -> KindTable:
    """Offer rows: spring c-milk {milk}, spring c-food {bread, eggs, ham}, summer c-food {tea}."""
    offers = Offers(
        names=pl.Series(["spring", "summer"]),
        offsets=_longs([0, 2, 3]),
        item=_ints([0, 1, 1]),
        starts=_longs([micros(10), micros(20)]),
        ends=_longs([micros(30), micros(40)]),
        audience=Grouped(_longs([0, 2, 3, 3, 3]), _ints([0, 1, 0])),
    )
    covers = Grouped(_longs([0, 1, 4, 5]), _ints([0, 1, 2, 3, 4]))
    return KindTable(
        "coupons",
        _ids(COUPONS),
        len(PRODUCTS),
        _table(COUPONS, [None, None]),
        {"covers": Links("covers", "products", covers, by_offer=True)},
        offers,
    )


def _ads() -> KindTable:
    offers = Offers(
        names=pl.Series([None, None], dtype=pl.String),
        offsets=_longs([0, 2, 3]),
        item=_ints([0, 1, 2]),
        starts=_longs([micros(21)] * 2),
        ends=_longs([micros(28)] * 2),
        context={"store": _ints([0, 1])},
    )
    promotes = Grouped(_longs([0, 1, 2, 3]), _ints([0, 3, 4]))
    return KindTable(
        "ads",
        _ids(ADS),
        len(PRODUCTS) + len(COUPONS),
        _table(ADS, ["dairy", "meat", "drinks"]),
        {"promotes": Links("promotes", "products", promotes)},
        offers,
    )


def shop(rows: Sequence[Row] = ROWS) -> Dataset:
    """The shop with the events `rows`."""
    departments = ["dairy", "bakery", "dairy", "meat", "drinks"]
    products = KindTable("products", _ids(PRODUCTS), 0, _table(PRODUCTS, departments))
    kinds = {"products": products, "coupons": _coupons(), "ads": _ads()}
    users = UserTable(_ids(USERS), pl.DataFrame({"age": [None] * 4}))
    catalog = Catalog(users, kinds, ["purchase", "redeem"], {"store": ["1", "2"]})
    return Dataset(catalog, log_of(catalog, rows))


def log_of(catalog: Catalog, rows: Sequence[Row]) -> EventLog:
    """Events sorted by user, then time, ties in the order of `rows`."""
    user = _ints([catalog.users.ids.index(row[0]) for row in rows])
    item = _ints(
        [catalog.kinds[row[1]].start + catalog.kinds[row[1]].ids.index(row[2]) for row in rows]
    )
    time = _longs([micros(row[3]) for row in rows])
    action = _ints([int(row[1] == "coupons") for row in rows])
    store = _ints([-1 if row[4] is None else ["1", "2"].index(row[4]) for row in rows])
    order = np.lexsort((time, user))
    offsets = np.zeros(len(catalog.users) + 1, np.int64)
    np.cumsum(np.bincount(user, minlength=len(catalog.users)), out=offsets[1:])
    none = np.full(len(rows), -1, np.int32)
    value = np.full(len(rows), np.nan, np.float32)
    return EventLog(
        user[order],
        item[order],
        action[order],
        time[order],
        value,
        none,
        none,
        {"store": store[order]},
        offsets,
    )


def goal_of(dataset: Dataset, task: str) -> Goal:
    """The goal of `products`, `coupons` or `ads`."""
    kind = dataset.catalog.kinds[task]
    link = kind.links["promotes"] if task == "ads" else None
    days = 1 if task == "coupons" else 7
    return Goal(task, kind, int(task == "coupons"), link, days * DAY_US)
