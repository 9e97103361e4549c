"""The shop that other tests stand on is what it says it is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl

from recprism.project import find_problems
from recprism.testing import shops


def test_the_shop_is_a_valid_project_with_its_known_answers(tmp_path: Path) -> None:
    folder = shops.write_shop(tmp_path)
    assert find_problems(folder) == []
    bought = pl.read_csv(folder / "data" / "purchases.csv", try_parse_dates=True)
    milk = bought.filter(pl.col("user") == shops.MILK_BUYER, pl.col("product") == shops.MILK)
    assert milk["time"].to_list() == [
        shops.START + timedelta(weeks=week, hours=9) for week in range(shops.WEEKS)
    ]
    assert set(shops.shop_products()) - set(bought["product"]) == set(shops.NEVER_SOLD)
    assert set(bought["user"]) == set(shops.shop_users())
    latest = bought["time"].max()
    assert latest is not None
    assert latest < shops.END  # type: ignore[operator]
    links = pl.read_csv(folder / "data" / "coupons.csv")
    covered = links.filter(pl.col("coupon") == shops.MILK_COUPON)["product"]
    assert set(covered) == set(shops.MILKS)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    one, two = shops.write_shop(tmp_path / "one"), shops.write_shop(tmp_path / "two")
    for path in sorted((one / "data").iterdir()):
        assert path.read_bytes() == (two / "data" / path.name).read_bytes()
