"""Commands measured from outside."""

from __future__ import annotations

import sys

import pytest
from benchmarks.timing import CommandFailed, best_of, measure


def test_a_measured_command_knows_its_own_time_and_memory() -> None:
    hungry = "import time; block = bytearray(150 << 20); time.sleep(0.2); print('done')"
    found = measure([sys.executable, "-c", hungry], {"OMP_NUM_THREADS": "1"})
    assert found.output == "done\n"
    assert found.seconds > 0.2
    assert 150 < found.peak_mb < 1_000
    assert best_of(2, [sys.executable, "-c", ""]) < found.seconds


def test_a_command_that_fails_says_so_with_its_last_words() -> None:
    with pytest.raises(CommandFailed, match=r"exited 3: last words"):
        measure([sys.executable, "-c", "print('last words'); raise SystemExit(3)"])
