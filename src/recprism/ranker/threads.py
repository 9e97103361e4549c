"""One thread for torch: why, and how."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread inside the block or decorated function, then as before.

    The ranker's batches are too small to share. On two cores that others used as well, a second
    thread cost four to six times the processor time and up to thirty times the wall time, because
    threads wait for each other by spinning. The weights came out the same.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
