"""`recprism train --every`: train now and again each time an interval has passed.

Every training is a process of its own: what one needs of memory is free again after it, and one
that dies takes nothing along. The decision worth knowing: the first training must succeed, for a
wrong project is to be seen at once; a later one that fails is told and tried again at its next
turn, while servers go on with the artifact they have.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import FrameType

import typer

from recprism.cli.faults import say
from recprism.errors import UsageError
from recprism.project.fields import parse_duration


def parse_interval(text: str) -> timedelta:
    """The interval of `--every`. Raises `UsageError`."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"`--every`: {error}.") from None


def train_every(interval: timedelta, arguments: Sequence[str]) -> None:
    """Run `recprism train` with `arguments` until SIGINT or SIGTERM, which end it in order.

    Turns start an interval apart; one that takes longer is followed at once. Raises `typer.Exit`
    with the code of a first training that failed.
    """
    command = [sys.executable, "-m", "recprism", "train", *arguments]
    with _until_told() as stop:
        is_first = True
        while not stop.told.is_set():
            began = time.monotonic()
            code = stop.run(command)
            if stop.told.is_set():
                return
            if code and is_first:
                raise typer.Exit(code if code > 0 else 1)
            is_first = False
            left = max(0.0, interval.total_seconds() - (time.monotonic() - began))
            soon = f"{datetime.now().astimezone() + timedelta(seconds=left):%Y-%m-%d %H:%M:%S}"
            say(f"{_told(code)} The next training starts at {soon}.")
            stop.told.wait(left)


def _told(code: int) -> str:
    return f"The training failed (exit code {code})." if code else "Trained."


class _Stop:
    """Whether to stop, and the training to be stopped with it."""

    def __init__(self) -> None:
        self.told = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None

    def run(self, command: Sequence[str]) -> int:
        """The exit code of a command; below 0 where a signal ended it."""
        self._child = subprocess.Popen(command)
        if self.told.is_set():  # between the last look and the start
            self._child.terminate()
        return self._child.wait()

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        """What a signal does."""
        self.told.set()
        if self._child is not None and self._child.poll() is None:
            self._child.terminate()  # nothing is published that is not whole


@contextmanager
def _until_told() -> Iterator[_Stop]:
    """Both signals ask to stop as long as this lasts."""
    stop, numbers = _Stop(), (signal.SIGINT, signal.SIGTERM)
    before: list[Callable[[int, FrameType | None], object] | int | None] = [
        signal.signal(number, stop) for number in numbers
    ]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
