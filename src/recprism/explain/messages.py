"""Message catalogues: all wording of a language in one file, `messages/LANGUAGE.json`.

A new language is a new file with the keys of `en.json`. Wording that depends on a number is a
table: an exact number (`"1"`) wins, then the plural form that the language's rule names (`"one"`),
then `"other"`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

from recprism.errors import UnknownName

PLURAL_RULES: Mapping[str, Callable[[int], str]] = {
    "one": lambda n: "one" if n == 1 else "other",
    "none": lambda _: "other",
}
"""How languages choose a plural form; the names are used in the catalogues."""


FULL_STOPS = ".。 "


def languages() -> list[str]:
    """The languages that have a catalogue, sorted."""
    found = (files(__package__) / "messages").iterdir()
    return sorted(file.name.removesuffix(".json") for file in found if file.name.endswith(".json"))


@lru_cache
def catalogue(language: str) -> Catalogue:
    """The wording of a language. Raises `UnknownName` for a language without catalogue."""
    if language not in languages():
        raise UnknownName("language", language, languages())
    text = (files(__package__) / "messages" / f"{language}.json").read_text(encoding="utf-8")
    return Catalogue(language, json.loads(text))


class Catalogue:
    """Wording of one language; every method returns finished text."""

    def __init__(self, language: str, messages: Mapping[str, Any]) -> None:
        self.language, self.messages = language, messages
        self._plural = PLURAL_RULES[messages["plural"]]

    def sentence(self, key: str, fields: Mapping[str, str]) -> str:
        """The sentence `key` with its placeholders filled."""
        return str(self.messages["sentences"][key]).format_map(fields)

    def has_sentence(self, key: str) -> bool:
        return key in self.messages["sentences"]

    def number(self, n: int) -> str:
        return f"{n:,}".replace(",", self.messages["thousands"])

    def counted(self, forms: Mapping[str, str], n: int, **fields: str) -> str:
        """The form for the number `n`, which fills the placeholder `{n}`."""
        form = forms.get(str(n)) or forms.get(self._plural(n)) or forms["other"]
        return form.format(n=self.number(n), **fields)

    def phrase(self, key: str, n: int) -> str:
        """A counted phrase: `gap`, `ago`, `times`, `people` (`within` has its own method)."""
        return self.counted(self.messages["phrases"][key], n)

    def within(self, days: int) -> str:
        """A span up to now, in weeks where it is whole weeks from two on."""
        if days >= 14 and days % 7 == 0:
            return self.phrase("within-weeks", days // 7)
        return self.phrase("within-days", days)

    def verb(self, action: str) -> Mapping[str, str]:
        """Forms of the verb for an action (`now`, `past`, `by`); neutral for an unknown one."""
        verbs: Mapping[str, Mapping[str, str]] = self.messages["verbs"]
        return verbs.get(action, verbs["other"])

    def kind(self, kind: str) -> str:
        """A kind of item in the plural; an unknown kind keeps its name."""
        known = self.messages["kinds"].get(kind)
        return kind if known is None else str(known["many"])

    def items(self, kind: str, n: int) -> str:
        """`n` items of a kind."""
        known = self.messages["kinds"].get(kind, self.messages["kinds"]["other"])
        return self.counted(known["count"], n)

    def composed_title(self, kind: str, of: str, n: int, label: str | None) -> str:
        """A title for an item of `kind` that links to `n` items of another, mostly of one label."""
        one = self.messages["kinds"].get(kind, {"one": kind})["one"]
        fields = {"Kind": one[:1].upper() + one[1:], "items": self.items(of, n)}
        titles = self.messages["titles"]
        if label is None:
            return str(titles["plain"]).format_map(fields)
        return str(titles["mostly"]).format_map({**fields, "label": label})

    def name(self, name: str) -> str:
        """A name inside a sentence, quoted where the language asks for it."""
        return self._naming("name", name=name)

    def words(self, text: str) -> str:
        """Somebody's own words, in quotation marks and without a full stop of their own."""
        return self._naming("words", name=text.rstrip(FULL_STOPS))

    def advertised(self, name: str) -> str:
        return self._naming("advertised", name=name)

    def place(self, key: str, value: str) -> str:
        """A place such as `store 367`."""
        return self._naming("place", key=self.messages["contexts"].get(key, key), value=value)

    def when(self, period: str) -> str:
        """A period as it follows other words; nothing for no period."""
        return self._naming("when", period=period) if period else ""

    def season(self, season: str) -> str:
        """`this autumn` for `autumn`; empty for anything that is no season."""
        return str(self.messages["seasons"].get(season, ""))

    def listed(self, names: Sequence[str]) -> str:
        """Names one after another, without a last `and`."""
        return str(self.messages["names"]["separator"]).join(map(self.name, names))

    def joined(self, names: Sequence[str]) -> str:
        """Names with an `and` before the last one."""
        if len(names) < 2:
            return self.listed(names)
        last = str(self.messages["names"]["last"])
        return self.listed(names[:-1]) + last + self.name(names[-1])

    def _naming(self, naming: str, /, **fields: str) -> str:
        return str(self.messages["names"][naming]).format(**fields)
