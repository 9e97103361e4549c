"""Commands measured from outside."""

from __future__ import annotations

import subprocess
import sys

import pytest
from benchmarks.timing import CommandFailed, best_of, measure, tree_mb


def test_a_measured_command_knows_its_own_time_and_memory() -> None:
    hungry = "import time; block = b'x' * (150 << 20); time.sleep(0.8); print('done')"
    found = measure([sys.executable, "-c", hungry], {"OMP_NUM_THREADS": "1"})
    assert found.output == "done\n"
    assert found.seconds > 0.8
    assert 150 < found.peak_mb < 1_000
    assert best_of(2, [sys.executable, "-c", ""]) < found.seconds


def test_a_command_that_fails_says_so_with_its_last_words() -> None:
    with pytest.raises(CommandFailed, match=r"exited 3: last words"):
        measure([sys.executable, "-c", "print('last words'); raise SystemExit(3)"])


def test_memory_of_workers_is_counted() -> None:
    worker = "import time; block = b'x' * (100 << 20); time.sleep(1.2)"
    parent = (
        "import subprocess, sys\n"
        f"two = [subprocess.Popen([sys.executable, '-c', {worker!r}]) for _ in range(2)]\n"
        "[process.wait() for process in two]"
    )
    assert measure([sys.executable, "-c", parent]).peak_mb > 200


def test_a_process_that_is_gone_holds_nothing() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert tree_mb(process.pid) == 0.0
