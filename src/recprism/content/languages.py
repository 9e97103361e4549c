"""What tells the language of a text in its vector, so that a wish can do without it.

Multilingual encoders put texts of one language near each other, whatever they say, so a wish in
another language than the catalog's lies off to a side. In come sixteen phrases said in eight
languages (`phrases.tsv`, general ones, of no shop), out go the axes along which the means of the
languages differ. A wish is moved along them to the middle; nobody has to know its language.
(Removing language by linear projection: Yang et al., 2021, "A Simple and Effective Method To
Eliminate the Self Language Bias in Multilingual Representations".)
"""

from __future__ import annotations

import csv
from functools import lru_cache
from importlib.resources import files
from io import StringIO
from pathlib import Path

import numpy as np

from recprism.content.cache import encode_texts
from recprism.content.encoder import Encoder
from recprism.data.dataset import FloatArray

NUMBERS_PER_AXIS = 16
"""An encoder needs so many numbers for each axis taken from it; short vectors keep their own."""

_known: dict[tuple[str, str], FloatArray] = {}


def language_axes(encoder: Encoder, *, cache: Path | None = None) -> FloatArray:
    """Orthonormal axes [n, encoder size] between languages, the most telling first.

    There is one less than languages, and at most one per `NUMBERS_PER_AXIS` numbers. Phrases are
    encoded as wishes, once per encoder and process; `cache` (a folder) keeps their vectors.
    """
    key = (encoder.name, encoder.version)
    if key not in _known:
        said = phrases()
        most = min(len(said) - 1, encoder.size // NUMBERS_PER_AXIS)
        means = [_mean(encoder, texts, cache) for texts in said.values()]
        _known[key] = _axes(np.stack(means), most)
    return _known[key]


def without(axes: FloatArray, vectors: FloatArray) -> FloatArray:
    """Vectors [..., d] without what they have along `axes` [n, d]."""
    return np.asarray(vectors - (vectors @ axes.T) @ axes, np.float32)


@lru_cache
def phrases() -> dict[str, tuple[str, ...]]:
    """The same phrases in the same order, by language."""
    text = (files(__package__) / "phrases.tsv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(StringIO(text), delimiter="\t"))
    return {language: tuple(row[language] for row in rows) for language in rows[0]}


def _mean(encoder: Encoder, texts: tuple[str, ...], cache: Path | None) -> FloatArray:
    raw = encode_texts(encoder, texts, is_query=True, cache=cache)
    return np.asarray(raw.astype(np.float32).mean(axis=0), np.float32)


def _axes(means: FloatArray, most: int) -> FloatArray:
    """Principal axes of the means [languages, d] around their own mean; none of no length."""
    _, lengths, axes = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)
    kept = min(most, int((lengths > 1e-6 * max(float(lengths[0]), 1e-12)).sum()))
    return np.asarray(axes[:kept], np.float32)
