from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recprism.explain import ItemFacts, check, compose, languages
from recprism.records import Evidence

BANANAS = ItemFacts("BANANAS", "products", {"department": "PRODUCE"})
RHYTHM = [Evidence(signal="repeat", facts={"gap_days": 6, "age_days": 7, "verb": "purchase"})]
TREND = [Evidence(signal="trend", facts={"buyers": 1312, "days": 28, "verb": "purchase"})]


def language_of(sentence: str) -> str:
    return "en" if sentence.isascii() or "You" in sentence else "zh"


@pytest.mark.parametrize(
    "sentence",
    [
        "You buy bananas about every 6 days; the last time was 7 days ago.",
        "You buy Bananas about every six days.",
        "You buy produce about every 6 days.",
        "您大约每6天购买一次“BANANAS”，上次是7天前。",
        "您大约每六天购买一次",
    ],
)
def test_true_sentences_pass(sentence: str) -> None:
    assert check(sentence, RHYTHM, BANANAS, language_of(sentence)) == ()


@pytest.mark.parametrize(
    ("sentence", "lie"),
    [
        ("You buy bananas about every 9 days; the last time was 7 days ago.", "9"),
        ("You buy bananas about every 66 days.", "66"),
        ("You bought bananas twice.", "twice"),
        ("You bought bananas a dozen times.", "dozen"),
        ("You bought bananas yesterday.", "yesterday"),
        ("You buy apples about every 6 days.", "apples"),
        ("You buy Chiquita bananas about every 6 days.", "Chiquita"),
        ("You buy “your taste” about every 6 days.", "your taste"),
        ("您大约每9天购买一次“BANANAS”。", "9"),
        ("您购买过“BANANAS”九次。", "九"),
        ("您昨天购买过“BANANAS”。", "昨天购买过"),
        ("您大约每6天购买一次“苹果”。", "苹果"),
        ("您大约每6天购买一次苹果。", "苹果"),
        ("您大约每6天购买一次「最近」。", "最近"),
    ],
)
def test_planted_lies_are_caught(sentence: str, lie: str) -> None:
    found = check(sentence, RHYTHM, BANANAS, language_of(sentence))
    assert any(f"{lie}` is not in the evidence" in one for one in found), found


def test_weeks_are_grounded_in_their_days() -> None:
    assert check("Bought by 1,312 people in the last 4 weeks.", TREND, BANANAS) == ()
    assert check("最近4周有1312人购买过。", TREND, BANANAS, "zh") == ()
    assert check("Bought by 4 people in the last 28 days.", TREND, BANANAS) == (
        "the number `4` is not in the evidence",
    )
    assert check("最近3周有1312人购买过。", TREND, BANANAS, "zh") == (
        "the number `3` is not in the evidence",
    )


def test_a_share_is_grounded_as_a_share() -> None:
    funnel = [Evidence(signal="funnel", facts={"percent": 31, "age_days": 2, "verb": "purchase"})]
    assert check("31% of those who looked at it bought it.", funnel, BANANAS) == ()
    assert check("2% of those who looked at it bought it.", funnel, BANANAS) != ()


def test_a_number_inside_a_name_is_no_claim_but_a_part_of_a_name_is_no_name() -> None:
    soda = ItemFacts("SOFT DRINKS 12/18&15PK CAN CAR", "products")
    assert check("You buy soft drinks 12/18&15pk can car about every 6 days.", RHYTHM, soda) == ()
    assert check("You buy soft drinks about every 12 days.", RHYTHM, soda) == (
        "the number `12` is not in the evidence",
        "`soft` is not in the evidence",
        "`drinks` is not in the evidence",
    )


def test_the_same_complaint_is_made_once() -> None:
    assert check("apples, apples", RHYTHM, BANANAS) == ("`apples` is not in the evidence",)


titles = st.one_of(
    st.text(st.characters(categories=["L", "N", "Zs", "Sm"]), max_size=80),
    st.sampled_from(["BANANAS", "SOFT DRINKS 12/18&15PK CAN CAR", "深度学习实战", "iPhone 13"]),
    st.sampled_from(["5", "TV", "two", "今天", "Dr. Smith's “best” soap", "A_B_C 🎉"]),
)
title_lists = st.lists(titles, max_size=4)
counts = st.one_of(st.none(), st.integers(-1, 20_000))
verbs = st.sampled_from(["purchase", "redeem", "view", "click", "levitate"])
facts_of = {
    "repeat": st.fixed_dictionaries(
        {"verb": verbs},
        optional={
            **dict.fromkeys(["gap_days", "age_days", "count", "covers", "bought_items"], counts),
            **dict.fromkeys(["bought_times", "since_days"], counts),
            "season": st.sampled_from(["autumn", "winter", "monsoon"]),
            "link": st.sampled_from(["covers", "promotes", "treats"]),
            "linked_titles": title_lists,
            "linked_kind": st.sampled_from(["products", "drugs", "recipes"]),
        },
    ),
    "follow": st.fixed_dictionaries(
        {"verb": verbs},
        optional={
            "after": title_lists,
            "after_days": st.one_of(counts, st.lists(st.integers(0, 400), min_size=4, max_size=4)),
            "after_verb": verbs,
        },
    ),
    "taste": st.fixed_dictionaries({"verb": verbs}, optional={"near": title_lists}),
    "content": st.fixed_dictionaries(
        {"verb": verbs},
        optional={"near": title_lists, "label": titles, "query": titles, "wish": titles},
    ),
    "trend": st.fixed_dictionaries(
        {"verb": verbs, "buyers": counts, "days": counts},
        optional={
            "segment": st.one_of(st.none(), titles),
            "place": st.one_of(st.none(), titles, st.dictionaries(st.just("store"), titles)),
        },
    ),
    "funnel": st.fixed_dictionaries(
        {"verb": verbs, "touch": verbs},
        optional={
            "touched_title": titles,
            "age_days": counts,
            "count": counts,
            "percent": counts,
            "people": counts,
        },
    ),
}
pieces = st.sampled_from(sorted(facts_of)).flatmap(
    lambda signal: st.builds(
        Evidence,
        signal=st.just(signal),
        share=st.floats(0, 1),
        events=st.integers(0, 3),
        facts=facts_of[signal],
    )
)


# Fixed examples: a name that is a number word ("TWO") is rightly doubted now and then.
@settings(deadline=None, max_examples=300, derandomize=True)
@given(
    evidence=st.lists(pieces, max_size=3),
    title=titles,
    language=st.sampled_from(languages()),
)
def test_every_composed_sentence_passes_the_guard(
    evidence: list[Evidence], title: str, language: str
) -> None:
    item = ItemFacts(title, "products", {"department": "PRODUCE"})
    assert check(compose(evidence, item, language).text, evidence, item, language) == ()


@settings(deadline=None)
@given(
    facts=st.fixed_dictionaries(
        {"gap_days": st.integers(100, 400), "age_days": st.integers(2, 400)}
    ),
    lie=st.integers(2, 9_999),
    language=st.sampled_from(languages()),
)
def test_another_number_in_a_composed_sentence_is_caught(
    facts: dict[str, Any], lie: int, language: str
) -> None:
    evidence = [Evidence(signal="repeat", facts={**facts, "verb": "purchase"})]
    text = compose(evidence, BANANAS, language).text
    changed = re.sub(r"\d+", str(lie), text, count=1)
    assert bool(check(changed, evidence, BANANAS, language)) == (lie not in facts.values())


@settings(deadline=None)
@given(
    other=st.sampled_from(["apples", "Oat Milk", "燕麦奶", "iPhone 13"]),
    language=st.sampled_from(languages()),
)
def test_another_item_in_a_composed_sentence_is_caught(other: str, language: str) -> None:
    evidence = [Evidence(signal="repeat", facts={"count": 3, "age_days": 13, "verb": "purchase"})]
    text = compose(evidence, BANANAS, language).text
    assert check(text.replace("bananas", other), evidence, BANANAS, language) != ()
