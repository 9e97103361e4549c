"""Items grouped by what is written about them, for signals that cannot tell a group's items apart.

Of many items with the same words only a few, the most popular, may become candidates: a shortlist
of one text's items would leave no room for any other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recprism.content.vectors import Content
from recprism.data.dataset import FloatArray, Grouped, IntArray
from recprism.profiles.taste import Taste
from recprism.signals.taste import top

PER_CONTENT = 5
"""Of many items with the same words, so many (the most popular) may become candidates."""


@dataclass(frozen=True)
class Shelf:
    """Items of a range grouped by what is written about them.

    `sample` [groups] is one item of each group; `items` holds the most popular ones of each.
    """

    sample: IntArray
    items: Grouped

    def best(self, score: FloatArray, n: int) -> IntArray:
        """At most `n` items, those of the groups with the largest `score` [groups] first."""
        return self.items.gather(top(score, n).astype(np.int32))[0][:n]


class Shelves:
    """Shelves of a catalog: `group` [n_items] is each item's group, -1 for items left out."""

    def __init__(self, group: IntArray, taste: Taste) -> None:
        self._group, self._users = group, _users_of(taste)
        self._made: dict[tuple[int, int], Shelf] = {}

    def of(self, start: int, stop: int) -> Shelf:
        """The items in [start, stop), shelved once."""
        if (start, stop) not in self._made:
            self._made[start, stop] = _shelve(self._group, self._users, start, stop)
        return self._made[start, stop]


def group_by_content(vectors: Content) -> tuple[IntArray, FloatArray]:
    """Items with the same content: group of each item [n_items] (-1: none), vector per group.

    Groups are the content rows; where supplied vectors tell items of one row apart, each item is a
    group of its own.
    """
    sample = np.zeros(int(vectors.row.max(initial=-1)) + 1, np.int32)
    known = np.flatnonzero(vectors.row >= 0).astype(np.int32)
    sample[vectors.row[known]] = known
    alike = vectors.item[sample] if len(sample) else vectors.item[:0]
    if np.array_equal(alike[vectors.row[known]], vectors.item[known]) and not (
        vectors.item[vectors.row < 0].any()
    ):
        return vectors.row, alike
    alone = np.arange(len(vectors.item), dtype=np.int32)
    return np.where(vectors.item.any(axis=1), alone, -1).astype(np.int32), vectors.item


def _users_of(taste: Taste) -> FloatArray:
    """How popular each item is, [n_items], as far as the item factors tell."""
    users = np.zeros(len(taste.row), np.float32)
    users[taste.item] = 1.0 / taste.scale
    return users


def _shelve(group: IntArray, users: FloatArray, start: int, stop: int) -> Shelf:
    """Group [start, stop) by content; items without content are left out."""
    item = (start + np.flatnonzero(group[start:stop] >= 0)).astype(np.int32)
    item = item[np.lexsort((-users[item], group[item]))]
    of = group[item]
    first = np.flatnonzero(np.diff(of, prepend=-1))
    place = np.arange(len(item)) - np.repeat(first, np.diff(np.append(first, len(item))))
    kept = place < PER_CONTENT
    number = (np.cumsum(place == 0) - 1)[kept].astype(np.int32)
    return Shelf(item[first], Grouped.build(number, item[kept], len(first)))
