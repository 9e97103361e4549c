"""The shrunk linear discriminant written plainly, one label and one text at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def plain_log_odds(
    names: Array, vectors: Array, label: NDArray[np.int64], shrink: float, asked: Array
) -> Array:
    """Log odds [len(asked), k] of a Gaussian per label with one covariance, up to a constant per
    text, before they are cooled."""
    k, size = names.shape
    center = np.mean(vectors, axis=0)
    means, priors, spread = [], [], np.zeros((size, size))
    for number in range(k):
        own = [v for v, known in zip(vectors, label, strict=True) if known == number]
        name = names[number] - np.mean(names, axis=0) + center
        means.append(np.sum([name, *own], axis=0) / (1 + len(own)))
        priors.append((len(own) + 1) / (len(vectors) + k))
        for vector in own:
            away = vector - np.mean(own, axis=0)
            spread += np.outer(away, away)
    even = np.mean(np.var(vectors, axis=0))
    freedom = len(vectors) - len(set(label.tolist()))
    covariance = (spread + shrink * even * np.eye(size)) / (freedom + shrink)
    inverse = np.linalg.inv(covariance)
    return np.array(
        [
            [np.log(priors[i]) - 0.5 * (x - means[i]) @ inverse @ (x - means[i]) for i in range(k)]
            for x in asked
        ]
    )
