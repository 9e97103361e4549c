"""Several lists in one answer without showing anything twice.

In come the candidates of each task in order of preference, out go the picks of each. An item that
two lists want goes to the list in which its calibrated probability is higher, and the other list
moves on to its next candidate: deferred acceptance (Gale and Shapley, 1962) with lists proposing to
items. So nothing is given up for a list that would not have shown it, and no list stays short while
it has candidates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recprism.data.dataset import IntArray, KindTable

Place = tuple[int, int]
"""A list (its number) and a position in it."""


@dataclass(frozen=True)
class TaskList:
    """One task's candidates in order of preference, arrays of one length n.

    `item` are global item_idx, `underlying` what an item stands for (the product of an ad, else the
    item itself), `probability` the calibrated probability of the goal (NaN without a goal: such a
    list gives way to one that has a goal).
    """

    task: str
    item: IntArray
    underlying: IntArray
    score: NDArray[np.floating]
    probability: NDArray[np.floating]


@dataclass(frozen=True)
class Picks:
    """What one list shows: `positions` into its `TaskList`, in order of score.

    `also[i]` names the task that wanted the same underlying item and gave way, or is None.
    """

    task: str
    positions: list[int]
    also: list[str | None]


def underlying_items(kind: KindTable, link: str | None) -> IntArray:
    """What each item of a kind stands for, as global item_idx [len(kind)].

    That is what `link` leads to where it leads to exactly one item (an ad and its product), else
    the item itself; links that differ by offer are left alone.
    """
    own = np.arange(kind.start, kind.stop, dtype=np.int32)
    if link is None or kind.links[link].by_offer:
        return own
    targets = kind.links[link].targets
    single = np.flatnonzero(np.diff(targets.offsets) == 1)
    own[single] = targets.values[targets.offsets[single]]
    return own


def merge(lists: Sequence[TaskList], sizes: Sequence[int]) -> list[Picks]:
    """The picks of each list, at most `sizes[i]` for list i; no underlying item twice.

    Ties of probability go to the earlier list. A list is shorter than its size only when its
    candidates are used up.
    """
    wanted = [ranked.underlying.tolist() for ranked in lists]
    odds = [
        [-math.inf if math.isnan(p) else p for p in ranked.probability.tolist()] for ranked in lists
    ]
    held: dict[int, Place] = {}
    lost: dict[int, list[tuple[float, int]]] = {}  # who gave way
    following = [0] * len(lists)
    to_fill = [index for index, size in enumerate(sizes) for _ in range(size)]
    while to_fill:
        proposer = to_fill.pop()
        if following[proposer] >= len(wanted[proposer]):
            continue
        position = following[proposer]
        following[proposer] += 1
        key = wanted[proposer][position]
        winner = (proposer, position)
        if key in held:
            winner, loser = _contest(odds, held[key], (proposer, position))
            lost.setdefault(key, []).append(_rank(odds, loser))
            to_fill.append(loser[0])
        held[key] = winner
    return _picks(lists, held, lost)


def _contest(odds: list[list[float]], holder: Place, newcomer: Place) -> tuple[Place, Place]:
    """(winner, loser) of an item that `holder` has and `newcomer` asks for."""
    if holder[0] == newcomer[0] or _rank(odds, holder) < _rank(odds, newcomer):
        return holder, newcomer
    return newcomer, holder


def _rank(odds: list[list[float]], place: Place) -> tuple[float, int]:
    """Sorts first the list with the higher probability, then the earlier one."""
    return -odds[place[0]][place[1]], place[0]


def _picks(
    lists: Sequence[TaskList],
    held: dict[int, Place],
    lost: dict[int, list[tuple[float, int]]],
) -> list[Picks]:
    shown: list[list[tuple[float, int, str | None]]] = [[] for _ in lists]
    for key, (index, position) in held.items():
        others = [rank for rank in lost.get(key, []) if rank[1] != index]
        also = lists[min(others)[1]].task if others else None
        shown[index].append((-float(lists[index].score[position]), position, also))
    for entries in shown:
        entries.sort(key=lambda entry: entry[:2])
    return [
        Picks(ranked.task, [entry[1] for entry in entries], [entry[2] for entry in entries])
        for ranked, entries in zip(lists, shown, strict=True)
    ]
