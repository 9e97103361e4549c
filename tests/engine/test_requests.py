"""What can be asked, and what is said to a request that cannot be meant."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from tests.engine.contract import ids

from recprism.engine import Engine
from recprism.errors import UnknownName, UsageError
from recprism.testing.shops import END, MILK_BUYER, shop_users

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        (
            {"tasks": ["product"]},
            UnknownName,
            "no task `product`; known: `ads`, `coupons`, `products`. Did you mean `products`",
        ),
        ({"size": 0}, UsageError, "`size` is 0, at least 1 is needed"),
        ({"query": " \n"}, UsageError, "A query needs words"),
        ({"at": "tomorrow"}, UsageError, "`tomorrow` is no time; write ISO 8601"),
        (
            {"context": {"shop": "1"}},
            UnknownName,
            "no context `shop`; known: `store`, `viewing`",
        ),
        (
            {"context": {"store": "9"}},
            UsageError,
            "`store` has no value `9`; 2 are known, such as `1`, `2`",
        ),
        (
            {"context": {"viewing": "products/p99"}},
            UsageError,
            "viewed item `products/p99` is unknown; write `KIND/ID`, with a kind of `products`",
        ),
        (
            {"context": {"viewing": {"id": "p01"}}},
            UsageError,
            "viewed item `None/p01` is unknown",
        ),
    ],
)
def test_a_request_that_cannot_be_meant_is_one_clear_sentence(
    engine: Engine, asked: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=re.escape(said)):
        engine.recommend(MILK_BUYER, **asked)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda e: e.explain("u03", "nothing", "p01"), "no task `nothing`"),
        (
            lambda e: e.explain("u03", "products", "p99"),
            "`products` has no item `p99` among its 60",
        ),
        (
            lambda e: e.similar("watches", "p01"),
            "no kind `watches`; known: `ads`, `coupons`, `products`",
        ),
        (lambda e: e.similar("products", "P01"), "`products` has no item `P01` among its 60"),
        (lambda e: e.classify("watches", "milk"), "no kind `watches`"),
        (lambda e: e.classify("coupons", "milk"), "Items of `coupons` have no labels"),
        (lambda e: e.profile("u03", at="soon"), "`soon` is no time"),
    ],
)
def test_unknown_names_are_named(engine: Engine, call: Any, said: str) -> None:
    with pytest.raises((UnknownName, UsageError), match=re.escape(said)):
        call(engine)


@pytest.mark.parametrize(
    "at",
    [
        "2024-05-06T10:00:00",
        datetime(2024, 5, 6, 10),
        "2024-05-06T12:00:00+02:00",
        "2024-05-06T10:00:00Z",
        datetime(2024, 5, 6, 5, tzinfo=timezone(timedelta(hours=-5))),
        datetime(2024, 5, 6, 10, tzinfo=UTC),
    ],
)
def test_a_time_with_a_zone_is_converted_and_one_without_is_on_the_clock_of_the_data(
    engine: Engine, at: datetime | str
) -> None:
    assert engine.recommend("u03", at=at).at == datetime(2024, 5, 6, 10)


def test_now_is_the_last_event_of_the_data_and_goes_on(engine: Engine) -> None:
    first, second = engine.recommend("u03").at, engine.recommend("u03").at
    assert END - timedelta(days=1) < first < second < END + timedelta(minutes=30)


def test_the_past_is_asked_without_what_came_later(engine: Engine) -> None:
    at = datetime(2024, 2, 19)
    repeated = [
        evidence.facts
        for item in engine.recommend(MILK_BUYER, ["products"], at=at).lists["products"].items
        for evidence in item.reason.evidence
        if evidence.signal == "repeat" and item.id == "p01"
    ]
    assert [facts["count"] for facts in repeated] == [7]


def test_a_query_leads_to_what_it_asks_for(engine: Engine) -> None:
    usual = engine.recommend("u20", ["products"], at=END, size=5).lists["products"]
    for query in ("something for my cat", "给我的猫吃的"):
        found = engine.recommend("u20", ["products"], at=END, size=5, query=query).lists["products"]
        assert "p57" in ids(found)
        assert ids(found) != ids(usual)
        assert all(item.reason.evidence[0].signal == "content" for item in found.items)


def test_looking_at_an_item_changes_lists_and_evidence(engine: Engine) -> None:
    usual = engine.recommend("u20", at=END).lists
    looking = engine.recommend("u20", at=END, context={"viewing": "products/p51"}).lists
    for task in ("products", "ads"):
        scores = [{i.id: i.score for i in lists[task].items} for lists in (usual, looking)]
        assert scores[0] != scores[1]
    followed = [
        evidence.facts["after"]
        for ranked in looking.values()
        for item in ranked.items
        for evidence in item.reason.evidence
        if evidence.signal == "follow"
    ]
    assert followed
    assert all(after == ["candles"] for after in followed)


@pytest.mark.parametrize("viewed", ["p51", "products/p51", {"kind": "products", "id": "p51"}])
def test_a_viewed_item_may_be_written_in_several_ways(engine: Engine, viewed: object) -> None:
    asked = engine.recommend("u20", ["products"], at=END, context={"viewing": viewed})
    plain = engine.recommend("u20", ["products"], at=END, context={"viewing": "products/p51"})
    assert ids(asked.lists["products"]) == ids(plain.lists["products"])


def test_threads_that_share_an_engine_get_the_answers_of_one(engine: Engine) -> None:
    def ask(user: str) -> Any:
        return engine.recommend(user, at=END, query="something sweet").to_dict()["lists"]

    users = shop_users()[:16]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(ask, users))
    assert together == [ask(user) for user in users]


def test_each_request_has_an_id_of_its_own_that_sorts_by_time(engine: Engine) -> None:
    found = [engine.recommend("u03", ["coupons"]).request_id for _ in range(5)]
    assert len(set(found)) == 5
    assert [one[:10] for one in found] == sorted(one[:10] for one in found)
