"""Named places for ads: who fits where, and who gets which.

In come the task's `slots`, the placements of the ads' offers and the expected responses; out goes a
slot for each ad, or none. Slots never change the order of a list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from recprism.data.dataset import BoolArray
from recprism.errors import UnknownName
from recprism.lists.effects import N_CODES, SlotEffects
from recprism.project.schema import Not, Slot

NO_SLOT = -1
NO_PLACEMENT = ""
"""The value of a missing placement: nowhere, so it is no `{not: ...}` either."""


@dataclass(frozen=True)
class SlotRules:
    """A task's slots compiled against the placement columns of a kind.

    `names` [S], `counts` [S]; `allowed[s]` maps a column number to the codes that fit slot s
    (bool [256]); a slot without conditions fits every ad.
    """

    names: tuple[str, ...]
    counts: tuple[int, ...]
    columns: tuple[str, ...]
    allowed: tuple[Mapping[int, BoolArray], ...]

    def __len__(self) -> int:
        return len(self.names)

    def fits(self, placement: NDArray[np.uint8]) -> BoolArray:
        """Which ads fit which slots, [n, S], from their placement codes [n, columns]."""
        out = np.ones((len(placement), len(self)), bool)
        for slot, conditions in enumerate(self.allowed):
            for column, codes in conditions.items():
                out[:, slot] &= codes[placement[:, column]]
        return out

    def effects(self, placement: NDArray[np.uint8], effects: SlotEffects) -> NDArray[np.float64]:
        """The factor on each ad's response in each slot, [n, S].

        It is the product of the learned effects of the ad's own placements in the columns that the
        slot is about; 1 for a slot without conditions.
        """
        out = np.ones((len(placement), len(self)))
        for slot, conditions in enumerate(self.allowed):
            for column in conditions:
                out[:, slot] *= effects.factors(self.columns[column])[placement[:, column]]
        return out


def compile_slots(
    slots: Mapping[str, Slot], placement_values: Mapping[str, Sequence[str]]
) -> SlotRules:
    """Compile `Task.slots`; the order of `placement_values` is the order of placement columns.

    A value that no offer has fits nothing. Raises `UnknownName` for a column that is no placement.
    """
    columns = tuple(placement_values)
    allowed: list[dict[int, BoolArray]] = []
    for slot in slots.values():
        conditions: dict[int, BoolArray] = {}
        for column, wanted in slot.when.items():
            if column not in placement_values:
                raise UnknownName("placement column", column, columns)
            conditions[columns.index(column)] = _codes(wanted, placement_values[column])
        allowed.append(conditions)
    counts = tuple(slot.count for slot in slots.values())
    return SlotRules(tuple(slots), counts, columns, tuple(allowed))


def _codes(wanted: list[str] | Not, values: Sequence[str]) -> BoolArray:
    fitting = np.zeros(N_CODES, bool)
    for code, value in enumerate(values):
        if isinstance(wanted, Not):
            fitting[code] = value not in (wanted.not_, NO_PLACEMENT)
        else:
            fitting[code] = value in wanted
    return fitting


def assign_slots(
    probability: ArrayLike, fits: BoolArray, effect: ArrayLike, counts: Sequence[int]
) -> list[int]:
    """The slot of each ad, -1 (`NO_SLOT`) for none, [n].

    Maximizes the sum of probability x effect over the (ad, slot) pairs made, with at most
    `counts[s]` ads in slot s and never an ad in a slot that it does not fit (`fits` [n, S]).
    `probability` [n] lies in [0, 1]; `effect` is [S] or [n, S] and positive. Among equal sums
    more ads are placed. Solved exactly (`scipy.optimize.linear_sum_assignment`).
    """
    n, n_slots = fits.shape
    places = np.repeat(np.arange(n_slots), np.minimum(np.asarray(counts, np.int64), n))
    if n == 0 or len(places) == 0:
        return [NO_SLOT] * n
    response = np.asarray(probability, np.float64)[:, None] * np.asarray(effect, np.float64)
    # A misfit is worth nothing, the same as no slot; a fitting pair always a little more.
    worth = np.where(fits, np.maximum(response, 1e-12), 0.0)[:, places]
    chosen = [NO_SLOT] * n
    for ad, place in zip(*linear_sum_assignment(worth, maximize=True), strict=True):
        if fits[ad, places[place]]:
            chosen[ad] = int(places[place])
    return chosen
