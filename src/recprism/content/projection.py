"""Raw encoder vectors to shorter ones whose cosines spread.

Text vectors of E5 lie in a narrow cone: unrelated texts have a cosine around 0.75. Centering and
whitening (Su et al., 2021, "Whitening Sentence Representations") spreads them and shortens 384
numbers to the principal few.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recprism.data.dataset import FloatArray

SHRINK = 0.03
"""Share of the largest variance that is added to all before whitening, against noise."""


@dataclass(frozen=True)
class Projection:
    """x -> unit((x - mean) basis): `mean` [d] is the center, `basis` [d, size] the scaled axes."""

    mean: FloatArray
    basis: FloatArray

    @classmethod
    def fit(cls, raw: FloatArray, size: int) -> Projection:
        """The `size` largest axes of `raw` [n, d]; the identity when n < 4 x size, so that a small
        catalog is compared by the encoder's own cosine; no rows give a projection to zeros."""
        n, d = raw.shape
        if n == 0:
            return cls(np.zeros(d, np.float32), np.zeros((d, size), np.float32))
        if n < 4 * size or size >= d:
            return cls(np.zeros(d, np.float32), np.eye(d, dtype=np.float32))
        mean = raw.mean(axis=0)
        variance, axes = np.linalg.eigh(np.cov(raw - mean, rowvar=False))  # ascending
        variance, axes = variance[::-1][:size], axes[:, ::-1][:, :size]
        scale = 1.0 / np.sqrt(np.maximum(variance, 0.0) + SHRINK * variance[0] + 1e-12)
        return cls(mean, (axes * scale).astype(np.float32))

    def apply(self, raw: FloatArray) -> FloatArray:
        """`raw` [..., d] as unit vectors [..., size]."""
        return unit(np.asarray((raw - self.mean) @ self.basis, np.float32))


def unit(vectors: FloatArray) -> FloatArray:
    """`vectors` [..., size] scaled to length 1; zeros stay zeros."""
    scaled: FloatArray = vectors / np.maximum(
        np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12
    )
    return scaled
