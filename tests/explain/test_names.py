from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recprism.explain import readable


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("BANANAS", "bananas"),
        ("FLUID MILK WHITE ONLY", "fluid milk white only"),
        ("SOFT DRINKS 12/18&15PK CAN CAR", "soft drinks 12/18&15pk can car"),
        ("BBQ SAUCE", "BBQ sauce"),
        ("VITAMIN C", "vitamin C"),
        ("CAN'T WAIT", "can't wait"),
        ("CRÈME BRÛLÉE", "crème brûlée"),
        ("TV", "TV"),
        ("BMW", "BMW"),
        ("TEA", "tea"),
        ("12", "12"),
        ("iPhone 13", "iPhone 13"),
        ("Bananas", "Bananas"),
        ("МОЛОКО", "МОЛОКО"),
        ("深度学习 PYTHON", "深度学习 PYTHON"),
        ("  FROZEN \n PIZZA ", "frozen pizza"),
        ("", ""),
    ],
)
def test_only_titles_wholly_in_latin_capitals_are_quieted(title: str, expected: str) -> None:
    assert readable(title) == expected


def test_long_titles_are_cut_at_a_word() -> None:
    cut = readable("one two three four five six seven eight nine ten eleven twelve thirteen")
    assert cut == "one two three four five six seven eight nine ten eleven…"
    assert readable("字" * 80) == "字" * 59 + "…"


@settings(deadline=None)
@given(title=st.text(max_size=90))
def test_a_readable_title_stays_as_it_is(title: str) -> None:
    once = readable(title)
    assert len(once) <= 60 or once == readable(once)
    assert readable(once) == once
