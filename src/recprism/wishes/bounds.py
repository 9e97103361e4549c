"""Bounds on numbers in a wish: "under 5 dollars", "不超过5元", "entre 5 y 10 euros".

In come a wish and the names of the project's numbers; out come bounds and where they stand. Read
are amounts of money, and numbers with the name of a column ("less than 300 calories"). A number
without either ("for children under 5") is left alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from recprism.llm.quantities import find_quantities
from recprism.wishes.intent import Bound
from recprism.wishes.language import Words, price_words

_MONEY = frozenset("$€£¥¢")


@dataclass(frozen=True, slots=True)
class Said:
    """A bound and where it was said; `bounds` is empty where no column can tell."""

    bounds: tuple[Bound, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Number:
    """A number, what it counts ("money", a column, or nothing known), and where it stands."""

    value: float
    of: str
    start: int
    end: int


def numbers_in(wish: str, words: Words | None) -> set[float]:
    """Every number that a wish says, in digits or words."""
    numbers = {found.quantity.number for found in find_quantities(wish)}
    if words is not None:
        for word in re.findall(r"\w+", wish.lower()):
            if word in words.numbers:
                numbers.add(words.numbers[word])
    return {number for number in numbers if not math.isnan(number)}


def find_bounds(wish: str, words: Words, columns: Sequence[str]) -> list[Said]:
    """Every bound in a wish, in order of place."""
    low_text = wish.lower()
    numbers = _numbers(low_text, words, columns)
    found: list[Said] = []
    skip = -1
    for place, number in enumerate(numbers):
        if place == skip:
            continue
        pair = numbers[place + 1] if place + 1 < len(numbers) else None
        said = _range(low_text, words, columns, number, pair)
        if said is not None:
            skip = place + 1
        else:
            said = _one_sided(low_text, words, columns, number)
        if said is not None:
            found.append(said)
    return found


def money_columns(columns: Sequence[str]) -> list[str]:
    """The columns that hold prices, by their names; one called just so stands alone."""
    priced = list(price_words())
    exact = [name for name in columns if name.lower() in priced]
    if exact:
        return exact
    parts = {name: set(re.split(r"[\W_\d]+", name.lower())) for name in columns}
    return [name for name in columns if parts[name] & set(priced)]


def _numbers(text: str, words: Words, columns: Sequence[str]) -> list[_Number]:
    """The numbers of a wish with what they count, and their units inside their span."""
    found = []
    for one in find_quantities(text):
        value, unit = one.quantity.number, one.quantity.unit
        if not math.isnan(value):
            scaled = value / 100.0 if unit == "¢" else value
            found.append((scaled, "money" if unit in _MONEY else "", one.start, one.end))
    taken = [(start, end) for _, _, start, end in found]
    found += [
        (words.numbers[match[0]], "", *match.span())
        for match in re.finditer(r"\w+", text)
        if match[0] in words.numbers and not any(s < match.end() <= e for s, e in taken)
    ]
    return [_with_unit(text, words, columns, *one) for one in sorted(found, key=lambda f: f[2])]


def _with_unit(
    text: str, words: Words, columns: Sequence[str], value: float, of: str, start: int, end: int
) -> _Number:
    if of:
        return _Number(value, of, start, end)
    unit = re.compile(r"\s*" + words.pattern("money")).match(text, end)
    if unit:
        return _Number(value, "money", start, unit.end())
    word = re.compile(r"\s*([^\W\d_]+)").match(text, end)
    for column in columns:
        names = {_stem(part) for part in re.split(r"[\W_\d]+", column.lower()) if part}
        if word and _stem(word[1]) in names:
            return _Number(value, column, start, word.end())
    return _Number(value, "", start, end)


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") else word


def _range(
    text: str, words: Words, columns: Sequence[str], one: _Number, other: _Number | None
) -> Said | None:
    """`between 5 and 10 dollars`, `5-10元`: the unit may stand at either number."""
    if other is None:
        return None
    joint = re.compile(rf"\s*(?:{words.pattern('range')}|[-–~])\s*")
    if not joint.fullmatch(text, one.end, other.start) or not (one.of or other.of):
        return None
    low, high = sorted((one.value, other.value))
    before = re.compile(rf"{words.pattern('between')}\s*$").search(text, 0, one.start)
    start = before.start() if before else one.start
    of = other.of or one.of
    return _said(text, words, columns, of, low, high, start, other.end)


def _one_sided(text: str, words: Words, columns: Sequence[str], one: _Number) -> Said | None:
    if not one.of:
        return None
    for key, is_low in (("below", False), ("above", True)):
        before = re.compile(rf"{words.pattern(key)}[\s.:：]*$").search(text, 0, one.start)
        after = re.compile(rf"\s*{words.pattern(key + '_after')}").match(text, one.end)
        if before or after:
            start = before.start() if before else one.start
            end = after.end() if after else one.end
            low, high = (one.value, None) if is_low else (None, one.value)
            return _said(text, words, columns, one.of, low, high, start, end)
    return None


def _said(
    text: str,
    words: Words,
    columns: Sequence[str],
    of: str,
    low: float | None,
    high: float | None,
    start: int,
    end: int,
) -> Said:
    """The bound on every column that `of` means, with the words that lead to it in its span."""
    lead = re.compile(rf"{words.pattern('lead')}\s*$").search(text, 0, start)
    names = money_columns(columns) if of == "money" else [of]
    bounds = tuple(Bound(number=name, low=low, high=high) for name in names)
    return Said(bounds, lead.start() if lead else start, end)
