"""A rephrasing says what the sentence says: no more, and what matters of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recprism.llm import Ground, refuse
from recprism.llm.claims import _groups
from recprism.llm.guard import languages, plain_words
from recprism.llm.quantities import find_quantities

EN = Ground(
    names=("bananas",),
    numbers=(1, 6, 7),
    said="You buy bananas about every 6 days; the last time was 7 days ago.",
)
ZH = Ground(names=("香蕉",), numbers=(1, 6, 7), said="您大约每6天购买一次“香蕉”，上次是7天前。")
WEEKS = Ground(
    names=("bananas",), numbers=(312, 28), said="Bananas: bought by 312 people in the last 28 days."
)


@pytest.mark.parametrize(
    "sentence",
    [
        EN.said,
        "You buy bananas every six days, last bought 7 days ago.",
        "Enjoy bananas again: you buy them about once every 6 days!",
        "Time for bananas again? You usually buy them every 6 days.",
        "You regularly buy bananas; the last time was 7 days ago.",
    ],
)
def test_another_wording_of_the_same_is_accepted(sentence: str) -> None:
    assert refuse(sentence, EN, "en") == ()


@pytest.mark.parametrize(
    "sentence",
    [
        ZH.said,
        "您通常每6天购买一次香蕉，上次购买是在7天前。",
        "根据您的购买习惯，您大约每六天购买一次香蕉。",
    ],
)
def test_another_chinese_wording_of_the_same_is_accepted(sentence: str) -> None:
    assert refuse(sentence, ZH, "zh") == ()


@pytest.mark.parametrize(
    ("ground", "sentence", "why"),
    [
        (EN, "You buy bananas about every 7 days; the last time was 6 days ago.", "`7` does not"),
        (EN, "You bought bananas 6 times.", "`6` does not count that"),
        (EN, "You bought 7 bananas.", "`7` does not count that"),
        (EN, "You buy bananas every 6 weeks.", "`6` does not count that"),
        (EN, "You never buy bananas.", "`never`"),
        (EN, "You don't buy bananas.", "`don`"),
        (EN, "You recently bought bananas.", "`recently`"),
        (EN, "You buy bananas every Monday.", "`monday`"),
        (EN, "Everyone buys bananas.", "`everyone`"),
        (EN, "Your favorite bananas, which you buy often.", "`favorite`"),
        (EN, "You looked at bananas 7 days ago.", "`looked`"),
        (EN, "The last bananas were 7 days ago.", "leaves out `buy`"),
        (EN, "You buy “more” bananas.", "`more`"),
        (EN, "You buy them about every 6 days.", "names nothing"),
        (WEEKS, "Bananas: bought by 28 people.", "`28` does not count that"),
        (ZH, "您每7天购买一次香蕉。", "`7` does not count that"),
        (ZH, "您从不购买香蕉。", "`不`"),
        (ZH, "您每天都买香蕉。", "`每天`"),
        (ZH, "您看过香蕉6次。", "`看过`"),
        (ZH, "香蕉很新。", "`新`"),
        (ZH, "香蕉，上次是7天前。", "leaves out `购买`"),
    ],
)
def test_what_says_more_or_something_else_is_refused(
    ground: Ground, sentence: str, why: str
) -> None:
    found = refuse(sentence, ground, "zh" if ground is ZH else "en")
    assert any(why in one for one in found), found


def test_whole_weeks_are_their_days() -> None:
    assert refuse("Bananas, bought by 312 people in the last 28 days.", WEEKS, "en") == ()
    ground = Ground(names=WEEKS.names, numbers=(312,), counts=((4, "week"),), said=WEEKS.said)
    assert refuse("Bananas, bought by 312 people in the last 4 weeks.", ground, "en") == ()
    assert refuse("Bananas, bought by 4 people.", ground, "en") != ()


def test_words_that_are_free_claim_nothing() -> None:
    assert refuse("A customer may buy bananas.", EN, "en") != ()
    free = Ground(names=EN.names, said=EN.said, words=frozenset({"customer"}))
    assert refuse("A customer may buy bananas.", free, "en") == ()


@pytest.mark.parametrize("language", languages())
def test_every_language_has_claims(language: str) -> None:
    groups = _groups(language)
    assert groups
    assert all(find_quantities(word) == [] for word in groups)
    assert plain_words(language)


@given(st.text(max_size=120), st.sampled_from([EN, ZH]))
def test_whatever_is_said_is_judged_without_fail(text: str, ground: Ground) -> None:
    language = "zh" if ground is ZH else "en"
    assert refuse(text, ground, language) == refuse(text, ground, language)
