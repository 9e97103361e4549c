"""What a sentence states on its own, so that a rephrasing may not add it.

Some plain words are claims: `never`, `often`, `yesterday`, `bought`. `claims/LANGUAGE.txt` has a
group a line, `words | grounds`: a word of a group may be used where the text that is rephrased has
a word of the same group or one of the grounds (`*` for words that state nothing, although they
contain one that does). Of a group that begins with `!` a word must stay: what happened, and how the
things are related. And a number keeps what it counts: `3 times` does not become `3 days`, nor
`every 6 days` `6 days ago`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib.resources import files

from recprism.llm.quantities import Found, find_quantities

_ALWAYS, _STAYS = "*", "!"
_SPANS = ("day", "week", "month", "year", "hour", "minute")
_COUNTED = re.compile(
    r"[\s-]*(?:(?P<day>days?\b|天|日)|(?P<week>weeks?\b|周|个?星期|个?礼拜)|(?P<month>months?\b|个?月)"
    r"|(?P<year>years?\b|年)|(?P<hour>hours?\b|个?小时)|(?P<minute>minutes?\b|分钟)"
    r"|(?P<time>times?\b|次|回)|(?P<visit>visits?\b)"
    r"|(?P<person>(?:other\s+)?(?:people|persons?|customers?|shoppers?|buyers?|others)\b|人|位|名)"
    r"|(?P<thing>of\s+(?:them|these|those)\b|[^\W\d_]+s?\b|件|个|种|款|样))",
    re.IGNORECASE,
)
_AGO = re.compile(r"\s*(?:ago\b|earlier\b|前|之前|以前)", re.IGNORECASE)
_EVERY = re.compile(r"(?:\b(?:every|each)|每隔?)\s*$", re.IGNORECASE)
_BARE_TIMES = re.compile(r"once|twice|thrice", re.IGNORECASE)


def blanked(text: str, names: Iterable[str]) -> str:
    """`text` without the names in it."""
    for name in sorted(names, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", '"', text, flags=re.IGNORECASE)
    return text


def counted(text: str, found: Found) -> tuple[float, str]:
    """A number and what it counts: `day`, `week ago`, `month each`, `time`, `person`, `thing`...

    Amounts have their unit, such as `$`; a number that nothing follows counts the empty text.
    """
    number = found.quantity.number
    if found.quantity.unit:
        return number, found.quantity.unit
    if _BARE_TIMES.fullmatch(text[found.start : found.end]):
        return number, "time"
    match = _COUNTED.match(text, found.end)
    what = "" if match is None else str(match.lastgroup)
    if match is None or what not in _SPANS:
        return number, what
    if _AGO.match(text, match.end()):
        return number, f"{what} ago"
    return number, f"{what} each" if _EVERY.search(text, 0, found.start) else what


def other_claims(
    text: str, said: str, names: Iterable[str], free: Iterable[str], language: str
) -> Iterator[str]:
    """What `text` claims beyond `said` or leaves out of it.

    The `names` in both and the words of `free` claim nothing.
    """
    known, told = blanked(said, names), blanked(text, names)
    groups, pattern = _groups(language), _pattern(language)
    stated = {match[0].lower() for match in pattern.finditer(known)}
    kept = {match[0].lower() for match in pattern.finditer(told)}
    for word in sorted(kept - set(free)):
        mates, grounds = groups[word]
        is_known = any(_has(known, ground) for ground in grounds - {_STAYS})
        if _ALWAYS not in grounds and not mates & stated and not is_known:
            yield f"`{word}` is not in the sentence that it rephrases"
    for word in sorted(stated - kept):
        mates, grounds = groups[word]
        if _STAYS in grounds and not mates & kept:
            yield f"it leaves out `{word}`"


def moved_numbers(text: str, said: str, covered: list[bool], names: Iterable[str]) -> Iterator[str]:
    """Numbers of `text` that do not count what they count in `said`."""
    blank = blanked(said, names)
    known = {counted(blank, found) for found in find_quantities(blank)}
    weeks = {(7 * n, what.replace("week", "day")) for n, what in known if what.startswith("week")}
    days = {(n / 7, what.replace("day", "week")) for n, what in known if what.startswith("day")}
    if any(what.endswith(" each") for _, what in known):
        known.add((1.0, "time"))  # once every six days
    for found in find_quantities(text):
        place = slice(found.start, found.end)
        if not all(covered[place]) and counted(text, found) not in known | weeks | days:
            yield f"the number `{text[place].strip()}` does not count that"


def _has(text: str, word: str) -> bool:
    whole = rf"\b{re.escape(word)}\b" if word.isascii() else re.escape(word)
    return re.search(whole, text, re.IGNORECASE) is not None


@lru_cache
def _groups(language: str) -> Mapping[str, tuple[frozenset[str], frozenset[str]]]:
    """Of each word the words of its group and the other grounds."""
    found: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
    text = (files(__package__) / "claims" / f"{language}.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        words, _, rest = line.partition("|")
        mates, grounds = frozenset(words.split()) - {_STAYS}, frozenset(rest.split())
        if words.startswith(_STAYS):
            grounds |= {_STAYS}
        found |= dict.fromkeys(mates, (mates, grounds))
    return found


@lru_cache
def _pattern(language: str) -> re.Pattern[str]:
    """Any word that claims something, the longest first."""
    words = sorted(_groups(language), key=len, reverse=True)
    latin = "|".join(re.escape(word) for word in words if word.isascii())
    other = "|".join(word for word in words if not word.isascii())
    return re.compile(rf"\b(?:{latin})\b" if latin else other, re.IGNORECASE)
