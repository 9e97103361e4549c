"""How much of an item's score each signal carries."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence


def normalize_shares(drops: Sequence[float]) -> list[float]:
    """Shares that sum to one, from the drops of the score when each signal is taken away.

    A signal whose absence raises the score has no share. When no drop is positive the shares are
    equal; not-a-number counts as no drop. Empty for no signals.
    """
    floored = [0.0 if math.isnan(d) else min(max(d, 0.0), sys.float_info.max) for d in drops]
    largest = max(floored, default=0.0)
    if largest == 0.0:
        return [1.0 / len(floored) for _ in floored]
    scaled = [drop / largest for drop in floored]  # first, so that the sum cannot overflow
    total = math.fsum(scaled)
    return [drop / total for drop in scaled]
