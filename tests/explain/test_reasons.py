from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recprism.errors import UnknownName
from recprism.explain import ItemFacts, compose
from recprism.records import Evidence

BANANAS = ItemFacts("BANANAS", "products", {"department": "PRODUCE"})
BUY: dict[str, Any] = {"verb": "purchase"}


def evidence(signal: str, share: float = 1.0, events: int = 1, **facts: Any) -> Evidence:
    return Evidence(signal=signal, share=share, events=events, facts=facts)


def text(signal: str, language: str = "en", item: ItemFacts = BANANAS, **facts: Any) -> str:
    return compose([evidence(signal, **facts)], item, language).text


@pytest.mark.parametrize(
    ("facts", "english", "chinese"),
    [
        (
            {"gap_days": 6, "age_days": 7, "count": 31},
            "You buy bananas about every 6 days; the last time was 7 days ago.",
            "您大约每6天购买一次“bananas”，上次是7天前。",
        ),
        (
            {"gap_days": 1, "age_days": 0},
            "You buy bananas about every day; the last time was today.",
            "您大约每天购买一次“bananas”，上次是今天。",
        ),
        ({"gap_days": 6}, "You buy bananas about every 6 days.", "您大约每6天购买一次“bananas”。"),
        (
            {"gap_days": 30, "count": 2, "age_days": 12},
            "You bought bananas 2 times; the last time was 12 days ago.",
            "您购买过“bananas”2次，上次是12天前。",
        ),
        (
            {"gap_days": 0, "count": 3, "age_days": 1},
            "You bought bananas 3 times; the last time was yesterday.",
            "您购买过“bananas”3次，上次是昨天。",
        ),
        (
            {"gap_days": 6, "count": 31, "age_days": 25},
            "You bought bananas 31 times; the last time was 25 days ago.",
            "您购买过“bananas”31次，上次是25天前。",
        ),
        ({"count": 3}, "You bought bananas 3 times.", "您购买过“bananas”3次。"),
        (
            {"count": 1, "age_days": 12},
            "You bought bananas 12 days ago.",
            "您12天前购买过“bananas”。",
        ),
        ({"count": 1}, "You bought bananas before.", "您以前购买过“bananas”。"),
        ({}, "You bought bananas before.", "您以前购买过“bananas”。"),
    ],
)
def test_repeat_says_the_rhythm_else_the_count_else_the_last_time(
    facts: dict[str, Any], english: str, chinese: str
) -> None:
    assert text("repeat", **facts, **BUY) == english
    assert text("repeat", "zh", **facts, **BUY) == chinese


@pytest.mark.parametrize(
    ("facts", "english", "chinese"),
    [
        (
            {"covers": 14, "season": "autumn"},
            "Covers 14 products you bought 9 times this autumn.",
            "适用于您今年秋天购买过9次的14种商品。",
        ),
        (
            {"covers": 14, "bought_items": 5, "since_days": 28},
            "Covers 14 products; you bought 5 of them 9 times in the last 4 weeks.",
            "适用于14种商品，其中5种您最近4周共购买过9次。",
        ),
        (
            {
                "covers": 14_477,
                "bought_items": 5,
                "linked_titles": ["YOGURT", "CHEESE", "MILK", "TEA"],
            },
            "Covers 14,477 products; you bought 5 of them 9 times, "
            "among them yogurt, cheese and milk.",
            "适用于14477种商品，其中5种您共购买过9次，包括“yogurt”、“cheese”和“milk”。",
        ),
        (
            {"covers": 14, "bought_items": 1, "linked_titles": ["YOGURT"]},
            "Covers 14 products; you bought yogurt 9 times.",
            "适用于14种商品，您共购买过“yogurt”9次。",
        ),
        (
            {"covers": 1, "linked_titles": ["YOGURT"]},
            "Covers yogurt, which you bought 9 times.",
            "适用于您购买过9次的“yogurt”。",
        ),
        ({"covers": 1}, "Covers 1 product you bought 9 times.", "适用于您购买过9次的1种商品。"),
        (
            {"linked_titles": ["YOGURT", "TEA"]},
            "Covers yogurt and tea, which you bought 9 times.",
            "适用于您购买过9次的“yogurt”和“tea”。",
        ),
        ({}, "Recommended for you.", "为您推荐。"),
    ],
)
def test_a_coupon_says_what_it_covers_and_how_often_you_had_it(
    facts: dict[str, Any], english: str, chinese: str
) -> None:
    coupon = ItemFacts("Coupon: 14 products", "coupons")
    common: dict[str, Any] = {"link": "covers", "bought_times": 9, **BUY}
    assert text("repeat", "en", coupon, **facts, **common) == english
    assert text("repeat", "zh", coupon, **facts, **common) == chinese


def test_a_coupon_whose_products_were_never_bought_claims_nothing() -> None:
    facts: dict[str, Any] = {"link": "covers", "covers": 14, "bought_times": 0, **BUY}
    assert text("repeat", **facts) == "Recommended for you."


def test_an_ad_speaks_of_the_advertised_product() -> None:
    facts: dict[str, Any] = {"link": "promotes", "linked_titles": ["YOGURT"], **BUY}
    assert text("repeat", gap_days=6, age_days=7, **facts) == (
        "You buy the advertised yogurt about every 6 days; the last time was 7 days ago."
    )
    assert text("repeat", bought_times=2, **facts) == "You bought the advertised yogurt 2 times."
    assert text("repeat", "zh", gap_days=6, **facts) == "您大约每6天购买一次广告中的“yogurt”。"
    untitled: dict[str, Any] = {"link": "promotes", "gap_days": 6, **BUY}
    assert text("repeat", **untitled) == "You buy the advertised bananas about every 6 days."


def test_other_links_are_spoken_of_without_guessing_what_they_mean() -> None:
    facts: dict[str, Any] = {
        "link": "treats",
        "linked_kind": "drugs",
        "covers": 4,
        "bought_items": 2,
    }
    assert text("repeat", bought_times=5, verb="view", **facts) == (
        "Linked to 4 drugs; you looked at 2 of them 5 times."
    )
    ad: dict[str, Any] = {"link": "promotes", "covers": 3, "bought_times": 5, **BUY}
    assert text("repeat", **ad) == "Linked to 3 products you bought 5 times."


@pytest.mark.parametrize(
    ("facts", "english"),
    [
        (
            {"after": ["BANANAS", "MILK"], "after_days": 2},
            "Often bought after bananas and milk, which you bought 2 days ago.",
        ),
        (
            {"after": ["BANANAS", "MILK", "TEA"], "after_days": [2, 2, 9]},
            "Often bought after bananas and milk, which you bought 2 days ago.",
        ),
        (
            {"after": ["BANANAS", "MILK"], "after_days": [2, 5]},
            "Often bought after bananas and milk, which you bought in the last 5 days.",
        ),
        ({"after": "BANANAS"}, "Often bought after bananas, which you bought before."),
        (
            {"after": ["BANANAS"], "after_days": 1, "after_verb": "view"},
            "Often bought after bananas, which you looked at yesterday.",
        ),
        ({}, "Often bought after what you bought lately."),
    ],
)
def test_follow_names_what_came_before(facts: dict[str, Any], english: str) -> None:
    assert text("follow", **facts, **BUY) == english


def test_taste_names_the_nearest_past_items() -> None:
    assert text("taste", near=["YOGURT", "Oat Milk"], **BUY) == (
        "Close to what you buy: yogurt, Oat Milk."
    )
    assert text("taste", "zh", near=["酸奶", "燕麦奶"], **BUY) == "与您购买的“酸奶”、“燕麦奶”相近。"
    assert text("taste", **BUY) == "Close to your taste."


@pytest.mark.parametrize(
    ("facts", "english"),
    [
        ({"wish": "a book on ML.", "near": ["X"]}, "Matches your wish: “a book on ML”."),
        ({"query": "cheap phone"}, "Matches your search: “cheap phone”."),
        ({"near": ["YOGURT", "CHEESE"]}, "Similar to yogurt, cheese."),
        ({"label": "DAIRY"}, "Belongs to dairy, as does what you bought before."),
        ({}, "Similar to what you bought before."),
    ],
)
def test_content_prefers_your_own_words(facts: dict[str, Any], english: str) -> None:
    assert text("content", **facts, **BUY) == english


@pytest.mark.parametrize(
    ("facts", "english", "chinese"),
    [
        ({}, "Bought by 312 people in the last 4 weeks.", "最近4周有312人购买过。"),
        (
            {"segment": "fresh fruit"},
            "Bought by 312 people like you (fresh fruit) in the last 4 weeks.",
            "最近4周，与您同类（fresh fruit）的用户中有312人购买过。",
        ),
        (
            {"place": {"store": "367"}},
            "Bought by 312 people in store 367 in the last 4 weeks.",
            "最近4周，在门店 367有312人购买过。",
        ),
        (
            {"segment": "fresh fruit", "place": "Ohio"},
            "Bought by 312 people like you (fresh fruit) in Ohio in the last 4 weeks.",
            "最近4周，在Ohio与您同类（fresh fruit）的用户中有312人购买过。",
        ),
        ({"buyers": 0}, "Popular at the moment.", "目前很受欢迎。"),
    ],
)
def test_trend_counts_people(facts: dict[str, Any], english: str, chinese: str) -> None:
    given: dict[str, Any] = {"buyers": 312, "days": 28, **BUY, **facts}
    assert text("trend", **given) == english
    assert text("trend", "zh", **given) == chinese


@pytest.mark.parametrize(
    ("facts", "english", "chinese"),
    [
        (
            {"age_days": 1, "count": 3, "people": 30, "percent": 40},
            "You looked at oat milk yesterday; 40% of those who looked at it bought it.",
            "您昨天浏览过“oat milk”，浏览过它的人中有40%购买过它。",
        ),
        (
            {"age_days": 2, "count": 3, "people": 300, "percent": 0},
            "You looked at oat milk 3 times; the last time was 2 days ago.",
            "您浏览过“oat milk”3次，上次是2天前。",
        ),
        (
            {"age_days": 2, "count": 1, "touch": "cart"},
            "You added oat milk 2 days ago.",
            "您2天前加购过“oat milk”。",
        ),
        ({"count": 3}, "Recommended for you.", "为您推荐。"),
        ({"age_days": 1, "touched_title": " "}, "Recommended for you.", "为您推荐。"),
    ],
)
def test_funnel_says_what_was_touched_and_what_others_then_did(
    facts: dict[str, Any], english: str, chinese: str
) -> None:
    given = {"touched_title": "oat milk", "touch": "view", **BUY, **facts}
    assert text("funnel", **given) == english
    assert text("funnel", "zh", **given) == chinese


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("redeem", "You redeemed bananas 3 times."),
        ("watch", "You watched bananas 3 times."),
        ("rate", "You rated bananas 3 times."),
        ("levitate", "You came across bananas 3 times."),
        (None, "You came across bananas 3 times."),
    ],
)
def test_the_verb_follows_the_action_and_is_neutral_for_an_unknown_one(
    action: str | None, expected: str
) -> None:
    assert text("repeat", count=3, verb=action) == expected


def test_the_largest_share_that_supports_a_sentence_speaks() -> None:
    trend = evidence("trend", 0.3, buyers=5, days=7, **BUY)
    taste = evidence("taste", 0.6)
    follow = evidence("follow", 0.1, after=["MILK"], **BUY)
    reason = compose([follow, trend, taste], BANANAS)
    assert reason.text == "Bought by 5 people in the last 7 days."
    assert [one.signal for one in reason.evidence] == ["taste", "trend", "follow"]
    assert (reason.language, reason.source) == ("en", "evidence")


@pytest.mark.parametrize("signal", ["repeat", "follow", "content", "levitation"])
def test_evidence_without_events_claims_no_past(signal: str) -> None:
    assert compose([evidence(signal, events=0)], BANANAS).text == "Recommended for you."


def test_without_any_evidence_the_sentence_claims_nothing() -> None:
    assert compose([], BANANAS, "zh").text == "为您推荐。"


def test_an_item_without_a_title_is_not_named() -> None:
    nameless = ItemFacts(" ", "products")
    assert text("repeat", item=nameless, count=3, **BUY) == "Recommended for you."


def test_numbers_of_numpy_count_and_broken_ones_do_not() -> None:
    assert text("repeat", count=np.int64(3), **BUY) == "You bought bananas 3 times."
    assert text("repeat", count=np.float32(3.0), **BUY) == "You bought bananas 3 times."
    for broken in (float("nan"), float("inf"), -3, True, "3", None):
        assert text("repeat", count=broken, age_days=2, **BUY) == "You bought bananas 2 days ago."


def test_braces_in_a_title_are_only_text() -> None:
    assert text("repeat", item=ItemFacts("{n} {0}", "products"), count=3, **BUY) == (
        "You bought {n} {0} 3 times."
    )


def test_a_reason_in_an_unknown_language_names_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="no language `fr`; known: `en`, `zh`"):
        compose([], BANANAS, "fr")
