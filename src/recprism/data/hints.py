"""Words that tell what a column or table is about, and how names are taken apart.

Hints are never enough by themselves: they rank candidates whose values fit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable


def stem(word: str) -> str:
    """A rough stem, so that `movies` and `movie`, `categories` and `category` are one."""
    word = word.removesuffix("s") if len(word) > 2 and not word.endswith("ss") else word
    for ending in ("ie", "y", "e"):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            return word.removesuffix(ending)
    return word


def words_of(name: str) -> tuple[str, ...]:
    """The words of a column's or file's name: `userId`, `user_id` and `User ID` alike."""
    parts = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return tuple(re.findall(r"[^\W_]+", parts.lower()))


def _stems(words: str) -> tuple[str, ...]:
    return tuple(stem(word) for word in words.split())


ID = frozenset(_stems("id uid uuid guid key code sku upc ean isbn asin"))
TIME = frozenset(_stems("time timestamp ts date datetime day when created updated at epoch"))
START = frozenset(_stems("start from begin begins starts valid_from opens"))
END = frozenset(_stems("end until expires expiry expiration ends closes"))
USER = frozenset(
    _stems(
        "user uid customer client member household visitor account buyer shopper reader viewer "
        "listener player patient person people subscriber guest student employee consumer reviewer"
    )
)
ITEM = frozenset(
    _stems(
        "item product article movie film song track album artist post video book ad coupon offer "
        "game restaurant hotel job recipe news course app page document doc listing sku asin isbn"
    )
)
SESSION = frozenset(_stems("session basket order cart visit transaction trip invoice receipt"))
PLACE = frozenset(
    _stems("store shop branch device channel city region country location site platform")
)
ACTION = frozenset(_stems("action event behavior behaviour activity interaction type verb"))
VALUE = _stems("value amount revenue sales total spend price rating score stars quantity qty count")
TEXT = _stems("title name headline text description summary body content caption abstract about")
WISH = _stems("text bio about description wish interests query summary")
LABEL = _stems("category genre department type topic brand section class group tag style")
PRIVATE = frozenset(_stems("email mail phone name first last address street password birth"))
LANGUAGE = frozenset(_stems("language lang locale"))

VERBS = {
    stem(word): action
    for action, words in {
        "purchase": "purchase transaction order sale buy sold bought basket",
        "rate": "rating rate score",
        "review": "review",
        "redeem": "redemption redeem redeemed",
        "click": "click clicked clickstream",
        "view": "view impression visit pageview viewed browse",
        "play": "play listen scrobble stream watch watched",
        "like": "like favorite favourite love",
        "follow": "follow follower",
        "book": "booking reservation appointment",
        "download": "download install",
        "read": "read reading",
        "add": "cart wishlist",
    }.items()
    for word in words.split()
}
"""The action that a table's name speaks of, by the stem of the word."""

GOALS = _stems(
    "purchase buy order transaction redeem subscribe book pay checkout download like rate follow "
    "cart play read click view"
)
"""Actions by how near they are to what a shop or site lives from, nearest first."""


def rank(stems: Iterable[str], hints: tuple[str, ...]) -> int:
    """The place of the first of `hints` among `stems`; the number of hints when there is none."""
    found = set(stems)
    return next((n for n, hint in enumerate(hints) if hint in found), len(hints))


def plural(word: str) -> str:
    """The plural of an English noun, roughly."""
    if word.endswith(("s", "x", "ch", "sh")):
        return word if word.endswith("s") else word + "es"
    if word.endswith("y") and word[-2:-1] not in set("aeiou"):
        return word[:-1] + "ies"
    return word + "s"


def as_name(text: str, otherwise: str) -> str:
    """The text as a name of the project file: lower case, `_` for all else, a letter first."""
    name = "_".join(re.findall(r"[a-z0-9]+", "_".join(words_of(text)).lower()))
    name = name.lstrip("0123456789_")[:63]
    return name or otherwise
