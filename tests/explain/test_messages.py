from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from recprism.errors import UnknownName
from recprism.explain import catalogue, languages
from recprism.explain.messages import PLURAL_RULES

PLURAL_FORMS = {"one", "other"}


def entries(messages: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, frozenset[str]]]:
    """Every message with its placeholders; forms of one counted message count as one entry."""
    for key, value in messages.items():
        place = f"{path}/{key}"
        if isinstance(value, str):
            yield place, frozenset(re.findall(r"\{(\w+)\}", value))
        elif "other" in value and isinstance(value["other"], str):
            forms = PLURAL_FORMS | {str(n) for n in range(3)}
            assert set(value) <= forms, f"{place} has an unknown plural form"
            yield place, frozenset(re.findall(r"\{(\w+)\}", value["other"]))
        else:
            yield from entries(value, place)


def test_english_and_chinese_have_catalogues() -> None:
    assert languages() == ["en", "zh"]


@pytest.mark.parametrize("language", [name for name in languages() if name != "en"])
def test_every_language_has_the_messages_and_placeholders_of_english(language: str) -> None:
    assert dict(entries(catalogue(language).messages)) == dict(entries(catalogue("en").messages))


@pytest.mark.parametrize("language", languages())
def test_every_language_names_a_known_plural_rule(language: str) -> None:
    assert catalogue(language).messages["plural"] in PLURAL_RULES


def test_an_unknown_language_gives_one_clear_error() -> None:
    with pytest.raises(UnknownName, match=r"There is no language `eng`; known: `en`, `zh`\."):
        catalogue("eng")


@pytest.mark.parametrize(
    ("phrase", "n", "english", "chinese"),
    [
        ("gap", 1, "day", "天"),
        ("gap", 6, "6 days", "6天"),
        ("ago", 0, "today", "今天"),
        ("ago", 1, "yesterday", "昨天"),
        ("ago", 7, "7 days ago", "7天前"),
        ("times", 1, "1 time", "1次"),
        ("times", 31, "31 times", "31次"),
        ("people", 1, "1 person", "1人"),
        ("people", 1312, "1,312 people", "1312人"),
    ],
)
def test_wording_follows_the_number(phrase: str, n: int, english: str, chinese: str) -> None:
    assert catalogue("en").phrase(phrase, n) == english
    assert catalogue("zh").phrase(phrase, n) == chinese


@pytest.mark.parametrize(
    ("days", "expected"),
    [(1, "since yesterday"), (7, "in the last 7 days"), (14, "in the last 2 weeks")],
)
def test_whole_weeks_are_said_in_weeks_from_two_on(days: int, expected: str) -> None:
    assert catalogue("en").within(days) == expected


def test_names_are_joined_as_the_language_does() -> None:
    names = ["a", "b", "c"]
    assert catalogue("en").joined(names) == "a, b and c"
    assert catalogue("zh").joined(names) == "“a”、“b”和“c”"
    assert catalogue("en").joined(names[:1]) == catalogue("en").listed(names[:1]) == "a"
