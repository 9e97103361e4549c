"""Run a command and measure it from outside: wall seconds and peak memory, workers included."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from time import perf_counter

import psutil

_EVERY_S = 0.5

ONE_THREAD: Mapping[str, str] = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "POLARS_MAX_THREADS",
        "RAYON_NUM_THREADS",
    ),
    "1",
)
"""Environment that keeps every library we use to one thread."""


@dataclass(frozen=True)
class Measured:
    """What a command printed, how long it took, and the most memory it held (2^20 bytes)."""

    output: str
    seconds: float
    peak_mb: float


class CommandFailed(Exception):
    """A measured command did not succeed; its last words are in the message."""


def measure(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Measured:
    """Run `command`; its standard error goes to ours.

    Memory is looked at twice a second, worker processes included. Raises `CommandFailed` when
    the command exits with anything but 0.
    """
    start = perf_counter()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        process = subprocess.Popen(
            command, stdout=output, env={**os.environ, **(environment or {})}
        )
        seen, done = [tree_mb(process.pid)], Event()
        watch = Thread(target=_watch, args=(process.pid, seen, done))
        watch.start()
        process.wait()
        seconds = perf_counter() - start
        done.set()
        watch.join()
        output.seek(0)
        text = output.read()
    if process.returncode != 0:
        raise CommandFailed(f"`{' '.join(command)}` exited {process.returncode}: {text[-500:]}")
    return Measured(text, seconds, max(seen))


class PeakMemory:
    """The most memory that this process and all below it held, while the block ran, in 2^20 bytes
    (`mb`, complete once the block has ended)."""

    def __enter__(self) -> PeakMemory:
        self._seen, self._done = [tree_mb(os.getpid())], Event()
        self._thread = Thread(target=_watch, args=(os.getpid(), self._seen, self._done))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._seen.append(tree_mb(os.getpid()))
        self._done.set()
        self._thread.join()

    @property
    def mb(self) -> float:
        return round(max(self._seen), 1)


def _watch(pid: int, seen: list[float], done: Event) -> None:
    while not done.wait(_EVERY_S):
        seen.append(tree_mb(pid))


def tree_mb(pid: int) -> float:
    """Memory of a process and all below it in 2^20 bytes, pages that they share counted once.

    Where the system does not tell shared pages apart, the sum of resident sizes; 0 for a process
    that is gone.
    """
    total = 0.0
    try:
        process = psutil.Process(pid)
        tree = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0.0
    for member in tree:
        with suppress(psutil.Error, OSError):
            total += _own_mb(member)
    return total


def _own_mb(process: psutil.Process) -> float:
    """Proportional set size where Linux sums it up (which is cheap), else resident size."""
    rollup = Path(f"/proc/{process.pid}/smaps_rollup")
    if rollup.exists():
        fields = dict(line.split(":", 1) for line in rollup.read_text().splitlines()[1:])
        return int(fields["Pss"].split()[0]) / 1024 if "Pss" in fields else 0.0
    return float(process.memory_info().rss) / (1 << 20)


def recprism(*arguments: str) -> Measured:
    """Run the command line of the package in a process of its own."""
    return measure([sys.executable, "-m", "recprism", *arguments])


def best_of(times: int, command: Sequence[str]) -> float:
    """Fewest seconds of several runs: what the work takes without other load."""
    return min(measure(command).seconds for _ in range(times))
