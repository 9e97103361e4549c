"""Frequency caps: how often one item may be shown to one user.

A mask over candidates in the order in which they would be shown. How often an item was shown
before, in the cap's period, comes from outside (a store); without it, one answer is all there is.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from recprism.data.dataset import BoolArray, IntArray
from recprism.project.schema import Cap


def within_cap(
    item: IntArray, cap: Cap | None, earlier: Mapping[int, int] | None = None
) -> BoolArray:
    """Which of `item` [n] (item_idx, in the order of showing) the cap lets through, [n].

    `earlier` counts the shows of each item in the running period (missing: 0). The shows let
    through, with the earlier ones, never exceed `cap.shows` for any item that was below it.
    """
    if cap is None:
        return np.ones(len(item), bool)
    shown = dict(earlier or {})
    keep = np.zeros(len(item), bool)
    for position, one in enumerate(item.tolist()):
        if shown.get(one, 0) < cap.shows:
            shown[one] = shown.get(one, 0) + 1
            keep[position] = True
    return keep
