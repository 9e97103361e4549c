"""What the application must know beside the engine and the store."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from recprism.project.schema import Serve


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`limits` is the section `serve` of the project file.

    `is_local` says that the server is bound to the loopback interface alone, `directory` is the
    project (without one, artifacts cannot be listed and tasks not changed), `threads` how many
    answers one worker computes at once, `started` when the clock of the data began to run (of
    `time.monotonic`), so that all workers agree on it.
    """

    limits: Serve = field(default_factory=Serve)
    is_local: bool = True
    directory: Path | None = None
    started: float | None = None
    threads: int = field(default_factory=lambda: max(1, os.cpu_count() or 1))
