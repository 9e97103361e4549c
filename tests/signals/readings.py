"""Small logs, pasts and a shop for the signals that read events with a transformer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from recprism.data.dataset import DAY_US
from recprism.project.schema import Sequence, Text
from recprism.signals.events import Histories
from recprism.signals.interface import Signal
from recprism.signals.reader import Past, Reader
from recprism.signals.transformer import Trained
from recprism.testing.signals import SignalShop, fit_signal, open_signal_shop

_SETTINGS: dict[str, Any] = {
    "use": True,
    "size": 16,
    "epochs": 3,
    "batch_size": 256,
    "max_length": 20,
    "windows": 2,
}
SMALL, SMALL_TEXT = Sequence(**_SETTINGS), Text(**_SETTINGS)
N_ITEMS = 12


@cache
def small_shop() -> SignalShop:
    """The shop whose project asks for transformers that train in a second."""
    shop = open_signal_shop()
    project = shop.ground.project
    signals = project.signals.model_copy(update={"sequence": SMALL, "text": SMALL_TEXT})
    project = project.model_copy(update={"signals": signals})
    return replace(shop, ground=replace(shop.ground, project=project))


@cache
def fitted_once(signal: type[Signal]) -> Signal:
    return fit_signal(signal, small_shop().snapshot, small_shop().log)


def ring(n_users: int = 60, length: int = 8, seed: int = 0) -> Histories:
    """Everybody walks around a ring of items: after item i comes item i + 1."""
    start = np.random.default_rng(seed).integers(N_ITEMS, size=n_users)
    item = (start[:, None] + np.arange(length)) % N_ITEMS
    return histories_from(item.astype(np.int32).tolist())


def histories_from(rows: list[list[int]], gap_us: int = DAY_US) -> Histories:
    sizes = [len(row) for row in rows]
    item = np.array([i for row in rows for i in row], np.int32)
    time = np.array([gap_us * t for row in rows for t in range(len(row))], np.int64)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return Histories(offsets, item, np.ones(len(item), np.int32), time)


def scores_after(trained: Trained, items: list[int], gap_us: int = DAY_US) -> np.ndarray:
    """Scores of all items after `items`, one gap apart, asked one gap later."""
    past = Past(
        np.array(items, np.int32),
        np.ones(len(items), np.int32),
        gap_us * np.arange(len(items), dtype=np.int64),
        gap_us * len(items),
    )
    reader = Reader(trained.arrays)
    return reader.scores(reader.users([past])[0])


CASES: Mapping[str, tuple[Histories, int]] = {
    "nobody": (histories_from([]), 3),
    "users without events": (histories_from([[], []]), 3),
    "one event each": (histories_from([[0], [1]]), 3),
    "two items": (histories_from([[0, 1, 0], [1, 0], [0]] * 4), 2),
    "a single item": (histories_from([[0, 0, 0]] * 4), 1),
    "all at one time": (histories_from([[0, 1, 2, 1]] * 12, gap_us=0), 3),
    "a past of 10,000 events": (histories_from([[i % 7 for i in range(10_000)]]), 7),
}
