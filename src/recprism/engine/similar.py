"""The nearest items of one kind, by behavior and by content."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recprism.data.dataset import FloatArray, KindTable
from recprism.model import Model
from recprism.signals.taste import top


@dataclass(frozen=True)
class Near:
    """A near item: the mean of the two cosines, and each of them.

    A cosine unknown for the near item alone (None) counts as 0, one that is unknown for all is left
    out of the mean.
    """

    item: int
    score: float
    behavior: float | None
    content: float | None


def nearest_items(model: Model, kind: KindTable, item_idx: int, n: int) -> list[Near]:
    """At most `n` other items of `kind`, nearest first; items nothing is known of are left out."""
    behavior = _behavior(model, kind, item_idx)
    content = _cosines(model.content.item[kind.start : kind.stop], item_idx - kind.start)
    both = np.stack([behavior, content])
    known = np.isfinite(both)
    of_item = max(1, int(known.any(axis=1).sum()))
    score = np.where(known, both, 0.0).sum(axis=0) / of_item
    score[~known.any(axis=0)] = -np.inf
    score[item_idx - kind.start] = -np.inf
    best = top(score.astype(np.float32), n)
    return [
        Near(
            kind.start + int(place),
            float(score[place]),
            _number(behavior[place]),
            _number(content[place]),
        )
        for place in best
        if np.isfinite(score[place])
    ]


def _behavior(model: Model, kind: KindTable, item_idx: int) -> FloatArray:
    """Cosines of item factors with those of one item, NaN where there are none."""
    taste = model.snapshot.taste
    row = taste.row[kind.start : kind.stop]
    out = np.full(len(kind), np.nan, np.float32)
    own = int(taste.row[item_idx])
    if own < 0:
        return out
    length = np.linalg.norm(taste.factors, axis=1)
    cosine = taste.factors @ taste.factors[own] / np.maximum(1e-9, length * length[own])
    out[row >= 0] = cosine[row[row >= 0]]
    return out


def _cosines(vectors: FloatArray, row: int) -> FloatArray:
    """Cosines of unit vectors with one of them, NaN where a vector is zero."""
    out = np.asarray(vectors @ vectors[row], np.float32)
    out[~vectors.any(axis=1)] = np.nan
    if not vectors[row].any():
        out[:] = np.nan
    return out


def _number(value: np.floating) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None
