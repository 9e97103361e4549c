"""Synthetic training lists with a rule that a ranker must find (needs torch, as training does)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from recprism.project.schema import Ranker as Config
from recprism.ranker.samples import Samples
from recprism.ranker.train import TaskData

N_NUMBERS = 5
CODES = {"color": 4, "shape": 3}
SIZE = 8
"""Candidates per list."""


def config(**changes: Any) -> Config:
    """A network small enough for tests."""
    small = {
        "hidden": [12, 6],
        "embedding_size": 2,
        "epochs": 8,
        "batch_size": 8,
        "learning_rate": 0.02,
        "patience": 6,
        "dropout": 0.0,
    }
    return Config.model_validate(small | changes)


def lists(n: int, *, seed: int, number: int | None = None, color: int | None = None) -> Samples:
    """`n` lists whose hit has the largest of one number, or is of one color; else at random."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(0, 1, (n, SIZE, N_NUMBERS)) ** 3
    codes = np.stack([rng.integers(0, size, (n, SIZE)) for size in CODES.values()], axis=2)
    label = np.zeros((n, SIZE), np.int8)
    if number is not None:
        label[np.arange(n), numbers[:, :, number].argmax(axis=1)] = 1
    elif color is not None:
        codes[:, :, 0] = (color + rng.integers(1, CODES["color"], (n, SIZE))) % CODES["color"]
        hit = rng.integers(0, SIZE, n)
        codes[np.arange(n), hit, 0] = color
        label[np.arange(n), hit] = 1
    else:
        label[np.arange(n), rng.integers(0, SIZE, n)] = 1
    return Samples(
        numbers=numbers.reshape(-1, N_NUMBERS).astype(np.float16),
        codes=codes.reshape(-1, len(CODES)).astype(np.int16),
        item=np.arange(n * SIZE, dtype=np.int32),
        label=label.reshape(-1),
        earlier=np.zeros((n * SIZE, 0), np.int8),
        weight=np.ones(n * SIZE, np.float32),
        offsets=np.arange(n + 1, dtype=np.int64) * SIZE,
        user=np.arange(n, dtype=np.int32),
        time=np.zeros(n, np.int64),
        hits=np.ones(n, np.int32),
    )


def task(n: int = 64, *, seed: int = 0, **rule: int) -> TaskData:
    """Lists to train and to validate on that follow one rule."""
    return TaskData(lists(n, seed=seed, **rule), lists(n, seed=seed + 1000, **rule))


def nothing() -> Samples:
    """No lists."""
    return lists(1, seed=0).between(1, 2)


def funnel_lists(n: int, *, seed: int) -> Samples:
    """Lists with a funnel of two actions before the goal.

    Who sees an item depends on its first number, who goes on from there on the second, and who
    reaches the goal from there on the third; most do not go on. Sampled at random, so a ranker must
    learn rates.
    """
    rng = np.random.default_rng(seed)
    flat = lists(n, seed=seed)
    numbers = rng.normal(0, 1, (n * SIZE, N_NUMBERS))
    rates = 1 / (1 + np.exp(-(2.0 * numbers[:, :3] - np.array([0.0, 0.5, 0.5]))))
    reached = np.cumprod(rng.random(rates.shape) < rates, axis=1).astype(np.int8)
    return replace(
        flat,
        numbers=numbers.astype(np.float16),
        label=reached[:, 2],
        earlier=reached[:, :2],
        hits=reached[:, 2].reshape(n, SIZE).sum(axis=1).astype(np.int32),
    )
