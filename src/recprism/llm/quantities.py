"""Numbers and amounts in a sentence, in digits or words, English or Chinese.

`$3.99`, `3.99 dollars` and `3.99美元` are the same amount; `twelve` and `十二` the same number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

HAN = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_UNITS = {
    "$": r"\$|US\$|USD\b|dollars?\b|bucks?\b|美元|美金",
    "€": r"€|EUR\b|euros?\b|欧元",
    "£": r"£|GBP\b|pounds?\b|quid\b|英镑",
    "¥": r"[¥￥]|CNY\b|RMB\b|JPY\b|yuan\b|yen\b|块钱|元|块|人民币|日元",
    "¢": r"¢|cents?\b|美分",
    "%": r"[%％]|percent\b|per\s+cent\b",
    "折": "折",
}
_UNIT = "|".join(f"(?P<u{n}>{pattern})" for n, pattern in enumerate(_UNITS.values()))
# A unit in letters is a whole word: `recent 3` is no cent.
_BEFORE = re.compile(rf"(?:(?<![a-z])|(?=[^a-z]))(?:{_UNIT}|百分之)\s*$", re.IGNORECASE)
_AFTER = re.compile(rf"\s*(?:{_UNIT})", re.IGNORECASE)
_DIGITS = re.compile(r"\d+(?:[.,:/⁄]\d+)*")
_ONES = [
    *["zero", "one once first single", "two twice second double both", "three thrice third triple"],
    *["four fourth", "five fifth", "six sixth", "seven seventh", "eight eighth", "nine ninth"],
    *["ten tenth", "eleven", "twelve dozen", "thirteen", "fourteen", "fifteen", "sixteen"],
    *["seventeen", "eighteen", "nineteen"],
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_ENGLISH: dict[str, float] = {
    **{word: float(n) for n, words in enumerate(_ONES) for word in words.split()},
    **{word: 10.0 * n for n, word in enumerate(_TENS, 2)},
    "half": 0.5,
    "quarter": 0.25,
    **dict.fromkeys(["hundred", "hundreds"], 100.0),
    **dict.fromkeys(["thousand", "thousands"], 1e3),
    **dict.fromkeys(["million", "millions"], 1e6),
}
_ENGLISH_WORDS = re.compile(
    rf"\b(?:{'|'.join(_ENGLISH)})(?:[\s-]+(?:and\s+)?(?:{'|'.join(_ENGLISH)}))*\b", re.IGNORECASE
)
_HAN_DIGITS = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "俩": 2}
_HAN_SCALES = {"十": 10, "百": 100, "千": 1000, "万": 10_000, "亿": 100_000_000}
_HAN_NUMBER = re.compile(f"[{''.join(_HAN_DIGITS)}{''.join(_HAN_SCALES)}半]+")
_HAN_PLAIN = re.compile(
    "百分之|十分|一(?:起|同|样|直|般|些|定|向|并|贯)|[其之]一|统一|另一|进一步|上一次"
)
"""Words with a numeral inside that count nothing."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number, with the sign of its currency or `%`; an empty unit for a plain number."""

    number: float
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A quantity and where it stands in the text."""

    quantity: Quantity
    start: int
    end: int


def find_quantities(text: str) -> list[Found]:
    """Every quantity in `text`, in order of place; NaN for a number that is none of those known."""
    numbers = sorted(_numbers(text), key=lambda found: found[1])
    return [_with_unit(text, *found) for found in numbers]


def _numbers(text: str) -> Iterator[tuple[float, int, int]]:
    for match in _DIGITS.finditer(text):
        yield _from_digits(match[0]), *match.span()
    for match in _ENGLISH_WORDS.finditer(text):
        yield _from_english(match[0]), *match.span()
    plain = [match.span() for match in _HAN_PLAIN.finditer(text)]
    for match in _HAN_NUMBER.finditer(text):
        if not any(start <= match.start() < end for start, end in plain):
            yield _from_han(match[0]), *match.span()


def _with_unit(text: str, number: float, start: int, end: int) -> Found:
    before, after = _BEFORE.search(text, 0, start), _AFTER.match(text, end)
    if before and before[0].startswith("百分之"):
        return Found(Quantity(number, "%"), before.start(), end)
    if before:
        return Found(Quantity(number, _sign(before)), before.start(), end)
    if after:
        return Found(Quantity(number, _sign(after)), start, after.end())
    return Found(Quantity(number), start, end)


def _sign(match: re.Match[str]) -> str:
    return next(sign for n, sign in enumerate(_UNITS) if match[f"u{n}"])


def _from_digits(text: str) -> float:
    """`1,299.50` and `1299,5` as numbers; what is no plain number (`1/2`, `10:30`) as NaN."""
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", text):
        return float(text.replace(",", ""))
    if re.fullmatch(r"\d+[.,]\d+|\d+", text):
        return float(text.replace(",", "."))
    return float("nan")


def _from_english(text: str) -> float:
    total = group = 0.0
    for word in re.split(r"[\s-]+", text.lower()):
        value = _ENGLISH.get(word)
        if value is None:
            continue
        if value >= 1000:
            total, group = total + max(group, 1) * value, 0
        elif value == 100:
            group = max(group, 1) * value
        else:
            group += value
    return total + group


def _from_han(text: str) -> float:
    if text == "半":
        return 0.5
    if "半" in text:
        return float("nan")
    if not any(c in _HAN_SCALES for c in text):
        return float("".join(str(_HAN_DIGITS[c]) for c in text))
    total = group = digit = 0
    for c in text:
        if c in _HAN_DIGITS:
            digit = _HAN_DIGITS[c]
            continue
        scale = _HAN_SCALES[c]
        if scale >= 10_000:
            total, group, digit = (total + group + digit) * scale, 0, 0
        else:
            group, digit = group + max(digit, 1) * scale, 0
    return float(total + group + digit)
