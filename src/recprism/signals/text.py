"""Text: what a transformer expects next that knows items by their content alone.

No item has a learned vector: all of an item is one projection of its frozen content vector, learned
for all items at once. So what was learned of one item holds for items with similar words, an item
that nobody touched is scored like any other, and one that came after training is scored from its
vector (`vectors_of`). It errs elsewhere than `sequence`, which is why the two together are worth
more than either (EnsRec, 2025).
"""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

import numpy as np

from recprism.data.dataset import FloatArray, IntArray
from recprism.signals.interface import Setting
from recprism.signals.item_parts import ContentMap, ItemParts, wide_content
from recprism.signals.reading import ReadingSignal
from recprism.signals.shelves import group_by_content


class Text(ReadingSignal):
    """A transformer that knows items by their content."""

    name: ClassVar[str] = "text"

    @classmethod
    def item_parts(cls, setting: Setting) -> ItemParts:
        return ItemParts(setting.catalog.n_items, False, wide_content(setting.content))

    def alike(self) -> IntArray:
        """Items of the same content, those without any among them."""
        return self._group

    @cached_property
    def _group(self) -> IntArray:
        return group_by_content(self.content)[0]

    def vectors_of(self, content: FloatArray) -> FloatArray:
        """Vectors to read and to score of items with `content`, known to training or not.

        `content` [n, d] is as `wide_content` gives it; out come [n, size], zeros for zeros.
        """
        learned = ContentMap.from_arrays(self.reader.arrays)
        if learned is None:
            return np.zeros((len(content), self.reader.size), np.float32)
        return learned.apply(content)
