"""The guard: a model's sentence is accepted only if all that it says was in its evidence.

In come a sentence, the evidence as names, numbers and amounts, and the language asked; out go
reasons to refuse, none for an accepted sentence. The decision worth knowing: it is closed, not
open. Names must be written out whole as in the evidence, and every other word must stand in a short
list of plain words (`words/LANGUAGE.txt`), which holds no nouns of goods, no traits of people and
no promises such as `free`. Of a sentence that rephrases another one more is asked: it names
something of it, its numbers count the same things, and no word claims more (`claims.py`). A true
sentence in unusual words is refused too; a plain one composed from the evidence takes its place. It
reads words, not meaning.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise

from recprism.errors import UnknownName
from recprism.llm.claims import blanked, counted, moved_numbers, other_claims
from recprism.llm.quantities import HAN, find_quantities

MAX_CHARACTERS = 300
_WORD = re.compile(rf"[^\W\d_{HAN}]+(?:['’][^\W\d_{HAN}]+)*")
_HAN_RUN = re.compile(rf"[{HAN}]+")
_OTHER = re.compile(r"[^\w\s.,;:!?'\"’‘“”()\-–—…。，、；：！？（）「」『』《》%％$€£¥￥&/+]|_")
_PERSON = re.compile(
    r"\b(?:you|you['’](?:re|ve)|your\s+\w+|we|i|they|people|customers?|someone)\s+"
    r"(?:are(?!\s+looking\s+at\b)|is|were|was|seem|look|being|become|might\s+be|may\s+be|must\s+be"
    r"|(?:have|has|had)(?!\s+(?:\w+ly\s+|often\s+)?(?:\w+ed|bought|chosen|taken|seen|read)\b))\b"
    r"|\byou['’](?:re|ve)\b|\b(?:as|like|being)\s+(?:a|an|someone)\b"
    rf"|[您你他她](?:们)?(?:[{HAN}]{{0,3}})(?:是|患|有|属于|作为|可能|看来|似乎)|作为|身为",
    re.IGNORECASE,
)
_QUOTES = {"“": "”", '"': '"', "「": "」", "『": "』", "《": "》"}
_WRITTEN_LARGE = frozenset(
    [
        *["I", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
        *["January", "February", "March", "April", "May", "June", "July", "August", "September"],
        *["October", "November", "December"],
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a sentence may say.

    `names` are items, labels and other names, to be written out whole; `numbers` plain numbers;
    `amounts` texts of amounts, such as `$3.99` or `20 %`, which are said with their unit only;
    `counts` numbers that may count one thing only (see `counted`), such as `(4, "week")`;
    `words` further words that may be used (for Chinese: runs of characters). `said` is the sentence
    that is rephrased, if one is; its words may be used again.
    """

    names: tuple[str, ...] = ()
    numbers: tuple[float, ...] = ()
    amounts: tuple[str, ...] = ()
    counts: tuple[tuple[float, str], ...] = ()
    words: frozenset[str] = frozenset()
    said: str = ""


def refuse(sentence: str, ground: Ground, language: str) -> tuple[str, ...]:
    """Why `sentence` may not be shown; empty when it may.

    Raises `UnknownName` for a language without a list of plain words.
    """
    said = unicodedata.normalize("NFKC", ground.said)
    words = plain_words(language) | ground.words | _words_of(blanked(said, ground.names))
    text = unicodedata.normalize("NFKC", sentence).strip()
    most = max(MAX_CHARACTERS, 3 * len(said) // 2)
    if len(text) > most:
        return (f"it has {len(text):,} characters, more than {most:,}",)
    spans = _name_spans(text, ground.names)
    covered = _cover(len(text), spans)
    found = [
        *_form(sentence, text, covered),
        *_quantities(text, ground, covered),
        *_sensitive(text, covered),
        *_glued_names(text, spans),
        *_quoted(text, covered),
        *_language(text, language, covered),
        *(_han(text, words, covered) if language == "zh" else ()),
        *_words(text, words if language != "zh" else frozenset(), covered, said),
        *(_rephrasing(text, said, ground, spans, language) if said else ()),
    ]
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=1)
def languages() -> list[str]:
    """The languages that have a list of plain words, sorted."""
    found = (files(__package__) / "words").iterdir()
    return sorted(file.name.removesuffix(".txt") for file in found if file.name.endswith(".txt"))


@lru_cache
def plain_words(language: str) -> frozenset[str]:
    """The words of a language that say nothing about anybody or any item."""
    if language not in languages():
        raise UnknownName("language", language, languages())
    text = (files(__package__) / "words" / f"{language}.txt").read_text(encoding="utf-8")
    return frozenset(text.split())


def names_in(text: str, names: Iterable[str]) -> list[str]:
    """Those of `names` that stand in `text` written out whole, not inside a longer one."""
    plain = unicodedata.normalize("NFKC", text)
    found = {plain[start:end].casefold() for start, end in _name_spans(plain, names)}
    folded = {name: unicodedata.normalize("NFKC", name).strip().casefold() for name in names}
    return [name for name, f in folded.items() if found & {f, f"{f}s", f"{f}es"}]


def _words_of(text: str) -> frozenset[str]:
    return frozenset(word.lower() for word in [*_WORD.findall(text), *_HAN_RUN.findall(text)])


def _rephrasing(
    text: str, said: str, ground: Ground, spans: list[tuple[int, int]], language: str
) -> Iterator[str]:
    """What a sentence says otherwise than the one that it rephrases."""
    if not spans and _name_spans(said, ground.names):
        yield "it names nothing of what it rephrases"
    covered = _cover(len(text), spans)
    yield from moved_numbers(text, said, covered, ground.names)
    yield from other_claims(text, said, ground.names, ground.words, language)


def _form(sentence: str, text: str, covered: list[bool]) -> Iterator[str]:
    if not text:
        yield "it says nothing"
    if any(unicodedata.category(c) in ("Cf", "Cc", "Cs", "Co", "Cn", "Zl", "Zp") for c in sentence):
        yield "it has line ends or hidden characters"
    for match in _OTHER.finditer(text):
        if not covered[match.start()]:
            yield f"it has the sign `{match[0]}`"


def _quantities(text: str, ground: Ground, covered: list[bool]) -> Iterator[str]:
    amounts = {found.quantity for text in ground.amounts for found in find_quantities(text)}
    numbers = {float(number) for number in ground.numbers}
    for found in find_quantities(text):
        if all(covered[found.start : found.end]):
            continue
        if found.quantity.unit:
            known = found.quantity in amounts
        else:
            known = found.quantity.number in numbers or counted(text, found) in ground.counts
        if not known:
            kind = "amount" if found.quantity.unit else "number"
            yield f"the {kind} `{text[found.start : found.end].strip()}` is not in the evidence"


def _sensitive(text: str, covered: list[bool]) -> Iterator[str]:
    """Traits that nobody is told; inside a name they are fine while nothing is said of a person."""
    about_person = _PERSON.search(text) is not None
    for match in _traits().finditer(text):
        if about_person or not all(covered[slice(*match.span())]):
            yield f"it speaks of a sensitive trait (`{match[0]}`)"


@lru_cache(maxsize=1)
def _traits() -> re.Pattern[str]:
    """Words for traits in all languages (`traits/LANGUAGE.txt`); a dash ends a beginning."""
    folder = files(__package__) / "traits"
    words = " ".join(file.read_text(encoding="utf-8") for file in folder.iterdir()).split()
    latin = "|".join(w.replace("-", r"\w*") for w in words if w[0].isascii())
    other = "|".join(w for w in words if not w[0].isascii())
    return re.compile(rf"\b(?:{latin})\b|{other}", re.IGNORECASE)


def _name_spans(text: str, names: Iterable[str]) -> list[tuple[int, int]]:
    """Where names stand written out whole, longest first, without overlaps, in order of place."""
    taken: list[tuple[int, int]] = []
    known = {unicodedata.normalize("NFKC", name).strip() for name in names} - {""}
    for name in sorted(known, key=len, reverse=True):
        plural = "(?:e?s)?" if name[-1:].isascii() and name[-1:].isalpha() else ""
        for match in re.finditer(re.escape(name) + plural, text, re.IGNORECASE):
            start, end = match.span()
            free = all(end <= left or right <= start for left, right in taken)
            if free and not _inside_word(text, start) and not _inside_word(text, end):
                taken.append((start, end))
    return sorted(taken)


def _inside_word(text: str, at: int) -> bool:
    """Whether the characters before and at `at` are one word (Chinese has no such joints)."""
    return 0 < at < len(text) and all(
        c.isalnum() and not _HAN_RUN.match(c) for c in text[at - 1 : at + 1]
    )


def _cover(length: int, spans: Iterable[tuple[int, int]]) -> list[bool]:
    covered = [False] * length
    for start, end in spans:
        covered[start:end] = [True] * (end - start)
    return covered


def _glued_names(text: str, spans: list[tuple[int, int]]) -> Iterator[str]:
    """Two names side by side may make up a third one: `chocolate` and `milk`."""
    for (start, end), (after, last) in pairwise(spans):
        if not text[end:after].strip(" -–—/&+'’"):
            yield f"`{text[start:last]}` joins two names"


def _quoted(text: str, covered: list[bool]) -> Iterator[str]:
    """Plain words in quotation marks are meant as a name."""
    for start, mark in enumerate(text):
        end = text.find(_QUOTES[mark], start + 1) if mark in _QUOTES and not covered[start] else -1
        if any(text[at].isalnum() and not covered[at] for at in range(start + 1, end)):
            yield f"`{text[start + 1 : end]}` is not in the evidence"


def _language(text: str, language: str, covered: list[bool]) -> Iterator[str]:
    if language == "zh" and not _HAN_RUN.search(text):
        yield "it is not in `zh`"
    for match in _HAN_RUN.finditer(text):
        if language != "zh" and not all(covered[slice(*match.span())]):
            yield f"it is not in `{language}` (`{match[0]}`)"


def _words(text: str, words: frozenset[str], covered: list[bool], said: str) -> Iterator[str]:
    """Words with letters; those that are numbers were judged as such."""
    large = _WRITTEN_LARGE.union(_WORD.findall(said))
    settled = list(covered)
    for found in find_quantities(text):
        settled[found.start : found.end] = [True] * (found.end - found.start)
    for match in _WORD.finditer(text):
        if all(settled[slice(*match.span())]):
            continue
        parts = re.split(r"['’]", match[0].lower())
        # A capital makes a plain word a name, such as the second one in `Apple Watch`.
        is_name = match[0] != match[0].lower() and not _begins(text, match.start())
        is_name &= match[0].split("'")[0].split("’")[0] not in large
        if is_name or not all(part in words for part in parts):
            yield f"`{match[0]}` is not in the evidence"


def _begins(text: str, at: int) -> bool:
    """Whether a sentence begins at `at`."""
    before = text[:at].rstrip(" \"'“‘(")
    return not before or before[-1] in ".!?:…"


def _han(text: str, words: frozenset[str], covered: list[bool]) -> Iterator[str]:
    """Runs of Chinese that plain words, names and known numbers cannot make up without a rest."""
    spans = [(found.start, found.end) for found in find_quantities(text)]
    known = dict(spans)
    longest = max(map(len, words))
    for run in _HAN_RUN.finditer(text):
        start, end = run.span()
        # A unit such as `元` belongs to digits before the run.
        reached = {start} | {min(last, end) for first, last in spans if first < start < last}
        for at in range(start, end):
            if at not in reached:
                continue
            if covered[at]:
                reached.add(at + 1)
            if at in known:
                reached.add(min(known[at], end))
            stops = range(at + 1, min(at + longest, end) + 1)
            reached |= {stop for stop in stops if text[at:stop] in words}
        if end not in reached:
            yield f"`{text[max(reached) : end]}` is not in the evidence"
