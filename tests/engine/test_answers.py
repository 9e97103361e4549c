"""What an answer holds, for anybody who asks for anything."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.contract import check_answer, ids
from tests.engine.shop_facts import ShopFacts

from recprism.engine import Engine
from recprism.testing.shops import END, MILK, MILK_BUYER, START, STORES, shop_products, shop_users

pytestmark = pytest.mark.slow

SIZES = {"products": 10, "coupons": 3, "ads": 6}
USERS = st.one_of(st.none(), st.just("nobody"), st.sampled_from(shop_users()))
CONTEXTS = st.fixed_dictionaries(
    {},
    optional={
        "store": st.sampled_from(STORES),
        "viewing": st.sampled_from([f"products/{product}" for product in shop_products()]),
    },
)


@settings(deadline=None, max_examples=40)
@given(
    user=USERS,
    tasks=st.one_of(st.none(), st.lists(st.sampled_from(sorted(SIZES)), min_size=1, unique=True)),
    size=st.one_of(st.none(), st.integers(1, 70)),
    context=CONTEXTS,
    hours=st.integers(24, 24 * 7 * 22),
    query=st.one_of(st.none(), st.sampled_from(["something sweet", "猫粮"])),
)
def test_every_answer_keeps_the_contract(
    engine: Engine,
    facts: ShopFacts,
    user: str | None,
    tasks: list[str] | None,
    size: int | None,
    context: dict[str, str],
    hours: int,
    query: str | None,
) -> None:
    at = START + timedelta(hours=hours)
    answer = engine.recommend(user, tasks, size=size, query=query, context=context, at=at)
    check_answer(answer, {task: size or SIZES[task] for task in tasks or SIZES})
    assert (answer.user, answer.at) == (user, at)
    store = context.get("store") or facts.usual_store(user, at)
    open_ads = facts.ads_in(store, at)
    for item in answer.lists["ads"].items if "ads" in answer.lists else ():
        assert item.id in open_ads
    if "coupons" in answer.lists:
        # The shop has fewer coupons than a list has places, so that all valid ones are shown.
        valid = facts.coupons_for(user, at) if user is not None else set()
        assert set(ids(answer.lists["coupons"])) <= valid
        assert len(answer.lists["coupons"].items) == min(len(valid), size or SIZES["coupons"])


def test_the_milk_buyer_gets_milk_with_a_true_sentence(engine: Engine) -> None:
    answer = engine.recommend(MILK_BUYER, ["products"], at=END + timedelta(hours=8))
    found = {item.id: item for item in answer.lists["products"].items}
    reason = found[MILK].reason
    assert reason.text == "You buy whole milk about every 7 days; the last time was 6 days ago."
    first = reason.evidence[0]
    assert (first.signal, first.events, first.items) == ("repeat", 20, (MILK,))
    assert first.facts["gap_days"] == 7


def test_each_size_comes_from_the_project_unless_one_is_asked_for(engine: Engine) -> None:
    usual = engine.recommend(MILK_BUYER).lists
    assert {task: len(ranked.items) for task, ranked in usual.items()} == {
        "products": 10,
        "coupons": 2,
        "ads": 6,
    }
    asked = engine.recommend(MILK_BUYER, size=1).lists
    assert [len(ranked.items) for ranked in asked.values()] == [1, 1, 1]


def test_a_longer_list_begins_with_the_shorter_one(engine: Engine) -> None:
    few, many = (
        ids(engine.recommend("u05", ["products"], size=n, at=END).lists["products"])
        for n in (5, 40)
    )
    assert many[:5] == few


def test_a_list_as_long_as_the_catalog_says_why_it_ends(engine: Engine) -> None:
    ranked = engine.recommend("u05", ["products"], size=100).lists["products"]
    assert sorted(ids(ranked)) == sorted(shop_products())
    assert ranked.short_because == "there are only 60 products"


def test_the_task_names_come_in_the_order_asked_and_once(engine: Engine) -> None:
    answer = engine.recommend("u05", ["ads", "products", "ads"])
    assert list(answer.lists) == ["ads", "products"]


def test_without_explanation_the_order_is_the_same(engine: Engine) -> None:
    at = END
    told = engine.recommend("u09", at=at).lists
    plain = engine.recommend("u09", at=at, explain=False).lists
    for task, ranked in told.items():
        assert [(i.id, i.score, i.slot, i.also) for i in ranked.items] == [
            (i.id, i.score, i.slot, i.also) for i in plain[task].items
        ]
        assert all(len(item.reason.evidence) == 1 for item in plain[task].items)


def test_a_product_and_its_ad_are_shown_once_where_it_is_likelier(engine: Engine) -> None:
    shared = 0
    for user in shop_users():
        apart = {
            task: {
                item.id: item.probability["purchase"]
                for item in engine.recommend(user, [task], at=END).lists[task].items
            }
            for task in ("products", "ads")
        }
        together = engine.recommend(user, ["products", "ads"], at=END).lists
        for product in set(apart["products"]) & set(apart["ads"]):
            likelier = max(apart, key=lambda task: apart[task][product])
            other = "ads" if likelier == "products" else "products"
            (item,) = [item for item in together[likelier].items if item.id == product]
            assert item.also == other
            assert product not in ids(together[other])
            shared += 1
    assert shared > 10


def test_probability_is_that_of_the_goal_and_orders_the_list(engine: Engine) -> None:
    for ranked in engine.recommend("u07", at=END).lists.values():
        assert ranked.goal is not None
        for item in ranked.items:
            assert item.probability == {ranked.goal: pytest.approx(item.score)}


def test_the_document_is_that_of_the_contract(engine: Engine) -> None:
    document = engine.recommend(MILK_BUYER, ["coupons"], at="2024-05-19T10:00:00").to_dict()
    assert list(document) == [
        *("request_id", "user", "at", "cold", "artifact", "took_ms", "llm", "lists")
    ]
    assert document["at"] == "2024-05-19T10:00:00"
    coupons = document["lists"]["coupons"]
    assert list(coupons) == ["kind", "goal", "items", "short_because"]
    item = coupons["items"][0]
    assert list(item) == ["id", "title", "labels", "score", "probability", "slot", "reason"]
    assert list(item["reason"]) == ["text", "language", "source", "evidence"]
    assert list(item["reason"]["evidence"][0]) == ["signal", "share", "events", "items", "facts"]
    assert item["title"] == "Coupon: 3 products, mostly milk"
    assert item["labels"] == {"department": "dairy", "family": "milk"}
    assert item["slot"] is None
