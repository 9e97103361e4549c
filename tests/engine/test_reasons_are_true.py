"""Reasons against the tables: every number and name they claim is counted again, plainly."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from tests.engine.contract import check_answer
from tests.engine.shop_facts import Bought, ShopFacts

from recprism.engine import Engine, open_engine
from recprism.pipeline import train
from recprism.project import load_project
from recprism.records import Evidence, RankedItem
from recprism.store import MemoryStore
from recprism.testing.shops import END, MILK_BUYER, shop_products, shop_users

pytestmark = pytest.mark.slow

MOMENTS = (datetime(2024, 3, 14, 15), END)
TITLES = {name: product for product, (name, _) in shop_products().items()}


def told(engine: Engine, **asked: Any) -> Iterator[tuple[str, datetime, str, RankedItem, Evidence]]:
    """(user, moment, task, item, evidence) of everything that all users are shown."""
    for user in shop_users():
        for at in MOMENTS:
            for task, ranked in engine.recommend(user, at=at, **asked).lists.items():
                for item in ranked.items:
                    for evidence in item.reason.evidence:
                        yield user, at, task, item, evidence


def days_since(row: Bought, at: datetime) -> int:
    return (at - row.time) // timedelta(days=1)


def test_numbers_of_repeats_are_those_of_the_tables(engine: Engine, facts: ShopFacts) -> None:
    seen = 0
    for user, at, task, item, evidence in told(engine):
        if evidence.signal != "repeat" or task == "coupons":
            continue
        rows = [row for row in facts.of(user, at) if row.product == item.id]
        assert evidence.facts["count"] == evidence.events == len(rows)
        assert evidence.facts["age_days"] == days_since(rows[-1], at)
        dates = sorted({row.time.date() for row in rows})
        gaps = [(b - a).days for a, b in pairwise(dates)]
        assert evidence.facts.get("gap_days") == (
            max(1, round(median(gaps))) if len(gaps) >= 2 else None
        )
        seen += 1
    assert seen > 100


def test_coupons_count_what_was_bought_of_what_they_cover(engine: Engine, facts: ShopFacts) -> None:
    seen = 0
    for user, at, task, item, evidence in told(engine, tasks=["coupons"]):
        assert task == "coupons"
        if evidence.signal != "repeat":
            continue
        covered = [
            products
            for (coupon, campaign), products in facts.covers.items()
            if coupon == item.id and campaign in facts.mailed[user]
        ]
        # A user mailed twice may see either campaign's coupon.
        assert evidence.facts["covers"] in {len(products) for products in covered}
        counted = [
            [row.product for row in facts.of(user, at) if row.product in products]
            for products in covered
        ]
        numbers = (evidence.facts["bought_items"], evidence.facts["bought_times"])
        assert numbers in {(len(set(rows)), len(rows)) for rows in counted}
        bought = {product for rows in counted for product in rows}
        assert {TITLES[title] for title in evidence.facts["linked_titles"]} <= bought
        seen += 1
    assert seen > 10


def test_what_an_item_follows_was_bought_when_it_is_said(engine: Engine, facts: ShopFacts) -> None:
    seen = 0
    for user, at, _, _, evidence in told(engine):
        if evidence.signal != "follow" or evidence.facts["after_verb"] != "purchase":
            continue
        mine = facts.of(user, at)
        for title, age in zip(evidence.facts["after"], evidence.facts["after_days"], strict=True):
            rows = [row for row in mine if row.product == TITLES[title]]
            assert days_since(rows[-1], at) == age
            seen += 1
    assert seen > 10


def test_past_items_that_are_named_were_bought(engine: Engine, facts: ShopFacts) -> None:
    seen = 0
    for user, at, _, _, evidence in told(engine):
        if evidence.signal in ("taste", "content"):
            named = [TITLES[t] for t in evidence.facts["near"] if t in TITLES]
            assert set(named) <= {row.product for row in facts.of(user, at)}
            seen += len(named)
    assert seen > 100


def test_buyers_are_distinct_people_of_four_weeks(engine: Engine, facts: ShopFacts) -> None:
    # Counts are the artifact's, whose last event is the last purchase of the tables.
    start = max(row.time for row in facts.bought) - timedelta(days=28)
    recent = [row for row in facts.bought if row.time > start]
    seen = 0
    for _, _, task, item, evidence in told(engine):
        if evidence.signal == "trend" and task != "coupons":
            assert evidence.facts["days"] == 28
            people = {row.user for row in recent if row.product == item.id}
            assert evidence.facts["buyers"] == len(people)
            seen += 1
    assert seen > 100


@pytest.fixture(scope="module")
def chinese(trained_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The same shop with reasons in Chinese."""
    folder = tmp_path_factory.mktemp("chinese") / "shop"
    shutil.copytree(trained_shop, folder, ignore=shutil.ignore_patterns("artifacts"))
    file = folder / "recprism.yaml"
    file.write_text(
        file.read_text(encoding="utf-8").replace("language: en", "language: zh"), "utf-8"
    )
    train(load_project(folder))
    return open_engine(folder, store=MemoryStore())


def test_reasons_in_chinese_hold_to_their_evidence_too(chinese: Engine) -> None:
    for user in [*shop_users(), "nobody"]:
        answer = chinese.recommend(user, at=END)
        check_answer(answer, {"products": 10, "coupons": 3, "ads": 6})
        assert {
            item.reason.language for ranked in answer.lists.values() for item in ranked.items
        } == {"zh"}
    coupons = chinese.recommend("nobody", ["coupons"], at=END).lists["coupons"]
    assert coupons.short_because == "目前没有优惠券对该用户有效"
    milk = chinese.recommend(MILK_BUYER, ["products"], at=END).lists["products"]
    said: Mapping[str, str] = {item.id: item.reason.text for item in milk.items}
    assert said["p01"] == "您大约每7天购买一次“whole milk”，上次是6天前。"
