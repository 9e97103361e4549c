"""From a wish's intent to what the lists are made with: a vector, and the items it rules out.

In comes an `Intent`, out goes an `Applied`. The decision worth knowing: what is wanted orders, what
is not wanted filters. An item is ruled out when it names what is not wanted, or when it is nearer
to that than to what is wanted, and among the nearest of all. Pushing items down in proportion
(Rocchio, 1971, with a negative weight) was measured and lost: it takes the wanted ones along.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from recprism.content.projection import unit
from recprism.content.vectors import CENTER_FROM, Content
from recprism.data.dataset import BoolArray, FloatArray, KindTable
from recprism.llm import Door
from recprism.llm.quantities import HAN
from recprism.model import Model
from recprism.signals.plan import TaskPlan
from recprism.wishes import Bound, Intent, Label, Read, Vocabulary, is_negated, read_wish

NEAREST = 0.6
"""Only items with this share of the largest likeness to what is not wanted can be too near it."""
FAR_OUT = 3.0
"""Where a wish only says what is not wanted: so many standard deviations above the mean."""
PREFERENCE = 0.3
"""How much a label that fits moves the wish towards the items that carry it (Rocchio, 1971)."""
FEEDBACK, FEEDBACK_WEIGHT = 3, 0.5
"""A wish moves this much towards the mean of so many contents that fit it best."""
MOST_OFFERED = 16
"""So many values of each label are put before the model, those nearest to the wish."""
_ENDINGS = "(?:s|es|e|n|en|er)?"

Encode = Callable[[Sequence[str]], FloatArray]


@dataclass(frozen=True)
class Applied:
    """What a wish comes to: its vector, None for words that say nothing or are none, and the items
    that it rules out [n_items], None for none."""

    vector: FloatArray | None
    barred: BoolArray | None


class Wishing:
    """Reads wishes with the words of one model, and applies them to its items."""

    def __init__(self, model: Model, encode: Encode) -> None:
        self._model, self._encode = model, encode

    def read(self, wish: str, door: Door | None, subject: str | None = None) -> Read:
        """The intent of a wish, by the language model where the role `ask` is on."""
        may_ask = door is not None and "ask" in door.roles
        offered = self._offered(wish, door.fields) if door is not None and may_ask else {}
        return read_wish(wish, self.vocabulary, door, offered=offered, subject=subject)

    def apply(self, intent: Intent) -> Applied:
        """What `intent` means for the items. Raises `UsageError` where texts cannot be compared."""
        texts = [text for text in (intent.text, *intent.unwanted) if text]
        vectors = list(self._encode(texts)) if texts else []
        wanted = vectors.pop(0) if intent.text and vectors[0].any() else None
        barred = self._out_of_bounds(intent.bounds) | self._without_labels(intent.labels)
        for term, vector in zip(intent.unwanted, vectors[-len(intent.unwanted) :], strict=False):
            barred |= self._named(term) | self._near(vector, wanted)
        if wanted is not None:
            wanted = self._towards(wanted, intent.labels)
            wanted = feed_back(self._model.content, wanted, barred)
        return Applied(wanted, barred if barred.any() else None)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """What a wish can ask of this model."""
        kinds = self._model.catalog.kinds
        labels = self._model.labels.values
        return Vocabulary(
            kinds=tuple(kinds),
            labels={name: tuple(values[1:]) for name, values in labels.items()},
            numbers=tuple(dict.fromkeys(n for kind in kinds.values() for n in kind.number_names)),
            language=self._model.project.language,
        )

    def _offered(self, wish: str, fields: frozenset[str]) -> dict[str, Sequence[str]]:
        """Values of the labels that may reach a prompt, the nearest to the wish first."""
        kinds = self._model.catalog.kinds.values()
        named = [(f"{kind.name}.{name}", name) for kind in kinds for name in kind.label_names]
        wanted = [(field, name) for field, name in named if field in fields]
        if not wanted:
            return {}
        vector = self._encode([wish])[0]
        offered: dict[str, Sequence[str]] = {}
        for field, name in wanted:
            values = self._model.labels.values[name][1:]
            best = np.argsort(-(self._label_vectors[name] @ vector), kind="stable")[:MOST_OFFERED]
            offered[field] = [values[row] for row in best.tolist()]
        return offered

    @cached_property
    def _label_vectors(self) -> Mapping[str, FloatArray]:
        """The mean content of the items with each value of each label, [values, encoder size]."""
        content, labels = self._model.content, self._model.labels
        known = content.row >= 0
        out = {}
        for name, codes in labels.codes.items():
            total = np.zeros((len(labels.values[name]), content.wide.shape[1]), np.float32)
            pairs = np.unique(np.stack([codes[known], content.row[known]]), axis=1)
            np.add.at(total, pairs[0], content.wide[pairs[1]])
            out[name] = unit(total[1:])
        return out

    def _towards(self, wanted: FloatArray, labels: Sequence[Label]) -> FloatArray:
        for label in labels:
            row = list(self._model.labels.values[label.name]).index(label.value) - 1
            wanted = wanted + np.float32(PREFERENCE) * self._label_vectors[label.name][row]
        return unit(wanted)

    def _nothing(self) -> BoolArray:
        return np.zeros(self._model.catalog.n_items, np.bool_)

    def _out_of_bounds(self, bounds: Sequence[Bound]) -> BoolArray:
        """Items whose number lies outside, or is unknown; kinds without the number are let be."""
        barred = self._nothing()
        for kind in self._model.catalog.tables:
            for bound in bounds:
                if bound.number in kind.number_names:
                    value = kind.number(bound.number)
                    low = -np.inf if bound.low is None else bound.low
                    high = np.inf if bound.high is None else bound.high
                    barred[kind.start : kind.stop] |= ~((value >= low) & (value <= high))
        return barred

    def _without_labels(self, labels: Sequence[Label]) -> BoolArray:
        """Items without any of the demanded values, of kinds that have the label at all."""
        barred = self._nothing()
        for name in {label.name for label in labels if label.must}:
            codes, values = self._model.labels.codes[name], list(self._model.labels.values[name])
            taken = [values.index(one.value) for one in labels if one.must and one.name == name]
            for kind in self._model.catalog.tables:
                own = codes[kind.start : kind.stop]
                if own.any():
                    barred[kind.start : kind.stop] |= ~np.isin(own, taken)
        return barred

    def _near(self, unwanted: FloatArray, wanted: FloatArray | None) -> BoolArray:
        """Items nearer to what is not wanted than to what is, and among the nearest to it."""
        content = self._model.content
        likeness = content.wish_scores(unwanted)
        known = likeness[content.row >= 0]
        if not unwanted.any() or not len(known):
            return self._nothing()
        is_near: BoolArray = (content.row >= 0) & (likeness > NEAREST * float(known.max()))
        if wanted is None:
            is_near &= likeness > known.mean() + FAR_OUT * known.std()
        else:
            is_near &= likeness > content.wish_scores(wanted)
        return is_near

    def _named(self, term: str) -> BoolArray:
        """Items whose text, title or labels name `term`, other than to say that it is absent."""
        barred, pattern = self._nothing(), _whole_word(term)
        for name, values in self._model.labels.values.items():
            hits = [code for code, value in enumerate(values) if self._says(value, term, pattern)]
            barred |= np.isin(self._model.labels.codes[name], hits)
        for kind in self._model.catalog.tables:
            barred[kind.start : kind.stop] |= self._naming(kind, term, pattern)
        return barred

    def _naming(self, kind: KindTable, term: str, pattern: str) -> BoolArray:
        hit = np.zeros(len(kind), np.bool_)
        for column in ("title", "text"):
            texts = kind.table[column].cast(pl.String)
            found = texts.str.contains(pattern).fill_null(False)
            true = [t for t in texts.filter(found).unique() if self._says(t, term, pattern)]
            hit |= texts.is_in(true).fill_null(False).to_numpy()
        return hit

    def _says(self, text: str, term: str, pattern: str) -> bool:
        language = self._model.project.language
        return re.search(pattern, text) is not None and not is_negated(text, term, language)


def feed_back(content: Content, wanted: FloatArray, barred: BoolArray | None = None) -> FloatArray:
    """A wish moved towards what fits it best and is not `barred` (pseudo-relevance feedback).

    Words of any language come nearer to the catalog's own that way, so lists for one wish in
    several languages agree more. Catalogs too small to be centered leave a wish as it is.
    """
    if len(content.vectors) < CENTER_FROM:
        return wanted
    score = content.wide @ wanted
    if barred is not None:
        open_rows = content.row[~barred & (content.row >= 0)]
        closed = np.ones(len(score), np.bool_)
        closed[open_rows] = False
        score = np.where(closed, -np.inf, score)
    best = np.argsort(-score, kind="stable")[:FEEDBACK]
    best = best[np.isfinite(score[best])]
    if not len(best):
        return wanted
    return unit(wanted + np.float32(FEEDBACK_WEIGHT) * content.wide[best].mean(axis=0))


def _whole_word(term: str) -> str:
    """A pattern, for Polars and `re` alike, of `term` as a word, in the singular or plural."""
    if re.search(f"[{HAN}]", term):
        return re.escape(term)
    stem = re.sub(r"(?<=\w{3})(?:es|s|en|n|e)$", "", term.strip())
    return rf"(?i)\b{re.escape(stem)}{_ENDINGS}\b"


def wished_first(plans: Sequence[TaskPlan], intent: Intent, *, chosen: bool) -> list[TaskPlan]:
    """The tasks of the kinds that the wish names first, and no others where it wants no others.

    Tasks that the caller has `chosen` all stay.
    """
    named = [plan for plan in plans if plan.kind.name in intent.kinds]
    if intent.kinds_must and named and not chosen:
        return named
    return [*named, *(plan for plan in plans if plan not in named)]
