"""The words that take wishes apart, one file per language: `words/LANGUAGE.json`.

A new language is a new file with the keys of `en.json`. A file says which words negate what follows
(`not`, and `not_any` where a following "and" still belongs to it), which only look like it
(`harmless`), where the negated thing ends (`stop`), how lists go on (`or`, `and`), how bounds are
said before and after a number, and what money is called.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Any

from recprism.llm.quantities import HAN

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_JOINT = r"[\s,;:，；：、.。!！?？-]"
_IN_HAN = re.compile(f"[{HAN}]")


class Words:
    """The words of one language as patterns; all match in small letters."""

    def __init__(self, code: str, words: Mapping[str, Any]) -> None:
        self.code, self._words = code, words
        self.is_spaced = bool(words["common"])
        self.common = frozenset(words["common"])
        self.numbers: Mapping[str, float] = words["numbers"]

    def listed(self, key: str) -> list[str]:
        return list(self._words[key])

    def pattern(self, *keys: str) -> str:
        """An alternation of all words under `keys`, the longest first, whole words only."""
        words = sorted((w for key in keys for w in self._words[key]), key=len, reverse=True)
        if not words:
            return r"(?!)"
        either = "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in words)
        return rf"(?<!\w)(?:{either})(?!\w)" if self.is_spaced else f"(?:{either})"

    @cached_property
    def harmless(self) -> re.Pattern[str]:
        return re.compile(self.pattern("harmless"))

    @cached_property
    def negation(self) -> re.Pattern[str]:
        return re.compile(f"(?P<any>{self.pattern('not_any')})|{self.pattern('not')}")

    @cached_property
    def only(self) -> re.Pattern[str]:
        return re.compile(self.pattern("only") + r"\s*")

    @cached_property
    def token(self) -> re.Pattern[str]:
        """What the reach of a negation is made of; a group names the kind of each piece."""
        word = r"[\w'’-]+" if self.is_spaced else r"[^\W\d_]|[\w'’-]+"
        return re.compile(
            rf"(?P<comma>[,，]\s*(?:{self.pattern('or')})?)|(?P<stop>[^\w\s、'’-]|\d|"
            rf"{self.pattern('stop', 'not', 'not_any')})|(?P<or>{self.pattern('or')})|"
            rf"(?P<and>{self.pattern('and')})|(?P<skip>{self.pattern('skip')})|(?P<word>{word})"
        )

    @cached_property
    def leading(self) -> re.Pattern[str]:
        """Joints at the start of what is left, which held what was cut out before it."""
        return re.compile(rf"(?:{_JOINT}|{self.pattern('leading')})+")

    @cached_property
    def trailing(self) -> re.Pattern[str]:
        """Joints at the end of what is left, which held what was cut out behind it."""
        return re.compile(rf"(?:{_JOINT}|{self.pattern('trailing')})+$")

    @cached_property
    def saying_nothing(self) -> re.Pattern[str]:
        """A text of the words that wishes begin and end with, and no other."""
        words = self.pattern("filler", "skip", "trailing", "leading")
        return re.compile(rf"(?:{_JOINT}|{words})*")


def languages() -> list[str]:
    """The languages with words, sorted."""
    found = (files(__package__) / "words").iterdir()
    return sorted(file.name.removesuffix(".json") for file in found if file.name.endswith(".json"))


@lru_cache
def words_of(language: str) -> Words:
    """The words of one of `languages()`."""
    text = (files(__package__) / "words" / f"{language}.json").read_text(encoding="utf-8")
    return Words(language, json.loads(text))


def words_for(wish: str, default: str) -> Words | None:
    """The words of the language that a wish is in; None where it looks like none of them.

    Chinese shows by its script, others by how many of their commonest words stand in the wish. A
    wish of content words alone is taken for `default`, if that is spelled with letters.
    """
    if _IN_HAN.search(wish):
        return words_of("zh")
    seen = {word.replace("’", "'") for word in _WORD.findall(wish.lower())}
    spaced = [words for words in map(words_of, languages()) if words.is_spaced]
    votes = {words.code: len(seen & words.common) for words in spaced}
    best = max(votes.values(), default=0)
    tied = [code for code, n in votes.items() if n == best]
    if best and len(tied) == 1:
        return words_of(tied[0])
    return words_of(default) if default in tied else None


@lru_cache
def free_words() -> str:
    """An alternation of what says behind a thing that it is not there, in all languages."""
    words = [word for language in languages() for word in words_of(language).listed("free")]
    return "|".join(map(re.escape, words))


def price_words() -> Iterable[str]:
    """What a column of prices may be called, in all languages."""
    return (word for language in languages() for word in words_of(language).listed("price"))
