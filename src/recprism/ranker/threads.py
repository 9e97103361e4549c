"""One thread for torch: why, and how."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread inside the block or decorated function, then as before.

    The ranker's batches are too small to share: threads that wait for each other cost four times
    the processor time on two free cores, and thirty times the wall time when others want the cores
    too. One thread is deterministic besides.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
