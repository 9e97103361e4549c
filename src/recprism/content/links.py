"""What linked items link to, one pair per distinct edge."""

from __future__ import annotations

import numpy as np

from recprism.data.dataset import Catalog, Grouped, IntArray, KindTable, Links


def linked_items(kind: KindTable) -> Grouped:
    """What each item of `kind` links to, over all its links, without repeats.

    Row = the item's number within its kind, values = global item_idx in ascending order. Links that
    differ by offer are united over the offers of the item.
    """
    pairs = [_pairs(kind, links) for links in kind.links.values()]
    rows = np.concatenate([rows for rows, _ in pairs] or [np.zeros(0, np.int64)])
    targets = np.concatenate([targets for _, targets in pairs] or [np.zeros(0, np.int32)])
    keys = np.unique(rows.astype(np.int64) << 32 | targets)
    return Grouped.build(
        (keys >> 32).astype(np.int32), (keys & 0xFFFFFFFF).astype(np.int32), len(kind)
    )


def _pairs(kind: KindTable, links: Links) -> tuple[IntArray, IntArray]:
    counts = np.diff(links.targets.offsets)
    rows = np.arange(len(links.targets), dtype=np.int32)
    if links.by_offer and kind.offers is not None:
        rows = kind.offers.item.astype(np.int32)
    return np.repeat(rows, counts), links.targets.values


def with_links(catalog: Catalog) -> list[tuple[KindTable, Grouped]]:
    """The kinds that have links, each with `linked_items`."""
    return [(kind, linked_items(kind)) for kind in in_order(catalog) if kind.links]


def in_order(catalog: Catalog) -> list[KindTable]:
    """The kinds in the order of their items' global numbers."""
    return sorted(catalog.kinds.values(), key=lambda kind: kind.start)
