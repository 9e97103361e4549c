"""The teacher: how relevant a language model finds items for a person, asked in training only.

In come a person's last items and candidates, out goes a number per candidate: the log-likelihood of
the item's words after the history, minus that after an empty history, summed over tokens. The
second part is one number per text. What the model reads is one prompt per person, the same whatever
is to be recommended: the candidates of all tasks follow one prefix, computed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from recprism.data.dataset import Catalog, FloatArray, KindTable
from recprism.llm.door import Door
from recprism.llm.prompts import render
from recprism.llm.requests import Outcome, Prompt, Score

if TYPE_CHECKING:
    from recprism.project.schema import Kind, ProjectFile

ROLE: Final = "rank"
MOST_CHARACTERS = 50
"""Of an item's words so many are read, to the end of a word: titles begin with what matters."""
AT_ONCE = 16
"""So many texts are asked about at once: their deadlines begin together."""
MOST_FAILURES = 3
"""After so many failures one after another the model is left alone."""


class Teacher:
    """Asks the role `rank`. `texts` [n_items] is what it may read of each item, "" for nothing.

    Never raises: what could not be had is None, and `why` says what kept it from being had.
    """

    def __init__(self, door: Door, texts: Sequence[str], fields: Sequence[str]) -> None:
        self.door, self.texts, self.fields = door, texts, tuple(fields)
        self.why = ""
        self._usual: dict[str, float] = {}
        self._failures = 0

    @staticmethod
    def of(project: ProjectFile, catalog: Catalog, door: Door) -> Teacher:
        """The teacher of a project: it reads the titles and labels that `llm.fields` lists."""
        texts: list[str] = [""] * catalog.n_items
        for kind in catalog.kinds.values():
            texts[kind.start : kind.stop] = told_texts(kind, project.items[kind.name], door.fields)
        fields = sorted(field for field in door.fields if field.split(".")[0] in project.items)
        return Teacher(door, texts, fields)

    @property
    def has_given_up(self) -> bool:
        """Whether asking again is of no use: the budget is spent, or nothing comes back."""
        return self._failures >= MOST_FAILURES

    def prompt(self, past: Sequence[int]) -> Prompt:
        """What the model reads of a person whose last items are `past`, oldest first.

        Only allowed fields are in the texts, so that they can be rendered as one list.
        """
        told = [self.texts[item] for item in past if self.texts[item]]
        return replace(render("rank", {"before": told}, ["before"]), fields=self.fields)

    def relevance(self, past: Sequence[int], items: Sequence[int]) -> FloatArray | None:
        """A number per item [len(items)], or None when not all of them could be had."""
        usual = self._usual_of([self.texts[item] for item in items])
        if usual is None:
            return None
        after = self._ask([self._request(past, [self.texts[item] for item in items])])[0]
        return None if after is None else np.asarray(after, np.float32) - usual

    def _usual_of(self, texts: Sequence[str]) -> FloatArray | None:
        """The log-likelihood of each text after no history, asked once per text."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._usual]
        for start in range(0, len(missing), AT_ONCE):
            part = missing[start : start + AT_ONCE]
            found = self._ask([self._request((), [text]) for text in part])
            self._usual |= {t: v[0] for t, v in zip(part, found, strict=True) if v is not None}
        if any(text not in self._usual for text in texts):
            return None
        return np.array([self._usual[text] for text in texts], np.float32)

    def _request(self, past: Sequence[int], texts: Sequence[str]) -> Score:
        return Score(prompt=self.prompt(past), continuations=tuple(f" {text}" for text in texts))

    def _ask(self, requests: Sequence[Score]) -> list[tuple[float, ...] | None]:
        if self.has_given_up:
            return [None] * len(requests)
        outcomes = self.door.ask_many(ROLE, requests)
        for outcome in outcomes:
            self._note(outcome)
        return [outcome.value for outcome in outcomes]

    def _note(self, outcome: Outcome[tuple[float, ...]]) -> None:
        if outcome.state == "used":
            self._failures = 0
            return
        self.why = outcome.why
        # A late answer may be chance; a spent budget or a missing model stays as it is.
        self._failures += 1 if outcome.state == "deadline" else MOST_FAILURES


def told_texts(kind: KindTable, spec: Kind, fields: Sequence[str] | frozenset[str]) -> list[str]:
    """What may be told of each item of a kind, [len(kind)]: its title, then its labels."""
    title = spec.title or next(iter(spec.text), None)
    columns: list[pl.Series] = []
    if title is not None and f"{kind.name}.{title}" in fields:
        columns.append(kind.table["title"].cast(pl.String))
    columns += [kind.label(name) for name in kind.label_names if f"{kind.name}.{name}" in fields]
    if not columns:
        return [""] * len(kind)
    rows = zip(*(column.fill_null("").to_list() for column in columns), strict=True)
    return [shortened(", ".join(dict.fromkeys(filter(None, row)))) for row in rows]


def shortened(text: str) -> str:
    """As much of an item's words as the model reads, without their line ends."""
    text = " ".join(text.split())
    if len(text) <= MOST_CHARACTERS:
        return text
    whole = text[: MOST_CHARACTERS + 1].rpartition(" ")[0]
    return whole or text[:MOST_CHARACTERS]
