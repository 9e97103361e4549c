"""The guard, on written cases in two languages and on sentences that are made up at random."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recprism.errors import UnknownName
from recprism.llm.guard import Ground, languages, plain_words, refuse
from recprism.llm.quantities import find_quantities

EN = Ground(
    names=("Oat Milk", "BANANAS", "7UP 330ml", "Pregnancy Test", "Produce", "Rye & Co", "Cheese"),
    numbers=(6, 31, 12),
    amounts=("$3.99", "20 %"),
)
ZH = Ground(
    names=("燕麦奶", "三文鱼", "验孕棒", "乳制品", "Oatly"),
    numbers=(6, 31, 12),
    amounts=("3.99元", "20%"),
)

ACCEPTED = [
    ("en", "You buy oat milk about every 6 days."),
    ("en", "You often buy bananas, and oat milk goes well with it."),
    ("en", "Oat Milk is $3.99 now, as you like Produce."),
    ("en", "Because you bought bananas 31 times, you might like “Oat Milk”."),
    ("en", "You've bought 7UP 330ml twelve times!"),
    ("en", "Oat milk: 20% of what you bought was Produce."),
    ("en", "You bought it for 3.99 dollars."),
    ("en", "The Pregnancy Test is new."),
    ("en", "You have bought cheeses recently."),
    ("en", "Since March, I've seen you often. On Sunday? Oat Milk!"),
    ("zh", "您大约每6天购买燕麦奶。"),
    ("zh", "因为您经常购买三文鱼，所以推荐燕麦奶。"),
    ("zh", "燕麦奶与您喜欢的乳制品相似。"),
    ("zh", "您买过三十一次三文鱼，为您推荐“燕麦奶”。"),
    ("zh", "燕麦奶只要3.99元。"),
    ("zh", "您喜欢的Oatly又到了。"),
]
REFUSED = [
    ("en", "You buy almond milk about every 6 days.", "almond"),
    ("en", "You buy milk about every 6 days.", "milk"),
    ("en", "You like Oat Milk Chocolate.", "Chocolate"),
    ("en", "You like cheese bananas.", "joins two names"),
    ("en", "You buy oat milk about every 7 days.", "number `7`"),
    ("en", "You bought oat milk seven times.", "number `seven`"),
    ("en", "You bought 1/2 oat milk.", "number `1/2`"),
    ("en", "You bought oat milk ½ the time.", "number"),
    ("en", "You bought oat milk １３ times.", "number `13`"),
    ("en", "You bought oat milk 3\u200b1 times.", "hidden"),
    ("en", "Oat Milk is $2.99 now.", "amount `$2.99`"),
    ("en", "Oat Milk is €3.99 now.", "amount `€3.99`"),
    ("en", "Oat Milk is 3.99 euros now.", "amount"),
    ("en", "Oat Milk is $6 now.", "amount `$6`"),
    ("en", "Oat Milk is 50 % less.", "amount `50 %`"),
    ("en", "Oat Milk is 12 percent less.", "amount"),
    ("en", "Oat Milk is free.", "free"),
    ("en", "Oat Milk is healthy and the cheapest.", "healthy"),
    ("en", "You like the Cheese Store.", "Store"),
    ("en", "You like the Best Oat Milk.", "Best"),
    ("en", "You like cheese watch.", "watch"),
    ("en", "Maria likes Oat Milk.", "Maria"),
    ("en", "Oat Milk is good, says Dr. Smith.", "Smith"),
    ("en", "See https://evil.example for Oat Milk.", "https"),
    ("en", "Oat Milk 🎉", "sign"),
    ("en", "Oat_Milk_is_good.", "sign `_`"),
    ("en", "Oat Milk is good.\nBuy it now.", "line ends"),
    ("en", "", "says nothing"),
    ("en", "Oat milk " + "is very good and " * 30, "more than 300"),
    ("en", "You are pregnant, so take Oat Milk.", "sensitive"),
    ("en", "You seem to be a Pregnancy Test customer.", "sensitive"),
    ("en", "As a Muslim you might like Oat Milk.", "sensitive"),
    ("en", "Oat Milk is good for diabetics.", "sensitive"),
    ("en", "Because you are poor, take Oat Milk.", "sensitive"),
    ("en", "您喜欢燕麦奶。", "not in `en`"),
    ("en", "Vous aimez Oat Milk.", "Vous"),
    ("en", "Sie kaufen Oat Milk oft.", "Sie"),
    ("en", "Оat Milk is good.", "Оat"),
    ("zh", "您大约每7天购买燕麦奶。", "number `7`"),
    ("zh", "您买过三十次三文鱼。", "number `三十`"),
    ("zh", "您喜欢豆奶。", "豆奶"),
    ("zh", "您喜欢奶。", "奶"),
    ("zh", "您喜欢燕麦奶酪。", "酪"),
    ("zh", "您喜欢燕麦奶三文鱼。", "joins two names"),
    ("zh", "燕麦奶只要2.99元。", "amount"),
    ("zh", "燕麦奶只要3.99美元。", "amount"),
    ("zh", "燕麦奶百分之五十。", "amount"),
    ("zh", "燕麦奶免费。", "免费"),
    ("zh", "张伟喜欢燕麦奶。", "张伟"),
    ("zh", "您怀孕了，推荐燕麦奶。", "sensitive"),
    ("zh", "您是患者，推荐验孕棒。", "sensitive"),
    ("zh", "您是中年用户，推荐燕麦奶。", "sensitive"),
    ("zh", "清真用户喜欢燕麦奶。", "sensitive"),
    ("zh", "You like Oatly.", "not in `zh`"),
    ("zh", "推荐给VIP用户。", "VIP"),
    ("zh", "您购买milk了。", "milk"),
    ("zh", "オート燕麦奶です。", "オート"),
]


@pytest.mark.parametrize(("language", "sentence"), ACCEPTED)
def test_a_grounded_sentence_is_accepted(language: str, sentence: str) -> None:
    assert refuse(sentence, EN if language == "en" else ZH, language) == ()


@pytest.mark.parametrize(("language", "sentence", "why"), REFUSED)
def test_an_ungrounded_sentence_is_refused_and_why(language: str, sentence: str, why: str) -> None:
    found = refuse(sentence, EN if language == "en" else ZH, language)
    assert any(why in reason for reason in found), found


def test_a_sensitive_name_is_fine_while_nobody_is_meant() -> None:
    ground = Ground(names=("Kosher Salt", "White Bread", "Jewelry"), numbers=(3,))
    assert refuse("Kosher salt goes well with white bread.", ground, "en") == ()
    assert refuse("You have bought white bread 3 times.", ground, "en") == ()
    assert refuse("Jewelry is popular.", ground, "en") == ()
    assert refuse("White bread, which you are looking at.", ground, "en") == ()
    assert refuse("You are kosher salt.", ground, "en") != ()


def test_an_unknown_language_is_named() -> None:
    with pytest.raises(UnknownName, match="There is no language `fr`; known: `en`, `zh`"):
        refuse("Bonjour.", Ground(), "fr")


@pytest.mark.parametrize("language", languages())
def test_plain_words_are_plain(language: str) -> None:
    """No numeral, no trait and no name hides among them."""
    from recprism.llm.guard import _traits

    for word in plain_words(language):
        assert find_quantities(word) == [], word
        assert _traits().search(word) is None, word


words = st.sampled_from(sorted(plain_words("en") - {"i"}))
han_words = st.sampled_from(sorted(plain_words("zh")))


@given(
    st.lists(words, min_size=1, max_size=12), st.sampled_from(EN.names), st.sampled_from([6, 31])
)
def test_plain_words_with_names_and_numbers_are_accepted(
    said: list[str], name: str, number: int
) -> None:
    ground = Ground(names=(name,), numbers=EN.numbers)
    sentence = f"{' '.join(said[:6])}, {name}, {number}, {' '.join(said[6:])}."
    found = [why for why in refuse(sentence, ground, "en") if "sensitive" not in why]
    assert found == []


@given(st.lists(words, max_size=6), st.from_regex(r"[a-z]{3,12}", fullmatch=True))
def test_one_word_too_many_is_refused(said: list[str], word: str) -> None:
    known = word in plain_words("en") or find_quantities(word)
    if not known:
        assert refuse(" ".join([*said, word]), EN, "en") != ()


@given(st.lists(words, max_size=6), st.integers(0, 10_000))
def test_a_number_that_is_not_known_is_refused(said: list[str], number: int) -> None:
    found = refuse(" ".join([*said, str(number)]), EN, "en")
    numbers = [why for why in found if "number" in why]
    assert bool(numbers) == (number not in EN.numbers)


@given(st.lists(han_words, max_size=6), st.sampled_from("奶鱼面包酒肉糖茶烟药"))
def test_one_chinese_character_too_many_is_refused(said: list[str], character: str) -> None:
    assert refuse("".join([*said, character]), ZH, "zh") != ()


@given(st.text(max_size=80), st.sampled_from(["en", "zh"]))
def test_it_never_fails_and_says_the_same_twice(text: str, language: str) -> None:
    assert refuse(text, EN, language) == refuse(text, EN, language)


@pytest.mark.parametrize(
    ("text", "number", "unit"),
    [
        ("$3.99", 3.99, "$"),
        ("3.99 dollars", 3.99, "$"),
        ("3.99美元", 3.99, "$"),
        ("1,299.50 €", 1299.5, "€"),
        ("1299,5 euros", 1299.5, "€"),
        ("¥12", 12, "¥"),
        ("十二块", 12, "¥"),
        ("20 percent", 20, "%"),
        ("百分之二十", 20, "%"),
        ("two hundred and five", 205, ""),
        ("twenty-one", 21, ""),
        ("three thousand two hundred", 3200, ""),
        ("half", 0.5, ""),
        ("三百零五", 305, ""),
        ("一万二千", 12000, ""),
        ("二〇一七", 2017, ""),
        ("两", 2, ""),
        ("半", 0.5, ""),
    ],
)
def test_quantities_in_all_spellings(text: str, number: float, unit: str) -> None:
    (found,) = find_quantities(text)
    assert (found.quantity.number, found.quantity.unit) == (number, unit)
    assert (found.start, found.end) == (0, len(text))
