"""Whether one wish in several languages gives the same list.

140 kinds of grocery products with 31 groups, and 34 wishes, all written in English, Chinese,
Spanish and German (`benchmarks/texts/`). A list is the ten products nearest to a wish, by the
content vectors and the reading of wishes that the engine uses, with the bundled encoder.
`overlap@10` is the share of two languages' lists that they have in common, averaged over wishes:

* `own_catalog`: catalog and wish both in the language; `types` without the names of groups.
* `one_catalog`: the catalog in English, the wish in each language.

How wishes are compared was chosen on the wishes of part `choose`; those of part `test` are
reported.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recprism.content.encoder import Encoder
from recprism.content.vectors import Content, build_content, encode_queries
from recprism.data.dataset import Catalog, Ids, KindTable, UserTable
from recprism.engine.wishing import feed_back

LANGUAGES = ("en", "zh", "es", "de")
TEXTS = Path(__file__).parent / "texts"
K = 10
SIZE = 128
Lists = Mapping[str, NDArray[np.int64]]


def measure_languages(encoder: Encoder, *, part: str = "test") -> dict[str, Any]:
    """The share of ten that two languages' lists have in common, by language pair and on average.

    Shares as `{"own_catalog": {"mean": ..., "en-zh": ...}, "types": ..., "one_catalog": ...}`.
    """
    types, groups = _rows("grocery_types.tsv"), _rows("grocery_groups.tsv")
    wishes = [row for row in _rows("grocery_wishes.tsv") if row["part"] == part]
    named = {row["en"]: row for row in groups}
    alone = {one: [row[one] for row in types] for one in LANGUAGES}
    whole = {one: [f"{row[one]}, {named[row['group']][one]}" for row in types] for one in LANGUAGES}
    asked = {one: [row[one] for row in wishes] for one in LANGUAGES}
    own = {one: _lists(_content(whole[one], encoder), encoder, asked[one]) for one in LANGUAGES}
    bare = {one: _lists(_content(alone[one], encoder), encoder, asked[one]) for one in LANGUAGES}
    english = _content(whole["en"], encoder)
    shared = {one: _lists(english, encoder, asked[one]) for one in LANGUAGES}
    return {
        "overlap@10": {
            "own_catalog": overlaps(own),
            "types": overlaps(bare),
            "one_catalog": overlaps(shared),
        },
        "items": len(types),
        "wishes": len(wishes),
    }


def overlaps(lists: Lists) -> dict[str, float]:
    """Mean share in common of the rows of every two languages' lists [n, k], and over all pairs."""
    pairs = {
        f"{one}-{other}": float(np.mean([_common(a, b) for a, b in zip(left, right, strict=True)]))
        for (one, left), (other, right) in combinations(lists.items(), 2)
    }
    mean = float(np.mean(list(pairs.values())))
    return {name: round(value, 4) for name, value in {"mean": mean, **pairs}.items()}


def as_text(found: Mapping[str, Any]) -> list[str]:
    """A line per way to compare."""
    lines = [f"languages: {found['items']} products, {found['wishes']} wishes"]
    for name, row in found["overlap@10"].items():
        shares = ", ".join(f"{pair} {share:.2f}" for pair, share in row.items())
        lines.append(f"  {f'overlap@10, {name}':<40} {shares}")
    return lines


def _common(one: Sequence[int] | NDArray[np.int64], other: NDArray[np.int64]) -> float:
    return len(set(one) & set(other)) / len(other)


def _lists(content: Content, encoder: Encoder, wishes: Sequence[str]) -> NDArray[np.int64]:
    """The best items of each wish, [wishes, K]."""
    vectors = encode_queries(content, encoder, wishes)
    scores = np.stack([content.wish_scores(feed_back(content, vector)) for vector in vectors])
    return np.argsort(-scores, axis=1, kind="stable")[:, :K]


def _content(texts: Sequence[str], encoder: Encoder) -> Content:
    ids = Ids(pl.Series([f"t{row}" for row in range(len(texts))]))
    table = pl.DataFrame({"title": list(texts), "text": list(texts)})
    users = UserTable(Ids(pl.Series([], dtype=pl.String)), pl.DataFrame())
    kinds = {"products": KindTable("products", ids, 0, table)}
    return build_content(Catalog(users, kinds, (), {}), encoder, size=SIZE)


def _rows(name: str) -> list[dict[str, str]]:
    with (TEXTS / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))
