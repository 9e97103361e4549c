"""A wish taken apart by rules: what it rules out, bounds, and demands.

In comes a wish, out goes an `Intent` without any model. The decision worth knowing: only what the
rules are sure of is taken out of the wish; a wish in which they find nothing stays whole, to the
letter, so that reading it can never make a list worse.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from recprism.wishes.bounds import find_bounds
from recprism.wishes.intent import Bound, Intent, Label, Vocabulary
from recprism.wishes.language import Words, free_words, words_for, words_of

MOST_WORDS, MOST_SIGNS = 4, 8
"""What is ruled out has at most so many words, or signs where words are not spaced; what is longer
is a clause, not a thing."""
_EDGES = " \t\n,;:，；：、.。!！?？-"
LONGEST_WISH = 2_000
"""Characters of a wish that are read."""


@dataclass(frozen=True, slots=True)
class _Negated:
    terms: tuple[str, ...]
    start: int
    end: int


def read_by_rules(wish: str, vocabulary: Vocabulary) -> Intent:
    """The intent of `wish`; the whole wish as text where nothing is ruled out or bounded."""
    wish = wish[:LONGEST_WISH]
    words = words_for(wish, vocabulary.language)
    if words is None:
        return Intent(text=wish)
    said = find_bounds(wish, words, vocabulary.numbers)
    cut = [(one.start, one.end) for one in said]
    negated = _negated(_blank(wish, cut), words)
    cut += [(one.start, one.end) for one in negated]
    labels, kinds = _demanded(_blank(wish, cut), words, vocabulary)
    return Intent(
        text=_rest(wish, cut, words) if cut else wish,
        unwanted=tuple(dict.fromkeys(term for one in negated for term in one.terms)),
        labels=labels,
        bounds=_merged([bound for one in said for bound in one.bounds]),
        kinds=kinds,
        kinds_must=bool(kinds),
        unmet=tuple(wish[one.start : one.end].strip() for one in said if not one.bounds),
    )


def without(text: str, terms: tuple[str, ...], language: str) -> str:
    """`text` without `terms` and the joints beside them, wherever they stand in it."""
    low, spans = text.lower(), []
    for term in terms:
        spans += [match.span() for match in re.finditer(re.escape(term.lower()), low)]
    words = words_for(text, language)
    if not spans:
        return text
    return _rest(text, spans, words or words_of("en"))


def is_negated(text: str, term: str, language: str = "en") -> bool:
    """Whether `text` names `term` only to say that it is not there ("sugar free", "no nuts")."""
    low, term = text.lower(), term.lower()
    words = words_for(text, language)
    cut = [] if words is None else [(one.start, one.end) for one in _negated(low, words)]
    cut += [m.span() for m in re.finditer(rf"{re.escape(term)}[\s-]*(?:{free_words()})", low)]
    return bool(cut) and term not in _blank(low, cut)


def _negated(text: str, words: Words) -> list[_Negated]:
    """Everything that negations in `text` reach, in order."""
    low = text.lower()
    harmless = [match.span() for match in words.harmless.finditer(low)]
    found: list[_Negated] = []
    for match in words.negation.finditer(low):
        covered = any(start < match.end() and match.start() < end for start, end in harmless)
        if covered or (found and match.start() < found[-1].end):
            continue
        terms, end = _reach(text, match.end(), words, with_and=match["any"] is not None)
        if terms:
            found.append(_Negated(terms, match.start(), end))
    return found


def _reach(text: str, start: int, words: Words, *, with_and: bool) -> tuple[tuple[str, ...], int]:
    """The things that a negation before `start` rules out, and where the last one ends."""
    low, spans, last = text.lower(), [], None
    place = start
    while token := words.token.search(low, place):
        kind = token.lastgroup
        if kind == "comma" and not (_ends_in_or(token[0]) or _goes_on(low, token.end(), words)):
            break
        if kind == "stop" or (kind == "and" and not with_and):
            break
        if kind in ("comma", "or", "and"):
            if last is not None:
                spans.append(last)
            last = None
        elif kind == "word" or last is not None:
            last = (token.start() if last is None else last[0], token.end())
        place = token.end()
    if last is not None:
        spans.append(last)
    terms = tuple(text[a:b].strip() for a, b in spans)
    if not terms or any(_length(term, words) > _most(words) for term in terms):
        return (), start
    return terms, spans[-1][1]


def _ends_in_or(comma: str) -> bool:
    """Whether the piece is a comma with an "or" behind it."""
    return len(comma.strip()) > 1


def _goes_on(low: str, place: int, words: Words) -> bool:
    """Whether a list goes on after a comma: short things, and an "or" before the last."""
    head = low[place:].lstrip()
    if re.match(words.pattern("or"), head):
        return True
    piece = r"(?:[\w'’-]+\s*){1,2}?"
    return re.match(rf"{piece}(?:[,，]\s*{piece})*[,，]?\s*{words.pattern('or')}", head) is not None


def is_a_thing(term: str) -> bool:
    """Whether `term` is short enough to name a thing, in any script."""
    return 0 < len(term.split()) <= MOST_WORDS and len(term) <= MOST_WORDS * MOST_SIGNS


def _length(term: str, words: Words) -> int:
    return len(term.split()) if words.is_spaced else len(term)


def _most(words: Words) -> int:
    return MOST_WORDS if words.is_spaced else MOST_SIGNS


def _demanded(
    wish: str, words: Words, vocabulary: Vocabulary
) -> tuple[tuple[Label, ...], tuple[str, ...]]:
    """Labels and kinds that stand right after "only" by their own names."""
    low, labels, kinds = wish.lower(), [], []
    for match in words.only.finditer(low):
        named = [
            (len(value), name, value)
            for name, values in vocabulary.labels.items()
            for value in values
            if _begins(low, match.end(), value, words)
        ]
        if named:  # the longest name: `dark chocolate` before `dark`
            _, name, value = max(named)
            labels.append(Label(name=name, value=value, must=True))
        kinds += [kind for kind in vocabulary.kinds if _begins(low, match.end(), kind, words)]
    return tuple(dict.fromkeys(labels)), tuple(dict.fromkeys(kinds))


def _begins(low: str, place: int, name: str, words: Words) -> bool:
    name = name.lower()
    if not name.strip() or not low.startswith(name, place):
        return False
    return not words.is_spaced or not re.match(r"\w", low[place + len(name) :])


def _merged(bounds: list[Bound]) -> tuple[Bound, ...]:
    """One bound per number, the narrowest of all that was said."""
    out: dict[str, Bound] = {}
    for one in bounds:
        known = out.get(one.number, Bound(number=one.number))
        lows = [v for v in (known.low, one.low) if v is not None]
        highs = [v for v in (known.high, one.high) if v is not None]
        low, high = max(lows, default=None), min(highs, default=None)
        out[one.number] = Bound(number=one.number, low=low, high=high)
    return tuple(out.values())


def _blank(text: str, spans: list[tuple[int, int]]) -> str:
    """`text` with `spans` made a full stop each, of the same length."""
    for start, end in spans:
        text = text[:start] + "." * (end - start) + text[end:]
    return text


def _rest(wish: str, spans: list[tuple[int, int]], words: Words) -> str:
    """The wish without `spans` and without the joints that held them; empty for asking words."""
    parts, place = [], 0
    for start, end in [*sorted(spans), (len(wish), len(wish))]:
        part = wish[place:start]
        if place and (found := words.leading.match(part.lower())):
            part = part[found.end() :]
        if end < len(wish) or start < end:
            part = part[: len(words.trailing.sub("", part.lower()))]
        parts.append(part.strip(_EDGES))
        place = max(place, end)
    text = (" " if words.is_spaced else "，").join(part for part in parts if part)
    return "" if words.saying_nothing.fullmatch(text.lower()) else text
