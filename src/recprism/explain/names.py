"""Titles as they read inside a sentence."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

MOST_CHARACTERS = 60

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_CONSONANTS = re.compile("[B-DF-HJ-NP-TV-XZ]{2,3}")
_ACRONYMS = frozenset(
    [
        *("AA", "AAA", "AC", "BBQ", "BLT", "CD", "DC", "DIY", "DJ", "DNA", "DVD", "EU", "FM"),
        *("GPS", "HD", "HDMI", "IPA", "IT", "LCD", "LED", "NASA", "PC", "PVC", "RAM", "SPF"),
        *("SSD", "SUV", "TNT", "TV", "UHT", "UK", "UN", "US", "USA", "USB", "UV", "VR", "WC"),
        *("WIFI", "XL", "XXL"),
    ]
)


@lru_cache(maxsize=65_536)
def readable(title: str) -> str:
    """A title as it reads inside a sentence: `BANANAS` becomes `bananas`.

    Only titles wholly in Latin capitals change: their words are written in lower case, except
    single letters and short acronyms (`BBQ`, or up to three consonants as the whole title).
    White space becomes single spaces, and more than 60 characters are cut with an ellipsis.
    """
    title = " ".join(title.split())
    if _is_shouted(title) and not _CONSONANTS.fullmatch(title):
        title = _WORD.sub(_quiet, title)
    if len(title) <= MOST_CHARACTERS:
        return title
    cut = title[: MOST_CHARACTERS - 1]
    at_word = cut.rpartition(" ")[0]
    return (at_word if len(at_word) > MOST_CHARACTERS // 2 else cut).rstrip() + "…"


def _is_shouted(title: str) -> bool:
    letters = [c for c in title if c.isalpha()]
    return bool(letters) and all(
        c.isupper() and unicodedata.name(c, "").startswith("LATIN") for c in letters
    )


def _quiet(word: re.Match[str]) -> str:
    return word[0] if len(word[0]) == 1 or word[0] in _ACRONYMS else word[0].lower()
