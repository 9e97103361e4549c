"""Run a command and measure it from outside: wall seconds and its own peak memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

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

    Raises `CommandFailed` when it exits with anything but 0.
    """
    start = perf_counter()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        process = subprocess.Popen(
            command, stdout=output, env={**os.environ, **(environment or {})}
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = perf_counter() - start
        output.seek(0)
        text = output.read()
    if process.returncode != 0:
        raise CommandFailed(f"`{' '.join(command)}` exited {process.returncode}: {text[-500:]}")
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return Measured(text, seconds, usage.ru_maxrss / unit)


def recprism(*arguments: str) -> Measured:
    """Run the command line of the package in a process of its own."""
    return measure([sys.executable, "-m", "recprism", *arguments])


def best_of(times: int, command: Sequence[str]) -> float:
    """Fewest seconds of several runs: what the work takes without other load."""
    return min(measure(command).seconds for _ in range(times))
