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
from typing import IO

import psutil

_EVERY_S = 0.5
_LAST_WORDS = 500
"""So many characters of what a failed command said are kept."""

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
    """A measured command did not succeed: its exit status, what it cost, and its last words."""

    def __init__(self, command: Sequence[str], code: int, measured: Measured, errors: str) -> None:
        self.code, self.measured, self.errors = code, measured, errors
        words = (measured.output[-_LAST_WORDS:].strip(), errors.strip())
        said = "\n".join(filter(None, words)) or "it said nothing"
        super().__init__(f"`{' '.join(command)}` exited {code}: {said}")

    @property
    def reason(self) -> str:
        """The last line of the command's standard error, or of its output."""
        lines = (self.errors.strip() or self.measured.output.strip()).splitlines()
        return lines[-1].strip() if lines else "it said nothing"


def measure(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Measured:
    """Run `command`; its standard error goes to ours as it comes.

    Memory is looked at twice a second, worker processes included. Raises `CommandFailed` when
    the command exits with anything but 0.
    """
    start = perf_counter()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
        )
        seen, done = [tree_mb(process.pid)], Event()
        errors = bytearray()
        watch = Thread(target=_watch, args=(process.pid, seen, done))
        listen = Thread(target=_pass_on, args=(process.stderr, errors), daemon=True)
        watch.start()
        listen.start()
        process.wait()
        seconds = perf_counter() - start
        done.set()
        watch.join()
        # A worker that outlives the command keeps the pipe open; nobody waits for its words.
        listen.join(_EVERY_S)
        output.seek(0)
        measured = Measured(output.read(), seconds, max(seen))
    if process.returncode != 0:
        raise CommandFailed(
            command, process.returncode, measured, bytes(errors).decode("utf-8", "replace")
        )
    return measured


def _pass_on(pipe: IO[bytes], last: bytearray) -> None:
    """Copy `pipe` to our standard error; `last` keeps its last words."""
    with pipe:
        for line in pipe:
            sys.stderr.write(line.decode("utf-8", "replace"))
            sys.stderr.flush()
            last += line
            del last[:-_LAST_WORDS]


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
