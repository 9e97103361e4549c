"""What a transformer may know of items beside their events, as arrays, without torch.

Shared by training and serving: an item that came after training is projected from its content by
the same numbers that training learned (`ContentMap`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recprism.content.vectors import Content
from recprism.data.dataset import FloatArray, IntArray
from recprism.signals.interface import Arrays, Setting
from recprism.signals.reader import kind_codes

TINY = 1e-6
SHORTEST = np.float32(1e-2)
"""Whitened vectors below this length (most have that of the root of their numbers) lie at the
center, where direction is rounding error: they stay short."""


@dataclass(frozen=True)
class ItemParts:
    """Of what an item is made, for all `n_items`.

    `with_ids`: every item of the events has a learned vector of its own. `content` [n_items, d] or
    None; zeros: unknown. `labels` [n_items, k] or None; codes, 0: none.
    """

    n_items: int
    with_ids: bool = True
    content: FloatArray | None = None
    labels: IntArray | None = None


def wide_content(content: Content) -> FloatArray:
    """Content of all items in all numbers there are, [n_items, any]; zeros where unknown."""
    text = np.zeros((len(content.row), content.wide.shape[1]), np.float32)
    known = content.row >= 0
    text[known] = content.wide[content.row[known]]
    supplied = ~content.short.basis.any(axis=0)  # numbers of `item` that come from no text
    return np.concatenate([text, content.item[:, supplied]], axis=1)


def label_table(setting: Setting) -> IntArray:
    """Kind and labels of all items as codes, [n_items, 1 + labels]; 0 where there is no label."""
    columns = [kind_codes(setting.catalog), *setting.labels.codes.values()]
    return np.stack(columns, axis=1).astype(np.int32)


@dataclass(frozen=True)
class Whitening:
    """Puts vectors [n, d] on their main axes, each of the same spread: `center` [d] is taken away,
    `axes` [d, k] turn and scale. Rows come out at a length of about 1, zeros stay zeros."""

    center: FloatArray
    axes: FloatArray

    @classmethod
    def fit(cls, content: FloatArray, size: int) -> Self:
        """At most `size` numbers, and no more than vary at all."""
        known = content[content.any(axis=1)]
        if not len(known):
            d = content.shape[1]
            return cls(np.zeros(d, np.float32), np.zeros((d, min(1, d)), np.float32))
        center = known.mean(axis=0)
        centered = known - center
        _, spread, axes = np.linalg.svd(centered.T @ centered / len(known), hermitian=True)
        n = min(size, max(1, int((spread > TINY * spread[0]).sum())))
        scaled = axes[:n].T / np.sqrt(spread[:n] + 1e-12)
        return cls(center.astype(np.float32), scaled.astype(np.float32))

    def apply(self, content: FloatArray) -> FloatArray:
        """The vectors `content` [n, d] as [n, k]."""
        known = content.any(axis=1)
        out = np.zeros((len(content), self.axes.shape[1]), np.float32)
        out[known] = (content[known] - self.center) @ self.axes
        length = np.linalg.norm(out, axis=1, keepdims=True)
        return np.asarray(out / np.maximum(length, SHORTEST))


@dataclass(frozen=True)
class ContentMap:
    """From raw content to the part of an item's vector that comes of it.

    On top of the whitening a straight line `weight` [k, size] and, where there is a hidden layer,
    what bends it: `inner` [k, hidden] and `outer` [hidden, size] (see `ContentLayers`).
    """

    whitening: Whitening
    weight: FloatArray
    inner: FloatArray
    outer: FloatArray

    def apply(self, content: FloatArray) -> FloatArray:
        """Vectors of items with `content` [n, d], shape [n, size]; zeros where it is unknown.

        The whole vector of an item of a transformer that knows content alone.
        """
        white = self.whitening.apply(content)
        return white @ self.weight + gelu(white @ self.inner) @ self.outer

    def to_arrays(self) -> Arrays:
        return {
            "content_center": self.whitening.center,
            "content_axes": self.whitening.axes,
            "content_weight": self.weight,
            "content_inner": self.inner,
            "content_outer": self.outer,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self | None:
        """What `to_arrays` gave; None where training knew no content."""
        if "content_weight" not in arrays:
            return None
        parts = [arrays[f"content_{name}"] for name in ("center", "axes")]
        layers = [arrays[f"content_{name}"] for name in ("weight", "inner", "outer")]
        return cls(Whitening(*parts), *layers)


def gelu(x: FloatArray) -> FloatArray:
    """The smooth step of Hendrycks and Gimpel (2016), by their formula with the tangent."""
    bent = np.tanh(np.float32(math.sqrt(2 / math.pi)) * (x + np.float32(0.044715) * x**3))
    return np.asarray(np.float32(0.5) * x * (1 + bent), np.float32)
