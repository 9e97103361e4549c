"""One progress display for everything that takes longer than two seconds, on standard error."""

from __future__ import annotations

import sys
from time import monotonic
from types import TracebackType
from typing import Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import (
    Progress as Bars,
)

from recprism.cli.faults import say

WORTH_TELLING_S: Final = 2.0


class Progress:
    """Called as `progress(stage, done, total)`; a new stage ends the one before.

    On a terminal each stage that lasts is a bar with the remaining time; a `total` of 1 or less
    means that nobody knows how much there is. Elsewhere a stage that took longer than two seconds
    leaves one line. Use it as a context manager, so that the display goes away.
    """

    def __init__(self) -> None:
        self._stage: str | None = None
        self._started = 0.0
        self._task: TaskID | None = None
        self._bars: Bars | None = None
        if sys.stderr.isatty():
            self._bars = Bars(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._finish(failed=kind is not None)
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Tell that `done` of `total` parts of `stage` are done."""
        if stage != self._stage:
            self._finish()
            self._stage, self._started = stage, monotonic()
        if self._bars is not None:
            self._draw(self._bars, stage, done, total)
        if done >= total > 0:
            self._finish()

    def share(self, stage: str, part: float) -> None:
        """Tell that a part (0 to 1) of `stage` is done."""
        self(stage, round(100 * part), 100)

    def _draw(self, bars: Bars, stage: str, done: int, total: int) -> None:
        known = total if total > 1 else None
        if self._task is None:
            bars.start()
            self._task = bars.add_task(stage, total=known)
        bars.update(self._task, completed=done, total=known)

    def _finish(self, *, failed: bool = False) -> None:
        if self._stage is None:
            return
        took = monotonic() - self._started
        if self._bars is not None and self._task is not None:
            self._bars.remove_task(self._task)
        elif self._bars is None and took >= WORTH_TELLING_S and not failed:
            say(f"  {self._stage}: {took:.1f} s")
        self._stage = self._task = None
