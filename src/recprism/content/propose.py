"""Labels for items that have none: groups of like texts, each named by its own words.

In come texts and their vectors, out come `Proposal`s. Groups are k-means clusters of centered
vectors; a group is named by the words that set it apart: the root of how often a word stands in the
group, times the logarithm of how much more often than in all. That is c-TF-IDF (Grootendorst, 2022)
made stricter: as printed, a brand that most texts name comes first in most groups. Scripts without
spaces are read in pairs of characters.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recprism.content.projection import unit
from recprism.data.dataset import FloatArray

WORDS_OF_NAME = 3
WORDS = 8
EXAMPLES = 3
_SEED = 0
_WORD = re.compile(r"[^\W\d_]{2,}")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0e7f]+")
"""Japanese, Chinese and Thai."""


@dataclass(frozen=True)
class Proposal:
    """A label that may be given: a `name`, more of its `words`, how many `items` and distinct
    `texts` it would have, the `examples` in its middle, and the `source` of its name."""

    name: str
    words: tuple[str, ...]
    items: int
    texts: int
    examples: tuple[str, ...]
    source: str = "words"

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, in the order of the fields."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}


def propose(
    texts: Sequence[str],
    vectors: FloatArray,
    n: int,
    *,
    weights: NDArray[np.int64] | None = None,
) -> list[Proposal]:
    """At most `n` labels for distinct `texts` with their `vectors` [len(texts), size].

    `weights` says how many items have each text. The label of most items comes first; no two have
    the same name. Fewer texts than `n` give as many labels.
    """
    weights = np.ones(len(texts), np.int64) if weights is None else weights
    group, distance = _groups(vectors, min(n, len(texts)), weights)
    words = [words_of(text) for text in texts]
    ranked = _words_apart(words, group, weights)
    found: list[Proposal] = []
    for number in sorted(ranked, key=lambda g: (-int(weights[group == g].sum()), g)):
        rows = np.flatnonzero(group == number)
        middle = rows[np.argsort(distance[rows], kind="stable")[:EXAMPLES]].tolist()
        examples = tuple(texts[row] for row in middle)
        name = _name(ranked[number] or [examples[0]], {one.name for one in found})
        own = tuple(ranked[number][:WORDS])
        found.append(Proposal(name, own, int(weights[rows].sum()), len(rows), examples))
    return found


def words_of(text: str) -> list[str]:
    """The words of a text in small letters, without numbers and single letters."""
    pairs = [
        run[at : at + 2] for run in _UNSPACED.findall(text) for at in range(max(1, len(run) - 1))
    ]
    return [*_WORD.findall(_UNSPACED.sub(" ", text).lower()), *pairs]


def _groups(
    vectors: FloatArray, k: int, weights: NDArray[np.int64]
) -> tuple[NDArray[np.int64], FloatArray]:
    """The group of each text and how far it is from the middle of it."""
    from sklearn.cluster import KMeans  # heavy, and only proposing needs it

    centered = unit(vectors - vectors.mean(axis=0))
    k = max(1, min(k, len(np.unique(centered, axis=0))))
    means = KMeans(k, n_init=1, random_state=_SEED).fit(centered, sample_weight=np.sqrt(weights))
    group = means.labels_.astype(np.int64)
    distance = np.linalg.norm(centered - means.cluster_centers_[group], axis=1)
    return group, distance.astype(np.float32)


def _words_apart(
    words: Sequence[Sequence[str]], group: NDArray[np.int64], weights: NDArray[np.int64]
) -> dict[int, list[str]]:
    """The words of each group, those that set it apart first."""
    root = np.sqrt(weights)
    counts: dict[int, Counter[str]] = {int(number): Counter() for number in np.unique(group)}
    for own, number, weight in zip(words, group.tolist(), root.tolist(), strict=True):
        for word in set(own):
            counts[number][word] += weight
    everywhere: Counter[str] = Counter()
    for counted in counts.values():
        everywhere.update(counted)
    size = np.bincount(group, root)
    ranked = {}
    for number, counted in counts.items():
        worth = {
            word: sqrt(count) * log(count / size[number] / (everywhere[word] / root.sum()))
            for word, count in counted.items()
        }
        ordered = sorted(worth.items(), key=lambda pair: (-pair[1], pair[0]))
        ranked[number] = [word for word, _ in ordered]
    return ranked


def _name(words: Sequence[str], taken: set[str]) -> str:
    """The first words, and as many more as it takes to be told from the names that are taken."""
    for n in range(min(WORDS_OF_NAME, len(words)), len(words) + 1):
        name = ", ".join(words[:n])
        if name not in taken:
            return name
    number = 2
    while f"{name} ({number})" in taken:
        number += 1
    return f"{name} ({number})"
