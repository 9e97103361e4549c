"""From vectors to labels: one linear layer, however it was learned.

In come the `Meanings` of the labels and whatever texts carry one, out comes a `LabelModel`. How it
is learned depends on how many texts there are:

* none: the nearest meaning;
* a few: the mean of a label's meanings and its texts (prototypes: Snell et al., 2017);
* `HEAD_FROM` or more, and half as many as labels: a linear discriminant whose class means are
  shrunk towards the names, which logistic regression may sharpen (see `label_head`). Its
  probabilities are made honest on texts that were held out (Guo et al., 2017).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recprism.content.label_head import MOST_PAIRS, WAYS, Way, fit_head, held_out_scores
from recprism.content.projection import unit
from recprism.content.taxonomy import Meanings
from recprism.data.dataset import FloatArray, IntArray

Probabilities = NDArray[np.float64]
Basis = Literal["names", "examples", "head"]

UNKNOWN_LABEL = "unknown"
TEMPERATURE = 0.01
"""Chosen on 32 headlines in four languages, 10 texts of no topic and 202 grocery types: at a
threshold of 0.35 nine of ten headlines keep their right label, nine of ten others are unknown."""
NAME_WEIGHT = 1.0
"""A label's name counts as much as so many examples."""
HEAD_FROM = 32
"""With so many labelled texts, and half as many as there are labels, a head is learned."""
NEXT_BEST = 0.5
"""Several labels without a head: those at least so likely, compared with the best, are given."""
_SCALES = np.geomspace(0.05, 20.0, 121)
_NEWTON_STEPS, _RIDGE = 25, 1e-3
_CUTS = np.linspace(0.05, 0.95, 37)


class Guess(NamedTuple):
    """A label, or `unknown`, and how far it stands out: 0 is chance, 1 is beyond doubt.

    The confidence of `unknown` is that of the best label, which was too low.
    """

    name: str
    confidence: float


@dataclass(frozen=True)
class LabelModel:
    """Texts to probabilities of `names`: a softmax over `weights` [m, size] and `bias` [m].

    `owner` [m] is the label of each row; the rows of one label add up. `basis` says what it was
    learned from. With `is_multi` a text may have several labels, those with a probability of at
    least `cut`.
    """

    names: tuple[str, ...]
    weights: FloatArray
    bias: FloatArray
    owner: IntArray
    basis: Basis
    is_multi: bool = False
    cut: float = 0.5

    def probabilities(self, vectors: FloatArray) -> Probabilities:
        """[n, n_labels] for `vectors` [n, size]. Rows add up to 1 unless a head gives several."""
        odds = (vectors @ self.weights.T + self.bias).astype(np.float64)
        if self.basis == "head":  # one row per label, in order
            return sigmoid(odds) if self.is_multi else softmax(odds)
        by_row = softmax(odds)
        out = np.zeros((len(vectors), len(self.names)))
        np.add.at(out.T, self.owner, by_row.T)
        return out

    def confidence(self, probabilities: Probabilities) -> Probabilities:
        """How sure each label is, same shape: a head was calibrated, the others are measured
        against chance."""
        if self.basis == "head":
            return probabilities
        chance = 1.0 / len(self.names)
        return np.clip((probabilities - chance) / (1.0 - chance), 0.0, 1.0)

    def guess(self, vectors: FloatArray, unknown_below: float) -> list[Guess]:
        """The best label per row of `vectors` [n, size]; rows of zeros are unknown."""
        label, sure = self.best(vectors)
        return [
            Guess(self.names[row] if share >= unknown_below and share > 0 else UNKNOWN_LABEL, share)
            for row, share in zip(label.tolist(), sure.tolist(), strict=True)
        ]

    def best(self, vectors: FloatArray) -> tuple[IntArray, Probabilities]:
        """The best label [n] of each row of `vectors` and its confidence, 0 for rows of zeros."""
        return self.best_of(self.probabilities(vectors), vectors)

    def best_of(
        self, probabilities: Probabilities, vectors: FloatArray
    ) -> tuple[IntArray, Probabilities]:
        """As `best`, from `probabilities` [n, n_labels] that something else had its say in."""
        sure = self.confidence(probabilities)
        label = sure.argmax(axis=1)
        share = np.where(vectors.any(axis=1), sure[np.arange(len(sure)), label], 0.0)
        return label.astype(np.int32), share

    def guess_all(self, vectors: FloatArray, unknown_below: float) -> list[tuple[Guess, ...]]:
        """All labels per row, best first: with `is_multi` one or more, else exactly one."""
        first = self.guess(vectors, unknown_below)
        if not self.is_multi:
            return [(guess,) for guess in first]
        probabilities = self.probabilities(vectors)
        sure, given = self.confidence(probabilities), self.given(probabilities)
        out = []
        for row, best in enumerate(first):
            labels = np.flatnonzero(given[row])
            order = labels[np.argsort(-sure[row, labels], kind="stable")].tolist()
            rest = (Guess(self.names[label], float(sure[row, label])) for label in order)
            more = [guess for guess in rest if guess.name != best.name]
            out.append((best,) if best.name == UNKNOWN_LABEL else (best, *more))
        return out

    def given(self, probabilities: Probabilities) -> NDArray[np.bool_]:
        """Which labels a text gets whatever its confidence, same shape: always the best one."""
        return give(probabilities, self.cut if self.basis == "head" else None, self.is_multi)


def learn(
    meanings: Meanings,
    vectors: FloatArray,
    targets: NDArray[np.bool_],
    *,
    is_multi: bool = False,
    sharpness: float = 1.0,
) -> LabelModel:
    """The best model that the labelled texts allow.

    `vectors` [n, size] of texts and `targets` [n, n_labels], which labels each carries; n may be 0.
    Without a head, cosines are multiplied by `sharpness`, which is for vectors that differ more
    than the encoder's own.
    """
    if not is_enough(meanings, targets):
        found = _prototypes(meanings, vectors, targets, is_multi)
        return replace(found, weights=found.weights * np.float32(sharpness))
    names = meanings.of_labels()
    way, scores, rows = best_way(names, vectors, targets, is_multi=is_multi)
    scale, shift = calibrate(scores, targets[rows], is_multi)
    cut = _best_cut(sigmoid(scores * scale + shift), targets[rows]) if is_multi else 0.5
    fitted = fit_head(names, vectors, targets, way, is_multi=is_multi)
    return LabelModel(
        meanings.names,
        (fitted.weights * scale).astype(np.float32),
        (fitted.bias * scale + shift).astype(np.float32),
        np.arange(len(meanings.names), dtype=np.int32),
        "head",
        is_multi,
        cut,
    )


def is_enough(meanings: Meanings, targets: NDArray[np.bool_]) -> bool:
    """Whether texts with these `targets` [n, n_labels] teach a head."""
    enough = max(HEAD_FROM, len(meanings.names) // 2)
    return len(targets) >= enough and int(targets.any(axis=0).sum()) >= 2


def held_out(
    meanings: Meanings,
    vectors: FloatArray,
    targets: NDArray[np.bool_],
    *,
    is_multi: bool = False,
) -> tuple[Probabilities, NDArray[np.int64]]:
    """Calibrated probabilities of labelled texts by heads that did not see them, and their rows.

    Arguments as in `learn`, enough for a head (see `is_enough`).
    """
    _, scores, rows = best_way(meanings.of_labels(), vectors, targets, is_multi=is_multi)
    scale, shift = calibrate(scores, targets[rows], is_multi)
    odds = scores * scale + shift
    return (sigmoid(odds) if is_multi else softmax(odds)), rows


def best_way(
    names: FloatArray,
    vectors: FloatArray,
    targets: NDArray[np.bool_],
    *,
    is_multi: bool = False,
    all_folds: bool = False,
) -> tuple[Way, Probabilities, NDArray[np.int64]]:
    """The way to learn that gets most held-out texts right, their scores and their rows.

    Without `is_multi` right means the best label, with it the mean overlap of labels.
    """
    found: list[tuple[float, Way, Probabilities, NDArray[np.int64]]] = []
    for way in WAYS:
        if way.sharpen and (all_folds or targets.size > MOST_PAIRS):
            continue
        scores, rows = held_out_scores(
            names, vectors, targets, way, is_multi=is_multi, all_folds=all_folds
        )
        truth = targets[rows]
        if is_multi:
            scale, shift = calibrate(scores, truth, is_multi)
            likely = sigmoid(scores * scale + shift)
            worth = _overlap(give(likely, _best_cut(likely, truth), is_multi), truth)
        else:
            worth = float(truth[np.arange(len(rows)), scores.argmax(axis=1)].mean())
        found.append((worth, way, scores, rows))
    _, way, scores, rows = max(found, key=lambda one: one[0])
    return way, scores, rows


def _prototypes(
    meanings: Meanings, vectors: FloatArray, targets: NDArray[np.bool_], is_multi: bool
) -> LabelModel:
    rows = meanings.vectors.copy()
    if len(vectors):
        _, own = np.unique(meanings.owner, return_index=True)  # a label's own name comes first
        shown = targets.astype(np.float32).T @ vectors
        has = targets.any(axis=0)
        rows[own[has]] = NAME_WEIGHT * rows[own[has]] + shown[has]
    return LabelModel(
        meanings.names,
        (unit(rows) / TEMPERATURE).astype(np.float32),
        np.zeros(len(rows), np.float32),
        meanings.owner,
        "examples" if len(vectors) else "names",
        is_multi,
    )


def give(probabilities: Probabilities, cut: float | None, is_multi: bool) -> NDArray[np.bool_]:
    """The best label of each row and, where several are allowed, those above the cut.

    `cut` None stands for a share of the best label's probability.
    """
    out = np.zeros(probabilities.shape, np.bool_)
    if len(out):
        out[np.arange(len(out)), probabilities.argmax(axis=1)] = True
    if is_multi:
        least = NEXT_BEST * probabilities.max(axis=1, keepdims=True) if cut is None else cut
        out |= probabilities >= least
    return out


def calibrate(
    scores: Probabilities, targets: NDArray[np.bool_], is_multi: bool
) -> tuple[float, float]:
    """What to multiply held-out scores [n, k] with, and what to add, so that they can be believed.

    One label per text: nothing is added, and the probability of the best label tells how often it
    is right. The likelihood of all labels, the usual measure, is ruled by a few texts of labels
    that nothing was learned of, and makes all others too modest. Several labels: a logistic curve
    over all pairs of a text and a label (Platt, 1999).
    """
    if is_multi:
        return _logistic_curve(scores.ravel(), targets.ravel())

    def loss(scale: float) -> float:
        shares = softmax(scores * scale)
        best = shares.argmax(axis=1)
        rows = np.arange(len(best))
        sure = np.clip(shares[rows, best], 1e-6, 1.0 - 1e-6)
        return -float(np.where(targets[rows, best], np.log(sure), np.log1p(-sure)).mean())

    return float(min(_SCALES, key=loss)), 0.0


def _logistic_curve(score: Probabilities, truth: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and shift of a rising logistic curve through `score` [n], by Newton's method."""
    spread = float(score.std()) or 1.0  # steps overshoot where scores are large
    columns = np.stack([score / spread, np.ones_like(score)])
    at = np.zeros(2)
    for _ in range(_NEWTON_STEPS):
        likely = sigmoid(at @ columns)
        slope = columns @ (likely - truth) + _RIDGE * at
        curve = (columns * (likely * (1.0 - likely))) @ columns.T + _RIDGE * np.eye(2)
        at = at - np.linalg.solve(curve, slope)
    return max(float(at[0]) / spread, float(_SCALES[0])), float(at[1])


def _best_cut(probabilities: Probabilities, targets: NDArray[np.bool_]) -> float:
    """The cut with the largest mean overlap (Jaccard) of given and true labels."""

    return float(
        max(_CUTS, key=lambda cut: _overlap(give(probabilities, cut, is_multi=True), targets))
    )


def _overlap(given: NDArray[np.bool_], targets: NDArray[np.bool_]) -> float:
    """Mean share of the labels of a text, given or true, that are both."""
    both, either = (given & targets).sum(axis=1), (given | targets).sum(axis=1)
    return float((both / np.maximum(either, 1)).mean())


def softmax(odds: Probabilities) -> Probabilities:
    """Rows of `odds` [n, k] as shares."""
    if not odds.size:
        return odds
    shares: Probabilities = np.exp(odds - odds.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return shares


def sigmoid(odds: Probabilities) -> Probabilities:
    """Each of `odds` as a probability, without overflow."""
    out: Probabilities = 0.5 * (1.0 + np.tanh(0.5 * odds))
    return out
