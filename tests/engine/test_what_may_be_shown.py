"""Who may be shown what, when and where; and the places that ads get."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import pytest
from tests.engine.contract import ids
from tests.engine.shop_facts import ShopFacts

from recprism.engine import Engine
from recprism.records import RankedList
from recprism.testing.shops import (
    END,
    MAILED,
    MILK_BUYER,
    MILK_COUPON,
    PANTRY_COUPON,
    START,
    STORES,
    shop_users,
)

pytestmark = pytest.mark.slow

BEFORE, LAST = datetime(2024, 2, 4, 23, 59), datetime(2024, 5, 19, 23, 59)


def coupons(engine: Engine, user: str | None, at: datetime) -> RankedList:
    return engine.recommend(user, ["coupons"], size=9, at=at).lists["coupons"]


def ads(engine: Engine, user: str | None, **asked: object) -> RankedList:
    return engine.recommend(user, ["ads"], **asked).lists["ads"]  # type: ignore[arg-type]


@pytest.mark.parametrize("user", shop_users())
def test_coupons_go_to_those_who_were_mailed(engine: Engine, facts: ShopFacts, user: str) -> None:
    found = coupons(engine, user, LAST)
    assert set(ids(found)) == facts.coupons_for(user, LAST)
    assert (MILK_COUPON in ids(found)) == (user in MAILED)


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        (BEFORE, set()),
        (BEFORE + timedelta(minutes=1), {MILK_COUPON, "c-home"}),
        (LAST, {MILK_COUPON, "c-home"}),
        (LAST + timedelta(minutes=1), set()),
    ],
)
def test_coupons_are_valid_from_their_first_to_their_last_day(
    engine: Engine, at: datetime, shown: set[str]
) -> None:
    found = coupons(engine, MILK_BUYER, at)
    assert set(ids(found)) == shown
    if not shown:
        assert found.short_because == ("none of the coupons is valid for this user at this time")


def test_a_coupon_covers_what_its_campaign_says(engine: Engine) -> None:
    title = {
        user: {item.id: item.title for item in coupons(engine, user, LAST).items}["c-home"]
        for user in ("mia", "u20")
    }
    assert title["mia"].startswith("Coupon: 4 products")  # campaign 7
    assert title["u20"].startswith("Coupon: 8 products")  # campaign 8


def test_nobody_gets_a_coupon_that_was_mailed_to_others(engine: Engine) -> None:
    assert PANTRY_COUPON not in ids(coupons(engine, MILK_BUYER, LAST))
    for stranger in (None, "nobody"):
        assert ids(coupons(engine, stranger, LAST)) == []


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("week", [0, 7, 20])
def test_ads_are_those_of_the_store_and_the_week(
    engine: Engine, facts: ShopFacts, store: str, week: int
) -> None:
    at = START + timedelta(weeks=week, hours=1)
    found = ads(engine, "u11", size=40, context={"store": store}, at=at)
    assert set(ids(found)) == set(facts.ads_in(store, at))
    assert found.short_because == "only 12 ads are valid for this user at this time"


def test_without_a_store_ads_are_those_of_the_users_own(engine: Engine, facts: ShopFacts) -> None:
    stores = set()
    for user in shop_users():
        store = facts.usual_store(user, END)
        assert set(ids(ads(engine, user, at=END))) <= set(facts.ads_in(store, END))
        stores.add(store)
    assert stores == set(STORES)


def test_strangers_see_the_ads_of_the_busiest_store(engine: Engine, facts: ShopFacts) -> None:
    busiest = facts.usual_store(None, END)
    assert set(ids(ads(engine, None, at=END, size=12))) == set(facts.ads_in(busiest, END))


def test_there_are_no_ads_in_a_week_without_promotions(engine: Engine) -> None:
    found = ads(engine, MILK_BUYER, at=END + timedelta(weeks=1))
    assert (ids(found), found.short_because) == (
        [],
        "none of the ads is valid for this user at this time",
    )


def test_slots_fit_the_placement_are_limited_and_leave_the_order(
    engine: Engine, facts: ShopFacts
) -> None:
    filled: Counter[str] = Counter()
    for user in shop_users():
        found = ads(engine, user, at=END)
        placement = facts.ads_in(facts.usual_store(user, END), END)
        slots = Counter(item.slot for item in found.items if item.slot is not None)
        assert slots["front"] <= 1
        assert slots["mailer"] <= 2
        filled += slots
        for item in found.items:
            display, mailer = placement[item.id]
            assert item.slot != "front" or display == "1"
            assert item.slot != "mailer" or mailer != "0"
        scores = [item.score for item in found.items]
        assert scores == sorted(scores, reverse=True)
        free = [item for item in found.items if item.slot is None]
        fits_front = [item for item in free if placement[item.id][0] == "1"]
        assert slots["front"] == 1 or not fits_front
    assert set(filled) == {"front", "mailer"}


def test_only_ads_have_slots(engine: Engine) -> None:
    lists = engine.recommend("u03", at=END).lists
    assert all(item.slot is None for task in ("products", "coupons") for item in lists[task].items)
