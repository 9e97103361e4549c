"""Which lists are learned from when: batches that alternate between tasks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def count_batches(sizes: Mapping[str, int], batch_size: int) -> int:
    """Batches per epoch: enough to see each of `sizes` lists by task once."""
    return max(1, round(sum(sizes.values()) / batch_size))


def draw_batches(
    sizes: Mapping[str, int], count: int, batch_size: int, rng: np.random.Generator
) -> list[tuple[str, NDArray[np.int64]]]:
    """(task, lists) of one epoch of `count` batches.

    Tasks are drawn by the root of their number of lists, so that a small one is heard; its lists
    come around again, in the same order, when all of them were seen. `sizes` are not 0.
    """
    tasks = list(sizes)
    root = np.sqrt(np.array([sizes[task] for task in tasks]))
    drawn = rng.choice(len(tasks), size=count, p=root / root.sum())
    order = {task: rng.permutation(sizes[task]) for task in tasks}
    taken, batches = dict.fromkeys(tasks, 0), []
    for choice in drawn:
        task = tasks[choice]
        start = taken[task]
        rows = order[task][np.arange(start, start + batch_size) % sizes[task]]
        taken[task] = (start + batch_size) % sizes[task]
        batches.append((task, rows))
    return batches
