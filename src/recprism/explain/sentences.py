"""One sentence from the facts of one evidence, or nothing where the facts support none.

Facts come from the signals (see docs/concepts/reasons.md for the table). A missing, negative or
zero fact leads to a plainer sentence, never to a guess.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real

from recprism.explain.messages import Catalogue
from recprism.explain.names import readable
from recprism.records import Evidence

ADVERTISING_LINKS = frozenset({"promotes", "advertises"})
ENOUGH_FOR_A_RHYTHM = 3
BROKEN_AFTER_GAPS = 4
"""After so many gaps without the item nobody would say that it is still bought in that rhythm."""
MOST_NAMES = 3


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """What a reason may say about the item itself."""

    title: str
    kind: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of one evidence, read with care, and the words to put them in."""

    evidence: Evidence
    item: ItemFacts
    words: Catalogue

    def number(self, key: str) -> int | None:
        """A fact that is a number from 0 on, rounded; None for anything else."""
        return _whole(self.evidence.facts.get(key))

    def text(self, key: str) -> str:
        value = self.evidence.facts.get(key)
        return readable(value) if isinstance(value, str) else ""

    def names(self, key: str, most: int = MOST_NAMES) -> list[str]:
        """Up to `most` names, written as inside a sentence; blanks are left out."""
        value = self.evidence.facts.get(key)
        titles = [value] if isinstance(value, str) else list(value or ())
        return [name for name in map(readable, titles) if name][:most]

    def action(self, key: str = "verb") -> Mapping[str, str]:
        value = self.evidence.facts.get(key, self.evidence.facts.get("verb"))
        return self.words.verb(str(value))

    def sentence(self, key: str, **fields: str) -> str:
        """The sentence with the verb's forms and `fields` filled in."""
        verb = dict(self.action())
        by = verb["by"]
        return self.words.sentence(key, {"By": by[:1].upper() + by[1:], **verb, **fields})


def _whole(value: object) -> int | None:
    """A fact that is a number from 0 on, rounded; None for anything else."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return None
    number = float(value)
    return round(number) if math.isfinite(number) and number >= 0 else None


def sentence_for(evidence: Evidence, item: ItemFacts, words: Catalogue) -> str | None:
    """The best sentence that this evidence supports, None where it supports none."""
    build = _BUILDERS.get(evidence.signal)
    return None if build is None else build(Facts(evidence, item, words))


def plain_sentence(evidence: Evidence, item: ItemFacts, words: Catalogue) -> str:
    """What can still be said where an evidence has no facts: the kind of reason it is."""
    facts = Facts(evidence, item, words)
    needs_history = evidence.signal in ("repeat", "follow", "sequence", "text", "llm", "content")
    about_links = evidence.signal == "repeat" and bool(facts.text("link"))
    key, name = f"{evidence.signal}-plain", readable(item.title)
    nameless = evidence.signal == "repeat" and not name
    if (needs_history and not evidence.events) or about_links or nameless:
        key = "plain"
    if not words.has_sentence(key):
        key = "plain"
    return facts.sentence(key, name=words.name(name))


def _repeat(facts: Facts) -> str | None:
    link = facts.text("link")
    advertised = link in ADVERTISING_LINKS and facts.number("covers") in (None, 1)
    if link and not advertised:
        return _linked(facts, "covers" if link == "covers" else "links")
    titles = facts.names("linked_titles", 1) if advertised else []
    name = titles[0] if titles else readable(facts.item.title)
    if not name:
        return None
    shown = facts.words.name(name)
    return _own(facts, facts.words.advertised(shown) if advertised else shown)


def _own(facts: Facts, name: str) -> str | None:
    """Rhythm if there is one, else how often, else when."""
    words = facts.words
    gap, age, count = facts.number("gap_days"), facts.number("age_days"), facts.number("count")
    count = facts.number("bought_times") if count is None else count
    ago = "" if age is None else words.phrase("ago", age)
    is_rhythm = count is None or count >= ENOUGH_FOR_A_RHYTHM
    if gap and is_rhythm and (age is None or age <= BROKEN_AFTER_GAPS * gap):
        key = "repeat-due" if ago else "repeat-gap"
        return facts.sentence(key, name=name, gap=words.phrase("gap", gap), ago=ago)
    if count and count > 1:
        key = "repeat-count-ago" if ago else "repeat-count"
        return facts.sentence(key, name=name, times=words.phrase("times", count), ago=ago)
    if ago and count != 0:
        return facts.sentence("repeat-ago", name=name, ago=ago)
    return facts.sentence("repeat-plain", name=name) if count else None


def _linked(facts: Facts, link: str) -> str | None:
    """What the user had of the things that this item covers or leads to."""
    words = facts.words
    times, covers, some = (facts.number(k) for k in ("bought_times", "covers", "bought_items"))
    names = facts.names("linked_titles")
    if not times:
        return None
    form = _linked_form(covers, some, len(names))
    if form is None:
        return None
    return facts.sentence(
        f"{link}-{form}",
        items=words.items(facts.text("linked_kind") or "products", covers or 0),
        some=words.number(some or 0),
        names=words.joined(names),
        times=words.phrase("times", times),
        when=words.when(_period(facts)),
    )


def _linked_form(covers: int | None, some: int | None, n_names: int) -> str | None:
    names_are_all = n_names > 0 and some in (None, n_names)
    if not covers or covers == 1:
        if names_are_all:
            return "one"
        return "bought" if covers else None
    if some is None or some >= covers:
        return "bought"
    if names_are_all:
        return "named"
    return "among" if n_names else "some"


def _period(facts: Facts) -> str:
    season, days = facts.words.season(facts.text("season")), facts.number("since_days")
    return season or (facts.words.within(days) if days else "")


def _follow(facts: Facts) -> str | None:
    names = facts.names("after", 2)
    if not names:
        return None
    past = facts.action("after_verb")["past"]
    ages = _ages(facts.evidence.facts.get("after_days"), len(names))
    common = {"names": facts.words.joined(names), "past": past}
    if facts.evidence.facts.get("viewing"):
        return facts.sentence("follow-viewing", **common)
    if not ages:
        return facts.sentence("follow", **common)
    if len(set(ages)) == 1:
        return facts.sentence("follow-ago", ago=facts.words.phrase("ago", ages[0]), **common)
    return facts.sentence("follow-within", within=facts.words.within(max(ages)), **common)


def _read(facts: Facts) -> str | None:
    names = facts.names("after", 2)
    if not names:
        return None
    past = facts.action("after_verb")["past"]
    return facts.sentence(facts.evidence.signal, names=facts.words.joined(names), past=past)


def _ages(value: object, n: int) -> list[int]:
    """Days since each of `n` names, from one number for all or a number for each."""
    values = list(value)[:n] if isinstance(value, Sequence) else [value]
    ages = [age for age in map(_whole, values) if age is not None]
    return ages if len(ages) == len(values) else []


def _taste(facts: Facts) -> str | None:
    names = facts.names("near")
    return facts.sentence("taste", listed=facts.words.listed(names)) if names else None


def _content(facts: Facts) -> str | None:
    for key in ("wish", "query"):
        if facts.text(key):
            return facts.sentence(f"content-{key}", words=facts.words.words(facts.text(key)))
    for key in ("near", "label"):
        if names := facts.names(key):
            return facts.sentence(f"content-{key}", listed=facts.words.listed(names))
    return None


def _trend(facts: Facts) -> str | None:
    if facts.evidence.facts.get("new") is True:
        return facts.sentence("trend-new")
    buyers, days = facts.number("buyers"), facts.number("days")
    if not buyers or not days:
        return None
    segment, place = facts.text("segment"), _place(facts)
    key = "trend" + ("-segment" if segment else "") + ("-place" if place else "")
    people, within = facts.words.phrase("people", buyers), facts.words.within(days)
    return facts.sentence(key, people=people, within=within, segment=segment, place=place)


def _funnel(facts: Facts) -> str | None:
    """What was touched when, with the share of others who then reached the goal, else how often."""
    title, age = facts.text("touched_title"), facts.number("age_days")
    if not title or age is None:
        return None
    fields = {
        "name": facts.words.name(title),
        "touched": facts.action("touch")["past"],
        "ago": facts.words.phrase("ago", age),
    }
    percent, count = facts.number("percent"), facts.number("count")
    if percent:
        return facts.sentence("funnel-percent", percent=facts.words.number(percent), **fields)
    if count and count > 1:
        return facts.sentence("funnel-count", times=facts.words.phrase("times", count), **fields)
    return facts.sentence("funnel", **fields)


def _place(facts: Facts) -> str:
    """A place from text, or from {context name: value}."""
    value = facts.evidence.facts.get("place")
    if isinstance(value, Mapping) and value:
        key, name = next(iter(value.items()))
        return facts.words.place(str(key), readable(str(name)))
    return facts.text("place")


_BUILDERS: Mapping[str, Callable[[Facts], str | None]] = {
    "repeat": _repeat,
    "follow": _follow,
    "sequence": _read,
    "text": _read,
    "llm": _read,
    "taste": _taste,
    "content": _content,
    "trend": _trend,
    "funnel": _funnel,
}
