"""What an engine tells somebody who watches it, such as the metrics of a service."""

from __future__ import annotations

from time import perf_counter
from typing import Protocol


class Watch(Protocol):
    """Is told while answers are made; must be quick, and safe to share between threads."""

    def stage(self, name: str, seconds: float) -> None:
        """A stage of an answer (`wish`, `state`, `rank`, `choose`, `explain`) took so long."""
        ...

    def candidates(self, task: str, n: int) -> None:
        """So many items were ranked for a task."""
        ...


class StopWatch:
    """Times one answer, stage after stage; without a watch it does nothing."""

    def __init__(self, watch: Watch | None) -> None:
        self._watch, self._since = watch, perf_counter()

    def end(self, stage: str) -> None:
        """A stage ends here, and the next one begins."""
        if self._watch is not None:
            now = perf_counter()
            self._watch.stage(stage, now - self._since)
            self._since = now

    def ranked(self, task: str, n: int) -> None:
        if self._watch is not None:
            self._watch.candidates(task, n)
