"""Labels after a second opinion: who is asked, how much that counts, and where the two disagree.

In come what the encoder learned and a chooser, out comes a `Second`. How far the model is trusted
is measured first, on labelled texts that waver when a head that did not see them judges them:

* it surely helps: it is asked about wavering texts and weighs as much as helps most;
* it does not surely help: it is not asked about any other text;
* there are too few labelled texts to tell: it is asked, its word changes no label, and where it
  contradicts the encoder a person decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from recprism.content.label_choice import Chooser, Opinions, ask, fit_weight, wavering
from recprism.content.label_model import LabelModel, Probabilities, held_out, is_enough
from recprism.content.taxonomy import Meanings
from recprism.data.dataset import FloatArray, LongArray

TRUST_TEXTS = 64
"""So many labelled texts, drawn at random, show how far the model is to be trusted."""
FEWEST = 20
"""Fewer wavering labelled texts than this show nothing."""
MOST_ASKED = 500
"""At most so many texts per label are asked about, those that waver most."""
MOST_FOR_PEOPLE = 50
"""The same where the answers only show a person where to look."""
_SEED = 0

Measured = Literal["helps", "does not help", "too few labelled texts"]


@dataclass(frozen=True)
class Trust:
    """How far a model's opinion counts: `weight`, 0 where it does not surely help.

    `asked` labelled texts were asked about to find out, `answered` of them had an answer.
    """

    weight: float
    measured: Measured
    asked: int = 0
    answered: int = 0

    @property
    def is_heard(self) -> bool:
        """Whether other texts are worth asking about."""
        return self.measured != "does not help"


@dataclass(frozen=True)
class Second:
    """Probabilities [n, k] of texts after asking, `opinion` [n] the label that the model chose (-1
    where it was not asked or did not answer), and how many were `asked` and `answered`."""

    probabilities: Probabilities
    opinion: LongArray
    trust: Trust
    asked: int
    answered: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: how far the model was trusted, what was asked, and what had no answer."""
        asked = self.trust.asked + self.asked
        return {
            "weight": self.trust.weight,
            "measured": self.trust.measured,
            "asked": asked,
            "unanswered": asked - self.trust.answered - self.answered,
        }


def measure_trust(
    meanings: Meanings,
    vectors: FloatArray,
    targets: NDArray[np.bool_],
    texts: Sequence[str],
    model: LabelModel,
    chooser: Chooser,
) -> Trust:
    """How far `chooser` may be trusted beside `model`, which was learned from these texts.

    `vectors` [n, size] and `targets` [n, k] of `texts` [n], as in `learn`.
    """
    if model.basis != "head" or not is_enough(meanings, targets):
        return Trust(0.0, "too few labelled texts")
    shares, rows = held_out(meanings, vectors, targets, is_multi=model.is_multi)
    truth, cut = targets[rows], model.cut if model.is_multi else None
    doubtful = wavering(shares, cut=cut)
    picked = np.random.default_rng(_SEED).permutation(doubtful)[:TRUST_TEXTS]
    if len(picked) < FEWEST:
        return Trust(0.0, "too few labelled texts")
    said = ask(chooser, shares, picked, [texts[row] for row in rows.tolist()], model.names)
    answered = int(said.answered.sum())
    if answered < FEWEST:
        return Trust(0.0, "too few labelled texts", len(picked), answered)
    weight = fit_weight(said, shares, truth, model.given, apart=model.is_multi)
    return Trust(weight, "helps" if weight else "does not help", len(picked), answered)


def consult(
    model: LabelModel,
    vectors: FloatArray,
    texts: Sequence[str],
    chooser: Chooser | None,
    trust: Trust,
) -> Second:
    """Labels of unlabelled `texts` [n] with `vectors` [n, size] after asking as far as is worth it.

    Without a chooser, or where it does not help, they are the encoder's.
    """
    shares = model.probabilities(vectors)
    opinion = np.full(len(vectors), -1, np.int64)
    if chooser is None or not trust.is_heard:
        return Second(shares, opinion, trust, 0, 0)
    apart = model.is_multi and model.basis == "head"
    rows = wavering(shares, cut=model.cut if apart else None)
    rows = rows[vectors[rows].any(axis=1)][: MOST_ASKED if trust.weight else MOST_FOR_PEOPLE]
    said: Opinions = ask(chooser, shares, rows, texts, model.names)
    return Second(
        said.weigh(shares, trust.weight, apart=apart),
        said.best(len(vectors)),
        trust,
        len(rows),
        int(said.answered.sum()),
    )
