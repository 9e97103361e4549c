"""One training of a project at a time: two would overwrite each other's prepared data."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recprism.errors import UsageError, watch_disk

LOCK = Path(".recprism") / "train.lock"


@contextmanager
def training_lock(project: Path) -> Iterator[None]:
    """Hold the project's lock of trainings; the kernel lets go of it when the process dies.

    Raises `UsageError` when another process, or another thread of this one, holds it.
    """
    file = project / LOCK
    with watch_disk(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
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
