"""Labels of items that have none, from the items of the same kind that have one.

In come a catalog and the vectors of its texts, out comes the catalog with a column `guess:NAME`
(null where the label is given, or nothing fits) and `confidence:NAME` beside each `label:NAME` that
some items lack; where a language model was asked about some of them, `opinion:NAME` is what it
chose. The decision worth knowing: a guess never enters `label:NAME`, so that what was
given and what was guessed can always be told apart.

Texts are passages here, which training has encoded anyway, and names are queries; each are moved to
their own center, since E5 puts the two at different places. Otherwise the first labels that have
texts of their own would draw all other texts to them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from recprism.content.encoder import Encoder
from recprism.content.label_choice import Chooser
from recprism.content.label_model import LabelModel, learn
from recprism.content.label_second import Second, Trust, consult, measure_trust
from recprism.content.projection import unit
from recprism.content.taxonomy import Meanings, Taxonomy
from recprism.content.vectors import CENTER_FROM, Content
from recprism.data.dataset import BoolArray, Catalog, FloatArray, IntArray, KindTable

Choosers = Callable[[str, str], Chooser | None]
"""The model that gives second opinions on a label of a kind, None where it is not asked."""
NO_CHOOSER = Trust(0.0, "too few labelled texts")


@dataclass(frozen=True)
class LabelledRows:
    """The distinct texts of a kind, as far as one label is concerned.

    `text_row` [n] are rows of `Content.vectors`; the first `len(label)` of them carry the label
    number `label` (of a text that items label differently, the most frequent), the others none.
    `vectors` [n, size] are moved already; `move` [size] does it to others. Moved vectors differ
    more than the encoder's; `sharpness` says how much less they should count for it.
    """

    meanings: Meanings
    vectors: FloatArray
    text_row: IntArray
    label: IntArray
    move: FloatArray
    sharpness: float

    @property
    def labelled(self) -> FloatArray:
        """Vectors of the texts with a label."""
        return self.vectors[: len(self.label)]

    @property
    def unlabelled(self) -> FloatArray:
        """Vectors of the texts without."""
        return self.vectors[len(self.label) :]

    @property
    def targets(self) -> BoolArray:
        """Which label each labelled text carries, [n, n_labels]."""
        return np.asarray(self.label[:, None] == np.arange(len(self.meanings.names)))

    def learn(self) -> LabelModel:
        """The model that the labelled texts allow."""
        return learn(self.meanings, self.labelled, self.targets, sharpness=self.sharpness)

    def second(self, model: LabelModel, texts: Sequence[str], chooser: Chooser | None) -> Second:
        """Labels of the texts without one, after `chooser` had its say; `texts` are all texts, by
        their row of `Content.vectors`."""
        if chooser is None:
            return consult(model, self.unlabelled, (), None, NO_CHOOSER)
        split = len(self.label)
        said = [texts[row] for row in self.text_row.tolist()]
        trust = measure_trust(
            self.meanings, self.labelled, self.targets, said[:split], model, chooser
        )
        return consult(model, self.unlabelled, said[split:], chooser, trust)

    def place(self, raw: FloatArray) -> FloatArray:
        """Passages [n, size] as the encoder made them, where the model expects them."""
        return unit(raw - self.move)


def rows_of(
    kind: KindTable, name: str, content: Content, encoder: Encoder, cache: Path | None = None
) -> LabelledRows | None:
    """The texts of a kind with and without the label `name`; None with fewer than two labels."""
    label = kind.table[f"label:{name}"].cast(pl.String).replace("", None)
    names = label.drop_nulls().unique().sort().to_list()
    if len(names) < 2:
        return None
    text = content.text_row[kind.start : kind.stop]
    table = pl.DataFrame({"text": text, "label": label}).filter(pl.col("text") >= 0)
    counted = table.drop_nulls().group_by("text", "label").len()
    given = counted.sort(["text", "len", "label"], descending=[False, True, False]).unique(
        "text", keep="first", maintain_order=True
    )
    known = given["text"].to_numpy()
    bare = np.setdiff1d(table.filter(pl.col("label").is_null())["text"].to_numpy(), known)
    rows = np.concatenate([known, bare]).astype(np.int32)
    codes = given["label"].cast(pl.Enum(names)).to_physical().cast(pl.Int32).to_numpy()
    meanings = Taxonomy(names).encode(encoder, is_query=True, cache=cache)
    return _moved(meanings, content.vectors[rows].astype(np.float32), rows, codes)


def _moved(
    meanings: Meanings, raw: FloatArray, text_row: IntArray, label: IntArray
) -> LabelledRows:
    """Texts and names around their centers, unless there are too few to have one."""
    share = np.float32(len(raw) >= CENTER_FROM)
    move = share * raw.mean(axis=0)
    texts, names = raw - move, meanings.vectors - share * meanings.vectors.mean(axis=0)
    lengths = np.linalg.norm(texts, axis=1).mean() * np.linalg.norm(names, axis=1).mean()
    meanings = replace(meanings, vectors=unit(names))
    return LabelledRows(meanings, unit(texts), text_row, label, move, float(lengths))


def guess_items(
    catalog: Catalog,
    content: Content,
    encoder: Encoder | None,
    unknown_below: float,
    *,
    choosers: Choosers | None = None,
    cache: Path | None = None,
) -> tuple[Catalog, list[dict[str, Any]]]:
    """The catalog with guesses, and what to say of them: a row per label that was missing.

    A row has `kind`, `label`, `missing` (items), `guessed`, `unknown` (items with a text that fits
    nothing) and `basis`; with a chooser also `llm`, how far it was trusted and how often it was
    asked. Items whose text also stands at labelled items get the label of those.
    """
    if encoder is None or not len(content.vectors):
        return catalog, []
    kinds, said = {}, []
    for name, kind in catalog.kinds.items():
        kinds[name], rows = _guess_kind(kind, content, encoder, unknown_below, choosers, cache)
        said += rows
    return replace(catalog, kinds=kinds), said


def _guess_kind(
    kind: KindTable,
    content: Content,
    encoder: Encoder,
    unknown_below: float,
    choosers: Choosers | None,
    cache: Path | None,
) -> tuple[KindTable, list[dict[str, Any]]]:
    text = content.text_row[kind.start : kind.stop]
    said, table = [], kind.table
    for name in kind.label_names:
        lacking = (table[f"label:{name}"].is_null() | (table[f"label:{name}"] == "")).to_numpy()
        if not (lacking & (text >= 0)).any():
            continue
        rows = rows_of(kind, name, content, encoder, cache)
        if rows is None:
            continue
        model = rows.learn()
        chooser = None if choosers is None else choosers(kind.name, name)
        texts = () if chooser is None else texts_of(kind, content)
        second = rows.second(model, texts, chooser)
        found = _by_text(rows, model, second, unknown_below, len(content.vectors))
        asked = lacking & (text >= 0)
        table = table.with_columns(_columns(name, model, found, asked, text))
        guessed = int((asked & (found.label[text] >= 0)).sum())
        counts = {"missing": int(lacking.sum()), "guessed": guessed}
        unknown = int(asked.sum()) - guessed
        row = {"kind": kind.name, "label": name, **counts, "unknown": unknown, "basis": model.basis}
        said.append(row if chooser is None else row | {"llm": second.to_dict()})
    return replace(kind, table=table), said


def texts_of(kind: KindTable, content: Content) -> list[str]:
    """The texts of a kind by their row of `Content.vectors`; blank where other kinds have one."""
    out = [""] * len(content.vectors)
    row = content.text_row[kind.start : kind.stop].tolist()
    for place, text in zip(row, kind.table["text"].to_list(), strict=True):
        if place >= 0:
            out[place] = text
    return out


class _ByText(NamedTuple):
    """Per row of `Content.vectors`: label and opinion, -1 for none, and the label's confidence."""

    label: IntArray
    confidence: FloatArray
    opinion: IntArray


def _by_text(
    rows: LabelledRows, model: LabelModel, second: Second, unknown_below: float, n_texts: int
) -> _ByText:
    label, sure = np.full(n_texts, -1, np.int32), np.zeros(n_texts, np.float32)
    opinion = np.full(n_texts, -1, np.int32)
    split = len(rows.label)
    label[rows.text_row[:split]], sure[rows.text_row[:split]] = rows.label, 1.0
    best, share = model.best_of(second.probabilities, rows.unlabelled)
    bare = rows.text_row[split:]
    label[bare] = np.where((share >= unknown_below) & (share > 0), best, -1)
    sure[bare], opinion[bare] = share, second.opinion
    return _ByText(label, sure, opinion)


def _columns(
    name: str, model: LabelModel, found: _ByText, asked: BoolArray, text: IntArray
) -> list[pl.Series]:
    """The columns of a label for all items, of which `asked` [n] lack it."""
    words = pl.Series(model.names, dtype=pl.String)

    def named(codes: IntArray, title: str) -> pl.Series:
        own = pl.Series(np.where(asked, codes[text], -1)).replace(-1, None)
        return words.gather(own).alias(f"{title}:{name}")

    sure = pl.Series(np.where(asked, found.confidence[text], np.nan), dtype=pl.Float32)
    out = [named(found.label, "guess"), sure.fill_nan(None).alias(f"confidence:{name}")]
    return [*out, named(found.opinion, "opinion")] if (found.opinion >= 0).any() else out
