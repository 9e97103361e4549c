"""Sequence: what a transformer that read the user's events expects next.

An item is a learned vector of its own, its content and its labels (`transformer.py`).
"""

from __future__ import annotations

from typing import ClassVar

from recprism.signals.interface import Setting
from recprism.signals.item_parts import ItemParts, label_table, wide_content
from recprism.signals.reading import ReadingSignal


class Sequence(ReadingSignal):
    """A transformer that knows items by themselves."""

    name: ClassVar[str] = "sequence"

    @classmethod
    def item_parts(cls, setting: Setting) -> ItemParts:
        config = setting.config.sequence
        return ItemParts(
            setting.catalog.n_items,
            config.with_ids,
            wide_content(setting.content) if config.with_content else None,
            label_table(setting) if config.with_labels else None,
        )
