"""Nearest items, labels for texts, profiles, and what tools look at behind a list."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import numpy as np
import pytest
from tests.engine.contract import ids
from tests.engine.shop_facts import ShopFacts

from recprism.engine import Engine
from recprism.errors import UsageError
from recprism.testing.shops import END, MILK, MILKS, NEVER_SOLD, STRANGE_USER, shop_users

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", ["products", "ads", "coupons"])
def test_similar_items_are_of_the_kind_ordered_and_not_the_item_itself(
    engine: Engine, kind: str
) -> None:
    item = "c-milk" if kind == "coupons" else MILK
    found = engine.similar(kind, item, n=5)
    scores = [near["score"] for near in found]
    assert scores == sorted(scores, reverse=True)
    assert item not in [near["id"] for near in found]
    assert len({near["id"] for near in found}) == len(found) == (2 if kind == "coupons" else 5)
    assert list(found[0]) == ["id", "title", "score", "behavior", "content"]
    for near in found:
        # What is unknown of the near item alone counts as nothing alike; nobody but three bought
        # milk, so that its behavior is unknown.
        cosines = [near["content"]] if item == MILK else [near["behavior"], near["content"]]
        assert near["score"] == pytest.approx(
            sum(cosine or 0.0 for cosine in cosines) / len(cosines), abs=1e-5
        )
    json.dumps(found, allow_nan=False)


def test_milk_is_most_like_milk_by_its_words(engine: Engine) -> None:
    found = {near["id"]: near["content"] for near in engine.similar("products", MILK, n=59)}
    first, second, *_ = sorted(found, key=lambda product: -found[product])
    assert {first, second} == set(MILKS) - {MILK}


def test_an_item_without_buyers_is_compared_by_its_words_alone(engine: Engine) -> None:
    found = engine.similar("products", NEVER_SOLD[1], n=3)
    assert all(near["behavior"] is None for near in found)
    assert [near["score"] for near in found] == [near["content"] for near in found]
    assert "p57" in [near["id"] for near in found]  # cat-litter and cat-food


def test_no_more_items_than_there_are(engine: Engine) -> None:
    assert len(engine.similar("products", MILK, n=1000)) == 59
    assert engine.similar("products", MILK, n=0) == []


def test_a_text_gets_the_labels_of_the_kind_with_confidence(engine: Engine) -> None:
    found = engine.classify("products", "Frischmilch 3,5 % Fett")
    (row,) = found["items"]
    assert found["kind"] == "products"
    assert (row["id"], row["text"]) == (None, "Frischmilch 3,5 % Fett")
    assert list(row["labels"]) == ["department", "family"]
    assert row["labels"]["family"]["value"] == "milk"
    assert all(0 <= label["confidence"] <= 1 for label in row["labels"].values())
    assert {label["source"] for label in row["labels"].values()} == {"encoder"}


def test_items_that_have_all_labels_need_none(engine: Engine) -> None:
    found = engine.classify("products")
    assert (found["kind"], found["items"]) == ("products", [])
    for row in found["review"]:  # a given label that the text speaks against
        assert row["given"] not in (None, row["suggested"])
        assert row["confidence"] > row["second_confidence"]
    json.dumps(found, allow_nan=False)


def test_labels_are_proposed_from_the_words_of_items(engine: Engine) -> None:
    found = engine.propose_labels("products", 6)
    names = [label["name"] for label in found["labels"]]
    assert found["kind"] == "products"
    assert len(set(names)) == len(names) == 6
    assert sum(label["items"] for label in found["labels"]) == 60
    assert engine.propose_labels("products", 6) == found
    json.dumps(found, allow_nan=False)


def test_one_label_is_nothing_to_propose(engine: Engine) -> None:
    with pytest.raises(UsageError, match="`propose` is 1, at least 2 labels"):
        engine.propose_labels("products", 1)
    with pytest.raises(UsageError, match=r"Items of `coupons` have 0 distinct text\(s\)"):
        engine.propose_labels("coupons", 3)


@pytest.mark.parametrize("text", ["", "  \n"])
def test_a_text_without_words_is_a_mistake(engine: Engine, text: str) -> None:
    with pytest.raises(UsageError, match="A text needs words; found only blanks"):
        engine.classify("products", text)


@pytest.mark.parametrize("user", ["mia", STRANGE_USER, "0012", "u39"])
def test_a_profile_is_what_the_tables_say(engine: Engine, facts: ShopFacts, user: str) -> None:
    at = datetime(2024, 4, 3, 12)
    profile = engine.profile(user, at=at)
    mine = facts.of(user, at)
    assert (profile.user, profile.cold, profile.at) == (user, False, at)
    purchases = [event for event in profile.history if event.action == "purchase"]
    newest = [(row.time, row.product) for row in reversed(mine)][: len(purchases)]
    assert [event.time for event in purchases] == [time for time, _ in newest]
    assert {(e.time, e.item) for e in purchases} == set(newest)
    assert profile.habits["purchase"].to_dict()["count"] == len(mine)
    assert profile.segment is not None
    assert len(profile.taste) == 8
    assert bool(profile.traits) == (user != "u39")
    json.dumps(profile.to_dict(), allow_nan=False)


def test_an_unknown_person_has_an_empty_profile(engine: Engine) -> None:
    profile = engine.profile("nobody")
    assert profile.cold
    assert (profile.history, profile.traits, profile.segment) == ((), {}, None)
    assert not any(profile.taste)
    assert profile.summary
    json.dumps(profile.to_dict(), allow_nan=False)


def test_signal_lists_order_by_one_signal_alone(engine: Engine, facts: ShopFacts) -> None:
    at = END
    found = engine.signal_lists("u07", "products", size=5, at=at)
    assert list(found) == ["repeat", "follow", "taste", "content", "trend"]
    strength: dict[str, float] = {}
    mine = facts.of("u07", at)
    for product in {row.product for row in mine}:
        rows = [row.time for row in mine if row.product == product]
        strength[product] = len(rows) * np.exp(-((at - max(rows)) / timedelta(days=1)) / 60)
    assert found["repeat"] == sorted(strength, key=lambda product: -strength[product])[:5]


def test_all_ranked_candidates_begin_with_the_list(engine: Engine) -> None:
    for user in shop_users()[:5]:
        ranked = engine.rank_all(user, "products", at=END)
        shown = ids(engine.recommend(user, ["products"], at=END).lists["products"])
        kind = ranked.plan.kind
        order = [kind.ids[int(item) - kind.start] for item in ranked.candidates.item]
        assert order[:10] == shown
        assert sorted(order) == sorted(set(order))
        assert np.all(np.diff(ranked.score) <= 0)
