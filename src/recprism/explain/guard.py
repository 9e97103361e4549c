"""The guard: no reason states what its evidence does not.

In come a sentence, the evidence and the item; out go complaints, none for a grounded sentence. It
looks at words only: every number must be a fact, every name must be in the facts or the item, and
every other word must be wording of the message catalogues. It does not see a true number in the
wrong place. A Chinese name is found by its characters: two neighbors that the wording never joins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from numbers import Real
from typing import Any

from recprism.explain.messages import FULL_STOPS, catalogue, languages
from recprism.explain.names import readable
from recprism.explain.sentences import ItemFacts
from recprism.records import Evidence

_HAN = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_WEEKS = re.compile(r"\s*(?:weeks?\b|周|个?星期)")
_WORD = re.compile(rf"[^\W\d_{_HAN}]+")
_HAN_RUN = re.compile(rf"[{_HAN}]+")
_QUOTES = {"“": "”", '"': '"', "「": "」", "《": "》"}
_FIELD = re.compile(r"\{\w+\}")
_NUMBER_WORDS = {
    word: number
    for number, words in {
        **dict(enumerate(["zero today 今天", "one once yesterday 昨天", "two twice 二 两"])),
        **dict(enumerate(["three thrice 三", "four 四", "five 五", "six 六", "seven 七"], 3)),
        **dict(enumerate(["eight 八", "nine 九", "ten 十", "eleven", "twelve dozen"], 8)),
        -1: "hundred hundreds thousand thousands dozens 百 千 万",
    }.items()
    for word in words.split()
}
"""Numbers in words; -1 stands for words that no fact is ever written with."""
_HAN_NUMBER = re.compile("今天|昨天|[二两三四五六七八九十百千万]")


def check(text: str, evidence: Sequence[Evidence], item: ItemFacts) -> list[str]:
    """What `text` states without ground, one complaint each; empty when all of it is grounded."""
    numbers, names = _known(evidence, item)
    covered = _covered(text, names)
    found = [
        *_number_complaints(text, numbers, covered),
        *_quote_complaints(text, covered),
        *_word_complaints(text, covered),
        *_han_complaints(text, covered),
    ]
    return list(dict.fromkeys(found))


def _known(evidence: Sequence[Evidence], item: ItemFacts) -> tuple[set[float], set[str]]:
    """Numbers and names that a sentence may use."""
    numbers: set[float] = set()
    names: set[str] = set()
    for value in _leaves(
        [item.title, *item.labels.values(), *(list(e.facts.values()) for e in evidence)]
    ):
        if isinstance(value, str):
            names |= {value.strip(), readable(value), readable(value).rstrip(FULL_STOPS)}
        elif isinstance(value, Real) and not isinstance(value, bool):
            numbers |= {float(value), float(round(float(value)))}
    return numbers, names - {""}


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves([key, inner])
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value


def _covered(text: str, names: set[str]) -> list[bool]:
    """Which characters of `text` belong to a known name, written out whole."""
    covered = [False] * len(text)
    for name in names:
        for match in re.finditer(re.escape(name), text, re.IGNORECASE):
            start, end = match.span()
            if not (_glued(text, start) or _glued(text, end)):
                covered[start:end] = [True] * (end - start)
    return covered


def _glued(text: str, at: int) -> bool:
    """Whether the characters before and at `at` are one word (Chinese has no such joints)."""
    return 0 < at < len(text) and all(
        c.isalnum() and not _HAN_RUN.match(c) for c in text[at - 1 : at + 1]
    )


def _number_complaints(text: str, numbers: set[float], covered: Sequence[bool]) -> Iterator[str]:
    for match in _NUMBER.finditer(text):
        value = float(match[0].replace(",", ""))
        in_weeks = _WEEKS.match(text, match.end()) and value * 7 in numbers
        if value not in numbers and not in_weeks and not all(covered[slice(*match.span())]):
            yield f"the number `{match[0]}` is not in the evidence"
    for pattern in (_WORD, _HAN_NUMBER):
        for match in pattern.finditer(text):
            named = _NUMBER_WORDS.get(match[0].lower())
            if (
                named is not None
                and named not in numbers
                and not all(covered[slice(*match.span())])
            ):
                yield f"the number `{match[0]}` is not in the evidence"


def _quote_complaints(text: str, covered: Sequence[bool]) -> Iterator[str]:
    for start, mark in enumerate(text):
        end = text.find(_QUOTES[mark], start + 1) if mark in _QUOTES and not covered[start] else -1
        if any(text[i].isalnum() and not covered[i] for i in range(start + 1, end)):
            yield f"`{text[start + 1 : end]}` is not in the evidence"


def _word_complaints(text: str, covered: Sequence[bool]) -> Iterator[str]:
    for match in _WORD.finditer(text):
        word = match[0].lower()
        known = word in _wording().words or word in _NUMBER_WORDS
        if not known and not all(covered[slice(*match.span())]):
            yield f"`{match[0]}` is not in the evidence"


def _han_complaints(text: str, covered: Sequence[bool]) -> Iterator[str]:
    wording, settled = _wording(), list(covered)
    for number in _HAN_NUMBER.finditer(text):  # those were judged as numbers
        settled[slice(*number.span())] = [True] * len(number[0])
    for run in _HAN_RUN.finditer(text):
        for i in range(*run.span()):
            alone = text[i] in wording.characters
            joined = i + 1 == run.end() or settled[i + 1] or wording.joins(text[i], text[i + 1])
            if not settled[i] and not (alone and joined):
                yield f"`{run[0]}` is not in the evidence"
                break


@dataclass(frozen=True)
class _Wording:
    """What the message catalogues are made of.

    `words` in small letters; for Chinese `characters`, the `pairs` inside a piece of wording, and
    the characters at its `ends` and `starts`, which other pieces may follow or precede.
    """

    words: frozenset[str]
    characters: frozenset[str]
    pairs: frozenset[str]
    ends: frozenset[str]
    starts: frozenset[str]

    def joins(self, left: str, right: str) -> bool:
        return left + right in self.pairs or (left in self.ends and right in self.starts)


@lru_cache(maxsize=1)
def _wording() -> _Wording:
    texts = [t for name in languages() for t in _leaves([*catalogue(name).messages.values()])]
    pieces = [piece for text in texts for piece in _FIELD.split(text)]
    runs = [run for piece in pieces for run in _HAN_RUN.findall(piece)]
    return _Wording(
        words=frozenset(word.lower() for piece in pieces for word in _WORD.findall(piece)),
        characters=frozenset(c for run in runs for c in run),
        pairs=frozenset(run[i : i + 2] for run in runs for i in range(len(run) - 1)),
        ends=frozenset(run[-1] for run in runs),
        starts=frozenset(run[0] for run in runs),
    )
