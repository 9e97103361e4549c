"""Which new or uncertain items take a place in a list, and with which probability.

In come calibrated probabilities and what was shown before, out go draws with their propensities.
Thompson sampling (Thompson, 1933): what is believed of an item is a Beta distribution, one number
is drawn from each, and the largest wins. The decision worth knowing: each place has a group of
items of its own to draw from. So nothing is drawn twice, and the probability to win is one integral
over the item's own distribution instead of a sum over all ways in which several places can be won.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betainccinv

from recprism.data.dataset import LongArray

Floats = NDArray[np.float64]
NODES: Final = 128
"""Points at which the probability to win is integrated."""
LEAST: Final = 1e-9
"""Probabilities are kept this far from 0 and 1, where a Beta distribution has no width."""


@dataclass(frozen=True)
class Beliefs:
    """What is believed of the probabilities of m items: Beta(`a`, `b`), both [m]."""

    a: Floats
    b: Floats

    def __len__(self) -> int:
        return len(self.a)

    def take(self, rows: LongArray) -> Beliefs:
        """The beliefs at `rows`."""
        return Beliefs(self.a[rows], self.b[rows])

    def deviation(self) -> Floats:
        """The standard deviation of each [m]: how much there is to learn."""
        total = self.a + self.b
        return np.asarray(np.sqrt(self.a * self.b / (total + 1.0)) / total)


@dataclass(frozen=True)
class Drawn:
    """A row that won a place, and the probability with which it would."""

    row: int
    propensity: float


def believe(probability: Floats, weight: Floats, shows: Floats, reached: Floats) -> Beliefs:
    """Beliefs from the ranker's `probability` [m] and `reached` of `shows` [m] since.

    The probability counts as much as `weight` [m] outcomes, and as many shows without one as make
    it the mean: so rare goals are no surer than frequent ones.
    """
    mean = np.clip(probability, LEAST, 1.0 - LEAST)
    missed = np.maximum(shows - reached, 0.0)
    return Beliefs(weight + reached, weight * (1.0 - mean) / mean + missed)


def most_uncertain(beliefs: Beliefs, n: int) -> LongArray:
    """The `n` rows with the most to learn, the most uncertain first, ties in order."""
    return np.argsort(-beliefs.deviation(), kind="stable")[:n]


def places(size: int, share: float) -> tuple[int, float]:
    """How many places of a list are always explored, and with which chance one more is.

    On average it is `share` of the `size` places.
    """
    wanted = size * share
    always = math.floor(wanted + LEAST)
    return always, max(0.0, wanted - always) if wanted - always > LEAST else 0.0


def draw(beliefs: Beliefs, always: int, chance: float, rng: np.random.Generator) -> list[Drawn]:
    """The rows that win the places: `always` many, and with `chance` one more.

    Place g has the rows g, g + n, g + 2n, ... of n places to draw from; there are never more
    places than rows. Propensities take in the chance that the last place is there at all.
    """
    n = min(len(beliefs), always + (chance > 0))
    found = []
    for place in range(n):
        odds = chance if place == always else 1.0
        rows = np.arange(place, len(beliefs), n)
        own = beliefs.take(rows)
        is_there = rng.random() < odds
        best = int(np.argmax(rng.beta(own.a, own.b)))
        if is_there:
            found.append(Drawn(int(rows[best]), odds * chance_to_win(own, best)))
    return found


def chance_to_win(beliefs: Beliefs, row: int) -> float:
    """The probability that a draw from one belief is larger than a draw from each other.

    The integral over u of the product of F_j(F_row^-1(u)) for all others j, by Gauss and Legendre.
    With 1 - u = v^4 the points lie densely where an unlikely winner wins.
    """
    if len(beliefs) == 1:
        return 1.0
    x = betainccinv(beliefs.a[row], beliefs.b[row], _TAIL)  # [nodes]
    others = np.delete(np.arange(len(beliefs)), row)
    below = betainc(beliefs.a[others, None], beliefs.b[others, None], x)  # [m - 1, nodes]
    return float(np.clip(_WEIGHT @ below.prod(axis=0), 0.0, 1.0))


def _points() -> tuple[Floats, Floats]:
    """Tail probabilities and their weights, [nodes] each."""
    node, weight = np.polynomial.legendre.leggauss(NODES)
    v = (node + 1.0) / 2.0
    return v**4, 2.0 * v**3 * weight


_TAIL, _WEIGHT = _points()
