"""What the guard of language models may accept for a reason: the ground of its evidence.

The guard itself (`recprism.llm.refuse`) knows nothing of recommending. Here evidence becomes names
and numbers: a composed sentence is held against all of its evidence, a rephrased one against the
composed sentence as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from numbers import Real
from typing import Any

from recprism.explain.messages import FULL_STOPS, catalogue
from recprism.explain.names import readable
from recprism.explain.sentences import ItemFacts
from recprism.llm import Ground, refuse
from recprism.records import Evidence

_FIELD = re.compile(r"\{\w+\}")
_PIECE = re.compile(r"[^\W\d_\u3400-\u9fff]+|[\u3400-\u9fff]+")
_NO_NAMES = frozenset({"verb", "after_verb", "touch", "link", "season"})
"""Facts that choose our words and are not said."""
_DAYS = {"today": 0, "yesterday": 1, "今天": 0, "昨天": 1}
"""Words that stand for a number of days."""


def check(
    text: str, evidence: Sequence[Evidence], item: ItemFacts, language: str = "en"
) -> tuple[str, ...]:
    """What `text` states without ground in the evidence and the item; empty when all has one.

    Besides the guard's plain words it may use our own wording.
    """
    return refuse(text, ground_of(evidence, item, language), language)


def ground_of(evidence: Sequence[Evidence], item: ItemFacts, language: str) -> Ground:
    """What may be said: names and numbers of the evidence and the item, and our own wording."""
    numbers: set[float] = set()
    names: set[str] = set()
    facts = [v for e in evidence for key, v in e.facts.items() if key not in _NO_NAMES]
    for value in _leaves([item.title, *item.labels.values(), *facts]):
        if isinstance(value, str):
            names |= spellings(value)
        elif isinstance(value, Real) and not isinstance(value, bool):
            numbers |= {float(value), float(round(float(value)))}
    places = [e.facts["place"] for e in evidence if isinstance(e.facts.get("place"), Mapping)]
    for key, name in (pair for place in places for pair in place.items()):
        names.add(catalogue(language).place(str(key), readable(str(name))))
    percents = [e.facts["percent"] for e in evidence if isinstance(e.facts.get("percent"), Real)]
    weeks = [(number / 7, "week") for number in sorted(numbers) if number % 7 == 0]
    has_rhythm = any(e.facts.get("gap_days") for e in evidence)
    return Ground(
        names=tuple(sorted(names)),
        numbers=tuple(sorted(numbers | ({1.0} if has_rhythm else set()))),
        amounts=tuple(f"{round(percent)}%" for percent in percents),
        counts=tuple(weeks),
        words=wording(language, frozenset(numbers & {0.0, 1.0})),
    )


def spellings(name: str) -> set[str]:
    """A name as it is written and as it reads inside a sentence."""
    return {name.strip(), readable(name), readable(name).rstrip(FULL_STOPS)} - {""}


@lru_cache
def wording(language: str, days: frozenset[float]) -> frozenset[str]:
    """All words of our own in a language, in small letters; for Chinese runs of characters.

    Words for a day, such as `yesterday`, are there where their number is among the `days`.
    """
    texts = _leaves([*catalogue(language).messages.values()])
    pieces = [piece for text in texts for piece in _FIELD.split(str(text))]
    words = {word.lower() for piece in pieces for word in _PIECE.findall(piece)}
    unsaid = [name for name, number in _DAYS.items() if number not in days]
    return frozenset(word for word in words if not any(name in word for name in unsaid))


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves([key, inner])
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value
