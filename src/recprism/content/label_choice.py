"""A second opinion where the encoder wavers: a model chooses among the likeliest labels.

In come the encoder's probabilities, out come better ones. The decision worth knowing: the model is
asked only about texts whose two best labels lie close together, and only to choose among the few
best, so that most texts cost nothing and no answer is ever a label that was not allowed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

MARGIN = 0.3
"""A text is asked about when its best label is at most so much likelier than the second."""
OPTIONS = 5
"""So many of the likeliest labels are offered."""
_FLOOR = 1e-6


class Chooser(Protocol):
    """What a model must offer to choose between labels."""

    def choose(self, text: str, options: Sequence[str]) -> Sequence[float]:
        """How likely each of `options` is the label of `text`: as many numbers, none negative."""
        ...


def wavering(probabilities: NDArray[np.float64], margin: float = MARGIN) -> NDArray[np.int64]:
    """Rows of `probabilities` [n, k] whose two best labels lie within `margin`, closest first."""
    if probabilities.shape[1] < 2:
        return np.zeros(0, np.int64)
    best = np.partition(probabilities, -2, axis=1)[:, -2:]
    lead = best[:, 1] - best[:, 0]
    rows = np.flatnonzero(lead <= margin)
    return rows[np.argsort(lead[rows], kind="stable")]


def choose_between(
    probabilities: NDArray[np.float64],
    texts: Sequence[str],
    names: Sequence[str],
    chooser: Chooser,
    *,
    margin: float = MARGIN,
    most: int | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Probabilities [n, k] after asking, and the rows that were asked about, at most `most`.

    The offered labels share what they had together in the ratio of the encoder's probability times
    the model's. An answer that is not as many finite numbers as options, or gives all of them
    nothing, is ignored.
    """
    out = probabilities.copy()
    asked = wavering(probabilities, margin)[:most]
    for row in asked.tolist():
        options = np.argsort(-probabilities[row], kind="stable")[:OPTIONS]
        said = np.asarray(chooser.choose(texts[row], [names[label] for label in options]), float)
        if said.shape != options.shape or not np.isfinite(said).all() or said.max() <= 0:
            continue
        own = probabilities[row, options]
        both = own * np.maximum(said / said.sum(), _FLOOR)
        out[row, options] = both / both.sum() * own.sum()
    return out, asked
