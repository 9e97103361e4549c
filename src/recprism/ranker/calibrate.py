"""From logits to probabilities: a monotone curve per task.

Platt scaling (Platt, 1999) below 1,000 positives, isotonic regression (Zadrozny & Elkan, 2002)
above, fitted on whole lists that the network did not learn from, users without outcomes included.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recprism.data.dataset import FloatArray

ENOUGH_FOR_ISOTONIC = 1000
PLATT_POINTS = 65
STEEPEST = 12.0
"""Logits of a Platt curve end here: further out, half-known numbers would round to 0 or 1."""


@dataclass(frozen=True)
class Calibration:
    """A curve through (`logit`, `probability`) points, both ascending; ends are held.

    `method` is `isotonic`, `platt`, or `none` when there was nothing to learn from.
    """

    logit: FloatArray
    probability: FloatArray
    method: str
    positives: int

    def __call__(self, logit: FloatArray) -> NDArray[np.float64]:
        """Probabilities [n], strictly inside (0, 1)."""
        return np.interp(logit, self.logit, self.probability)


def fit_calibration(
    logit: FloatArray, label: NDArray[np.int8], weight: FloatArray | None = None
) -> Calibration:
    """Fit on candidates [n]: their logits, whether they reached the goal, and how many candidates
    each one stands for (all 1 when absent)."""
    weight = np.ones(len(label), np.float32) if weight is None else weight
    positives = int(label.sum())
    if positives == 0 or positives == len(label):
        rate = (positives + 0.5) / (len(label) + 1)
        ends = np.array([-1.0, 1.0], np.float32)
        return Calibration(ends, np.full(2, rate, np.float32), "none", positives)
    if positives < ENOUGH_FOR_ISOTONIC:
        return _platt(logit, label, weight)
    from sklearn.isotonic import IsotonicRegression  # heavy, and only fitting needs it

    curve = IsotonicRegression(out_of_bounds="clip").fit(logit, label, weight)
    floor = 0.5 / len(label)
    points = np.asarray(curve.X_thresholds_, np.float32)
    values = np.clip(np.asarray(curve.y_thresholds_, np.float32), floor, 1 - floor)
    return Calibration(points, values, "isotonic", positives)


def _platt(logit: FloatArray, label: NDArray[np.int8], weight: FloatArray) -> Calibration:
    """A logistic curve, as points; a curve that falls is replaced by the mean rate."""
    from sklearn.linear_model import LogisticRegression

    column = logit.reshape(-1, 1).astype(np.float64)
    model = LogisticRegression(C=1e3).fit(column, label, sample_weight=weight)
    points = np.linspace(logit.min(), logit.max() + 1e-3, PLATT_POINTS)
    slope = max(0.0, float(model.coef_[0, 0]))
    z = slope * points + float(model.intercept_[0])
    if slope == 0.0:
        rate = float(np.average(label, weights=weight))
        z = np.full(len(points), np.log(rate / (1 - rate)))
    values = 1 / (1 + np.exp(-np.clip(z, -STEEPEST, STEEPEST)))
    return Calibration(
        points.astype(np.float32), values.astype(np.float32), "platt", int(label.sum())
    )
