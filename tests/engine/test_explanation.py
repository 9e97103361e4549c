"""Why an item stands where it does, and what would change it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from tests.engine.contract import ids

from recprism.engine import Engine
from recprism.testing.shops import END, MILK, MILK_BUYER, MILK_COUPON, START, WEEKS

pytestmark = pytest.mark.slow


def test_the_rank_and_the_score_are_those_of_the_list(engine: Engine) -> None:
    ranked = engine.recommend("u07", ["products"], size=20, at=END).lists["products"]
    for place, item in enumerate(ranked.items):
        if place % 4 == 0:
            found = engine.explain("u07", "products", item.id, at=END)
            assert (found.rank, found.title, found.note) == (place + 1, item.title, None)
            assert found.score == pytest.approx(item.score)
            assert found.reason == item.reason


def test_each_purchase_that_is_left_out_is_told_with_the_new_rank(engine: Engine) -> None:
    found = engine.explain(MILK_BUYER, "products", MILK, at=END)
    assert found.rank is not None
    left_out = [change["without"] for change in found.changes]
    times = [datetime.fromisoformat(change["time"]) for change in left_out]
    assert times == sorted(times, reverse=True)
    mondays = {START + timedelta(weeks=week, hours=9) for week in range(WEEKS)}
    of_milk = [change for change in left_out if change["item"] == MILK]
    assert {datetime.fromisoformat(change["time"]) for change in of_milk} <= mondays
    assert {(change["action"], change["title"]) for change in of_milk} == {
        ("purchase", "whole milk")
    }
    # Without the last purchase of milk, milk is less likely.
    last = found.changes[left_out.index(of_milk[0])]
    assert last["score"] < found.score
    assert last["rank"] >= found.rank
    json.dumps(found.to_dict(), allow_nan=False)


def test_leaving_out_an_event_can_change_the_rank(engine: Engine) -> None:
    ranks = set()
    for item in engine.recommend(MILK_BUYER, ["products"], at=END).lists["products"].items:
        found = engine.explain(MILK_BUYER, "products", item.id, at=END)
        ranks |= {change["rank"] for change in found.changes if change["rank"] != found.rank}
    assert len(ranks) > 2


def test_a_coupon_is_explained_by_what_it_covers(engine: Engine) -> None:
    found = engine.explain(MILK_BUYER, "coupons", MILK_COUPON, at=END - timedelta(hours=1))
    assert found.title == "Coupon: 3 products, mostly milk"
    assert {change["without"]["item"] for change in found.changes} >= {MILK}
    assert found.reason is not None
    assert found.reason.text.startswith("Covers 3 products; you bought whole milk 20 times")


def test_an_item_that_may_not_be_shown_says_so(engine: Engine) -> None:
    found = engine.explain("u20", "coupons", MILK_COUPON, at=END - timedelta(hours=1))
    assert (found.rank, found.score, found.reason, found.changes) == (None, None, None, ())
    assert found.note is not None
    assert "not eligible now" in found.note
    assert found.to_dict()["title"].startswith("Coupon")


def test_a_stranger_has_no_events_to_leave_out(engine: Engine) -> None:
    first = ids(engine.recommend(None, ["products"], at=END).lists["products"])[0]
    found = engine.explain(None, "products", first, at=END)
    assert (found.user, found.rank, found.changes) == (None, 1, ())
    assert found.reason is not None
    assert [evidence.signal for evidence in found.reason.evidence] == ["trend"]
