"""What another way to choose items would have come to, from what was shown by chance.

In come shows with their rewards, the propensities with which they were shown, and the probabilities
with which the other policy would show the same items; out go means with 95 % intervals. Three
estimators, in the words of Dudik, Langford and Li (ICML 2011):

* inverse propensity (Horvitz and Thompson, 1952): mean of w r with w = target / propensity.
  Unbiased, and of large variance where the two policies differ much;
* self-normalized (Swaminathan and Joachims, NeurIPS 2015): sum of w r / sum of w. Slightly biased,
  far steadier, and never outside the range of the rewards;
* doubly robust: mean of q_target + w (r - q), with a model's expected rewards q. Right where either
  the propensities or the model are.

The decision worth knowing: all need `propensity` > 0 wherever the other policy shows something.
Items that this policy never showed say nothing, and no formula can tell. The interval is the normal
one, over users where they are named: shows of one user are not independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recprism.errors import UsageError

Floats = NDArray[np.float64]
WIDTH: Final = 1.959963984540054
"""Standard errors on each side of a 95 % interval."""


@dataclass(frozen=True)
class Estimate:
    """A mean reward per show, its 95 % interval, and how many shows and what effective number of
    them, (sum w)^2 / sum w^2 (Kish, 1965), it rests on."""

    value: float
    low: float
    high: float
    n: int
    effective_n: float

    def to_dict(self) -> dict[str, float | int]:
        """Keys `value low high n effective_n`."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        out: dict[str, float | int] = {key: round(one, 6) for key, one in numbers.items()}
        return out | {"n": self.n, "effective_n": round(self.effective_n, 1)}


def inverse_propensity(
    reward: ArrayLike,
    propensity: ArrayLike,
    target: ArrayLike,
    users: ArrayLike | None = None,
    *,
    most: float | None = None,
) -> Estimate:
    """The mean of w r over all shows [n]; `most` caps the weights, which biases it downwards.

    Raises `UsageError` for arrays of different lengths or none, and for propensities not in (0, 1].
    """
    rewards, weights = _checked(reward, propensity, target, most)
    weighted = weights * rewards
    return _estimate(float(weighted.mean()), weighted - weighted.mean(), weights, users)


def self_normalized(
    reward: ArrayLike,
    propensity: ArrayLike,
    target: ArrayLike,
    users: ArrayLike | None = None,
    *,
    most: float | None = None,
) -> Estimate:
    """The mean of rewards weighted by w; the interval is that of a ratio of means (delta method).

    Raises like `inverse_propensity`, and where the other policy shows nothing of what was shown.
    """
    rewards, weights = _checked(reward, propensity, target, most)
    if not weights.sum() > 0:
        raise UsageError("The other policy shows nothing of what was shown, which says nothing.")
    value = float(weights @ rewards / weights.sum())
    spread = weights * (rewards - value) / weights.mean()
    return _estimate(value, spread, weights, users)


def doubly_robust(
    reward: ArrayLike,
    propensity: ArrayLike,
    target: ArrayLike,
    expected: ArrayLike,
    expected_of_target: ArrayLike,
    users: ArrayLike | None = None,
    *,
    most: float | None = None,
) -> Estimate:
    """The mean of a model's expectation for the other policy, corrected by what was seen.

    `expected` [n] is the reward that the model expects of the item shown, `expected_of_target` [n]
    what it expects on average of the item that the other policy would show in the same place.
    Raises like `inverse_propensity`.
    """
    rewards, weights = _checked(reward, propensity, target, most)
    seen, others = (
        _like(rewards, expected, "expected"),
        _like(rewards, expected_of_target, "expected_of_target"),
    )
    each = others + weights * (rewards - seen)
    return _estimate(float(each.mean()), each - each.mean(), weights, users)


def _checked(
    reward: ArrayLike, propensity: ArrayLike, target: ArrayLike, most: float | None
) -> tuple[Floats, Floats]:
    """Rewards and weights, [n] each."""
    rewards = np.asarray(reward, np.float64)
    if not len(rewards):
        raise UsageError("There are no shows to estimate from.")
    logged = _like(rewards, propensity, "propensity")
    wanted = _like(rewards, target, "target")
    if not ((logged > 0) & (logged <= 1)).all():
        raise UsageError(
            f"`propensity` goes from {logged.min():g} to {logged.max():g}; what was shown had a "
            "probability above 0, and at most 1."
        )
    if not ((wanted >= 0) & (wanted <= 1)).all():
        raise UsageError(
            f"`target` goes from {wanted.min():g} to {wanted.max():g}; probabilities are needed."
        )
    weights = wanted / logged
    return rewards, weights if most is None else np.minimum(weights, most)


def _like(rewards: Floats, values: ArrayLike, name: str) -> Floats:
    array = np.asarray(values, np.float64)
    if array.shape != rewards.shape:
        raise UsageError(f"`{name}` has shape {array.shape}, the rewards have {rewards.shape}.")
    return array


def _estimate(value: float, spread: Floats, weights: Floats, users: ArrayLike | None) -> Estimate:
    """The estimate with the standard error of the mean of `spread` [n], which has the mean 0."""
    n = len(spread)
    sums = spread
    if users is not None:
        _, row = np.unique(np.asarray(users), return_inverse=True)
        sums = np.bincount(row, weights=spread).astype(np.float64)
    groups = len(sums)
    error = float("nan")
    if groups > 1:
        error = float(np.sqrt((sums**2).sum() * groups / (groups - 1)) / n)
    squares = float((weights**2).sum())
    effective = float(weights.sum()) ** 2 / squares if squares > 0 else 0.0
    return Estimate(value, value - WIDTH * error, value + WIDTH * error, n, effective)
