"""A second opinion where the encoder wavers: a model chooses among the likeliest labels.

In come the encoder's probabilities, out come better ones. Two decisions are worth knowing. The
model is asked only about texts that waver, and only to choose among the few best labels, so that
most texts cost nothing and no answer is ever a label that was not allowed. And its word weighs as
much as it has earned on texts whose label is known (`fit_weight`), which may be nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recprism.data.dataset import LongArray

Probabilities = NDArray[np.float64]
Flags = NDArray[np.bool_]
Answer = Sequence[float] | None

MARGIN = 0.3
"""A text is asked about when its best label is at most so much likelier than the second, or, of
several labels, when one lies so close to the cut."""
OPTIONS = 5
"""So many of the likeliest labels are offered."""
WEIGHTS = (0.1, 0.2, 0.3, 0.5, 1.0, 2.0)
SURE = 2.0
"""A weight is believed when the texts that it puts right outnumber those it spoils by so many
standard errors (about 2 % by chance)."""
_FLOOR = 0.01
"""No answer counts more than a hundred to one: a text that talks the model into a label must not
talk over the encoder."""


class Chooser(Protocol):
    """What a model must offer to choose between labels."""

    def choose(self, texts: Sequence[str], options: Sequence[Sequence[str]]) -> Sequence[Answer]:
        """How likely each of a text's `options` is its label: as many numbers, none negative.

        One answer per text, in their order; None where there is none.
        """
        ...


@dataclass(frozen=True)
class Opinions:
    """What a model said of some rows of probabilities [n, k].

    `rows` [m] were asked about, `options` [m, o] are the labels offered, likeliest first, `said`
    [m, o] their shares, which sum to 1; rows of NaN had no answer.
    """

    rows: LongArray
    options: LongArray
    said: Probabilities

    @property
    def answered(self) -> Flags:
        """Which of `rows` had an answer, [m]."""
        return np.asarray(~np.isnan(self.said).any(axis=1))

    def best(self, n: int) -> LongArray:
        """The label that the model finds likeliest for each of `n` texts, -1 without an answer."""
        out = np.full(n, -1, np.int64)
        kept = self.answered
        place = self.said[kept].argmax(axis=1)
        out[self.rows[kept]] = self.options[kept, place] if kept.any() else -1
        return out

    def weigh(
        self, probabilities: Probabilities, weight: float, *, apart: bool = False
    ) -> Probabilities:
        """Probabilities [n, k] with the model's opinion counting `weight` times.

        The offered labels share what they had together in the ratio of the encoder's probability
        times the model's to the power of `weight`. With `apart` each label has a probability of its
        own, whose log odds move by `weight` times how far the model's lies above the mean.
        """
        out = probabilities.copy()
        kept = self.answered
        rows, options = self.rows[kept][:, None], self.options[kept]
        if not weight or not len(rows):
            return out
        moved = weight * np.log(np.maximum(self.said[kept], _FLOOR))
        own = probabilities[rows, options]
        if apart:
            moved -= moved.mean(axis=1, keepdims=True)
            odds = own / np.maximum(1.0 - own, 1e-12) * np.exp(moved)
            out[rows, options] = odds / (1.0 + odds)
        else:
            both = own * np.exp(moved)
            total = np.maximum(both.sum(axis=1, keepdims=True), 1e-300)
            out[rows, options] = both / total * own.sum(axis=1, keepdims=True)
        return out


def wavering(
    probabilities: Probabilities, margin: float = MARGIN, cut: float | None = None
) -> LongArray:
    """Rows of `probabilities` [n, k] whose two best labels lie within `margin`, closest first.

    With `cut`, above which each label is given, a row wavers whose label nearest to it lies within
    half of `margin`.
    """
    if probabilities.shape[1] < 2:
        return np.zeros(0, np.int64)
    if cut is not None:
        lead = 2.0 * np.abs(probabilities - cut).min(axis=1)
    else:
        best = np.partition(probabilities, -2, axis=1)[:, -2:]
        lead = best[:, 1] - best[:, 0]
    rows = np.flatnonzero(lead <= margin)
    return rows[np.argsort(lead[rows], kind="stable")]


def ask(
    chooser: Chooser,
    probabilities: Probabilities,
    rows: LongArray,
    texts: Sequence[str],
    names: Sequence[str],
) -> Opinions:
    """What the model says of `rows` of `probabilities` [n, k]; `texts` [n] and `names` [k].

    An answer that is not as many finite numbers as options, or gives all of them nothing, is none.
    """
    options = np.argsort(-probabilities[rows], axis=1, kind="stable")[:, :OPTIONS]
    offered = [[names[label] for label in own] for own in options.tolist()]
    answers = chooser.choose([texts[row] for row in rows.tolist()], offered) if len(rows) else ()
    said = np.full(options.shape, np.nan)
    for place, answer in enumerate(answers):
        found = np.asarray(() if answer is None else answer, float)
        if found.shape == said[place].shape and np.isfinite(found).all() and found.max() > 0:
            said[place] = np.maximum(found, 0.0) / np.maximum(found, 0.0).sum()
    return Opinions(rows, options, said)


def choose_between(
    probabilities: Probabilities,
    texts: Sequence[str],
    names: Sequence[str],
    chooser: Chooser,
    *,
    weight: float = 1.0,
    margin: float = MARGIN,
    cut: float | None = None,
    most: int | None = None,
) -> tuple[Probabilities, LongArray]:
    """Probabilities [n, k] after asking, and the rows that were asked about, at most `most`.

    `cut` as in `wavering`, for labels each of which has a probability of its own.
    """
    asked = wavering(probabilities, margin, cut)[:most]
    opinions = ask(chooser, probabilities, asked, texts, names)
    return opinions.weigh(probabilities, weight, apart=cut is not None), asked


def fit_weight(
    opinions: Opinions,
    probabilities: Probabilities,
    targets: Flags,
    give: Callable[[Probabilities], Flags],
    *,
    apart: bool = False,
) -> float:
    """How far the model may be trusted: the weight that surely helps most, else 0.

    `probabilities` [n, k] must come from a model of labels that did not see these texts, `targets`
    [n, k] are their labels, `give` says which labels follow from probabilities. What counts is the
    overlap (Jaccard) of given and true labels of the texts that were asked about.
    """
    rows = opinions.rows
    truth = targets[rows]
    before = _overlap(give(probabilities)[rows], truth)
    found = (0.0, 0.0)
    for weight in WEIGHTS:
        weighed = opinions.weigh(probabilities, weight, apart=apart)
        gain = _overlap(give(weighed)[rows], truth) - before
        sure = float(gain.sum() - SURE * np.sqrt((gain**2).sum()))
        found = max(found, (sure, weight), key=lambda one: one[0])
    return found[1]


def _overlap(given: Flags, truth: Flags) -> Probabilities:
    both, either = (given & truth).sum(axis=1), (given | truth).sum(axis=1)
    return np.asarray(both / np.maximum(either, 1), np.float64)
