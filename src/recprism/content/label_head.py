"""The head over text vectors: a shrunk linear discriminant, sharpened by logistic regression.

In come vectors and the labels they carry, out come weights and a bias per label. The discriminant
(Fisher, 1936; shrinkage after Friedman, 1989) is closed form and needs few texts: every class mean
counts the label's name as one text, the common covariance some texts of equal variance everywhere.
Logistic regression in its whitened space starts there and is pulled back to it. How much is shrunk
and whether it is sharpened at all, texts decide that were held out.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recprism.data.dataset import FloatArray, LongArray


class Way(NamedTuple):
    """One way to learn a head: the covariance counts `shrink` texts that vary alike in all
    directions; `sharpen` adds logistic regression."""

    shrink: float
    sharpen: bool


WAYS = (Way(1000.0, sharpen=False), Way(100.0, sharpen=False), Way(1000.0, sharpen=True))
"""Long texts and few of them want the first, many fine labels the second, broad ones the third."""
COOLING = 8.0
"""The discriminant takes 384 numbers for independent; its log odds are divided by this."""
PULL = 30.0
"""How strongly logistic regression is held to the discriminant."""
STEPS = 25
"""At most so many steps of logistic regression."""
MOST_PAIRS = 1_000_000
"""Beyond so many texts x labels nothing is sharpened (a step takes 0.1 s there)."""
FOLDS = 5
CHEAP_PAIRS = 100_000
"""Up to so many texts x labels all folds are held out in turn, beyond only the first."""

Targets = NDArray[np.bool_]
Scores = NDArray[np.float64]


class Fitted(NamedTuple):
    """`weights` [k, size] and `bias` [k] of the log odds."""

    weights: FloatArray
    bias: FloatArray


def fit_head(
    names: FloatArray,
    vectors: FloatArray,
    targets: Targets,
    way: Way,
    *,
    is_multi: bool = False,
) -> Fitted:
    """Learn from `vectors` [n, size] with `targets` [n, k]; `names` [k, size] are the labels' own.

    One label per text gives log odds for a softmax, `is_multi` log odds for each label alone.
    Labels without a text are known by their name.
    """
    center = vectors.mean(axis=0)
    means = _class_means(names, vectors, targets)
    basis = _whitening(vectors, targets, way.shrink)
    start = (means - center) @ basis
    share = (targets.sum(axis=0) + 1.0) / (len(vectors) + targets.shape[1])
    if is_multi:
        ratio = np.minimum(share, 0.9)[:, None]  # those without the label lie opposite
        other = -ratio / (1.0 - ratio) * start
        rows, square = start - other, (start**2 - other**2).sum(axis=1)
        bias = np.log(ratio[:, 0] / (1.0 - ratio[:, 0])) - 0.5 * square
    else:
        rows, bias = start, np.log(share) - 0.5 * (start**2).sum(axis=1)
    rows, bias = rows / COOLING, bias / COOLING
    if way.sharpen:
        rows, bias = _sharpen((vectors - center) @ basis, targets, rows, bias, is_multi)
    weights = rows @ basis.T
    return Fitted(weights.astype(np.float32), (bias - weights @ center).astype(np.float32))


def held_out_scores(
    names: FloatArray,
    vectors: FloatArray,
    targets: Targets,
    way: Way,
    *,
    is_multi: bool = False,
    all_folds: bool = False,
) -> tuple[Scores, LongArray]:
    """Log odds of texts by heads that did not see them, [rows, k], and which rows those are.

    Texts are dealt to folds at random, with a fixed seed. `all_folds` holds out every text.
    """
    dealt = np.random.default_rng(0).permutation(len(vectors)) % FOLDS
    cheap = all_folds or targets.size <= CHEAP_PAIRS
    scores, rows = [], []
    for fold in range(FOLDS if cheap else 1):
        out, kept = np.flatnonzero(dealt == fold), dealt != fold
        weights, bias = fit_head(names, vectors[kept], targets[kept], way, is_multi=is_multi)
        scores.append((vectors[out] @ weights.T + bias).astype(np.float64))
        rows.append(out)
    return np.concatenate(scores), np.concatenate(rows)


def _class_means(names: FloatArray, vectors: FloatArray, targets: Targets) -> FloatArray:
    """Means [k, size] of the texts of each label and its name, which counts as one text.

    Names are first moved to where the texts are: the encoder puts short words elsewhere.
    """
    moved = names - names.mean(axis=0) + vectors.mean(axis=0)
    counts = targets.sum(axis=0)[:, None]
    summed = targets.astype(np.float32).T @ vectors
    return np.asarray((moved + summed) / (1.0 + counts), np.float32)


def _whitening(vectors: FloatArray, targets: Targets, shrink: float) -> FloatArray:
    """Axes [size, size] in which texts of one label vary by 1 in every direction."""
    shares = targets / np.maximum(targets.sum(axis=1, keepdims=True), 1)
    counts = targets.sum(axis=0)
    own = (targets.astype(np.float32).T @ vectors) / np.maximum(counts, 1)[:, None]
    left = vectors - shares.astype(np.float32) @ own.astype(np.float32)
    spread = np.var(vectors, axis=0).mean() + 1e-12
    size = vectors.shape[1]
    freedom = max(1, len(vectors) - int((counts > 0).sum()))
    within = (left.T @ left + shrink * spread * np.eye(size)) / (freedom + shrink)
    variance, axes = np.linalg.eigh(within)
    return np.asarray(axes / np.sqrt(variance), np.float32)


def _sharpen(
    white: FloatArray, targets: Targets, rows: FloatArray, bias: FloatArray, is_multi: bool
) -> tuple[FloatArray, FloatArray]:
    """Logistic regression on whitened vectors [n, size], pulled to `rows` [k, size] and `bias`."""
    from scipy.optimize import minimize

    start = np.concatenate([rows.ravel(), bias]).astype(np.float64)
    truth, split = targets.astype(np.float32), rows.size

    def loss(at: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        now, shift = at[:split].reshape(rows.shape).astype(np.float32), at[split:]
        odds = white @ now.T + shift.astype(np.float32)
        value, error = _logistic(odds, truth, is_multi)
        slope = np.concatenate([(error.T @ white).ravel(), error.sum(axis=0)])
        away = at - start
        return value + 0.5 * PULL * float(away @ away), slope + PULL * away

    found: Any = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    return (
        found.x[:split].reshape(rows.shape).astype(np.float32),
        found.x[split:].astype(np.float32),
    )


def _logistic(odds: FloatArray, truth: FloatArray, is_multi: bool) -> tuple[float, FloatArray]:
    """The sum of losses and its slope by `odds` [n, k]."""
    if is_multi:
        value = float((np.logaddexp(0.0, odds) - odds * truth).sum())
        return value, 0.5 * (1.0 + np.tanh(0.5 * odds)) - truth
    top = odds.max(axis=1, keepdims=True)
    shares = np.exp(odds - top)
    total = shares.sum(axis=1, keepdims=True)
    value = float((np.log(total) + top).sum() - (odds * truth).sum())
    return value, shares / total - truth
