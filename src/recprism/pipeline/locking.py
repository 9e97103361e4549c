"""What of a project only one process does at a time: training, and writing artifacts anew."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recprism.errors import UsageError, watch_disk

TRAINING = Path(".recprism") / "train.lock"
CLEANING = Path(".recprism") / "erase.lock"


@contextmanager
def training_lock(project: Path) -> Iterator[None]:
    """Hold the project's lock of trainings; the kernel lets go of it when the process dies.

    Two trainings would overwrite each other's prepared data. Raises `UsageError` when another
    process, or another thread of this one, holds it.
    """
    descriptor = _opened(project / TRAINING)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            raise UsageError(
                f"Another training or evaluation of `{project}` is at work (process {holder}). "
                "Wait for it, or stop it."
            ) from None
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def cleaning_lock(project: Path) -> Iterator[None]:
    """Hold the lock of whoever writes artifacts anew; waits for it."""
    descriptor = _opened(project / CLEANING)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _opened(file: Path) -> int:
    with watch_disk(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        return os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
