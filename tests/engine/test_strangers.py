"""People without a past get lists too."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.engine.contract import check_answer, ids
from tests.engine.shop_facts import ShopFacts

from recprism.engine import Engine
from recprism.testing.shops import END

pytestmark = pytest.mark.slow

SIZES = {"products": 10, "coupons": 3, "ads": 6}


@pytest.mark.parametrize("user", [None, "nobody", "", "'; DROP TABLE events; --", "用户 🦊"])
def test_a_stranger_gets_what_sells(engine: Engine, facts: ShopFacts, user: str | None) -> None:
    answer = engine.recommend(user, at=END)
    check_answer(answer, SIZES)
    assert answer.cold
    # What is popular: distinct buyers of the four weeks before the last event.
    start = max(row.time for row in facts.bought) - timedelta(days=28)
    buyers = {
        item.id: len({r.user for r in facts.bought if r.product == item.id and r.time > start})
        for item in answer.lists["products"].items
    }
    counts = list(buyers.values())
    assert counts == sorted(counts, reverse=True)
    for item in answer.lists["products"].items:
        assert item.reason.text == (f"Bought by {buyers[item.id]} people in the last 4 weeks.")


def test_all_strangers_see_the_same(engine: Engine) -> None:
    one, other = (engine.recommend(user, at=END).lists for user in (None, "somebody"))
    assert {task: ids(ranked) for task, ranked in one.items()} == {
        task: ids(ranked) for task, ranked in other.items()
    }


def test_a_stranger_who_looks_at_an_item_gets_what_goes_with_it(engine: Engine) -> None:
    usual = engine.recommend(None, at=END).lists
    looking = engine.recommend(None, at=END, context={"viewing": "products/p51"})
    check_answer(looking, SIZES)
    for task in ("products", "ads"):
        assert ids(looking.lists[task]) != ids(usual[task])
    signals = {
        evidence.signal
        for item in looking.lists["products"].items
        for evidence in item.reason.evidence
    }
    assert {"follow", "content"} <= signals
    said = " ".join(item.reason.text for item in looking.lists["products"].items)
    assert "candles" in said
    assert "you bought" not in said


def test_a_user_known_by_traits_alone_is_a_stranger_before_the_first_purchase(
    engine: Engine, facts: ShopFacts
) -> None:
    first = min(row.time for row in facts.bought if row.user == "u20")
    assert engine.recommend("u20", at=first).cold
    assert not engine.recommend("u20", at=first + timedelta(seconds=1)).cold


def test_a_wish_leads_a_stranger(engine: Engine) -> None:
    found = engine.recommend(None, ["products"], query="food for my cat", size=5).lists["products"]
    assert {"p57", "p60"} <= set(ids(found))
    for item in found.items:
        assert item.reason.text == "Matches your search: “food for my cat”."
