"""What a person should look at: labels that texts speak against, and texts that fit two labels.

In come the vectors of labelled and unlabelled texts, out come `Doubt`s, the worst first. A given
label is judged by heads that never saw its text (as in confident learning: Northcutt et al., 2021):
it is doubted when another label is likelier by `LEAD`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recprism.content.label_choice import wavering
from recprism.content.label_model import HEAD_FROM, LabelModel, best_way, calibrate, softmax
from recprism.content.taxonomy import Meanings
from recprism.data.dataset import FloatArray, IntArray

LEAD = 0.5
"""So much likelier than the given label another one must be. (The average probability of a label as
its threshold, which the paper takes, misses half of the mistakes where labels are easy to tell.)"""


@dataclass(frozen=True)
class Doubt:
    """Text number `row` may better be `suggested`, with a probability of `confidence`.

    `given` is the label it carries, with its probability, or the second best of a text without one.
    """

    row: int
    suggested: str
    confidence: float
    given: str
    given_confidence: float


def disagreements(meanings: Meanings, vectors: FloatArray, label: IntArray) -> list[Doubt]:
    """Given labels that a head learned from the other texts finds unlikely, the worst first.

    `vectors` [n, size] of texts and the `label` [n] of each. Fewer than `HEAD_FROM` texts, or texts
    of one label only, give none: there is nothing to judge by.
    """
    if len(vectors) < HEAD_FROM or len(np.unique(label)) < 2:
        return []
    targets = label[:, None] == np.arange(len(meanings.names))
    _, scores, rows = best_way(meanings.of_labels(), vectors, targets, all_folds=True)
    shares = np.empty_like(scores)
    shares[rows] = softmax(scores * calibrate(scores, targets[rows], is_multi=False)[0])
    return _doubts(meanings.names, shares, label)


def _doubts(names: tuple[str, ...], shares: NDArray[np.float64], label: IntArray) -> list[Doubt]:
    n = np.arange(len(label))
    best, own = shares.argmax(axis=1), shares[n, label]
    lead = shares[n, best] - own
    found = np.flatnonzero(lead >= LEAD)
    ordered = found[np.argsort(-lead[found], kind="stable")].tolist()
    return [
        Doubt(
            row,
            names[best[row]],
            float(shares[row, best[row]]),
            names[label[row]],
            float(own[row]),
        )
        for row in ordered
    ]


def undecided(model: LabelModel, vectors: FloatArray) -> list[Doubt]:
    """Texts without a label whose two best labels lie close together, the closest first."""
    shares = model.probabilities(vectors)
    out = []
    for row in wavering(shares).tolist():
        first, second = np.argsort(-shares[row], kind="stable")[:2].tolist()
        out.append(
            Doubt(
                row,
                model.names[first],
                float(shares[row, first]),
                model.names[second],
                float(shares[row, second]),
            )
        )
    return out
