"""One progress object: bars on a terminal, a line per long stage elsewhere."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from recprism.cli import progress as module
from recprism.cli.progress import Progress

ON_A_TERMINAL = """
import time
from recprism.cli.progress import Progress
with Progress() as progress:
    for done in range(5):
        progress("encoding [texts]", done, 5)
        time.sleep(0.1)
    progress("encoding [texts]", 5, 5)
    progress("waiting", 0, 1)
    time.sleep(0.2)
"""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that pass between two looks at the clock."""
    step, now = [0.0], [0.0]

    def look() -> float:
        now[0] += step[0]
        return now[0]

    monkeypatch.setattr(module, "monotonic", look)
    return step


def test_a_long_stage_leaves_one_line(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    clock[0] = 3.0
    with Progress() as progress:
        progress("encoding", 0, 10)
        progress("encoding", 5, 10)
        progress("encoding", 10, 10)
    assert capsys.readouterr().err == "  encoding: 3.0 s\n"


def test_a_short_stage_leaves_nothing(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    clock[0] = 0.5
    with Progress() as progress:
        progress("reading", 0, 1)
        progress.share("cleaning", 0.5)
        progress.share("cleaning", 1.0)
    assert capsys.readouterr().err == ""


def test_a_new_stage_ends_the_one_before(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    clock[0] = 2.5
    with Progress() as progress:
        progress("one", 0, 1)
        progress("two", 0, 1)
    assert capsys.readouterr().err == "  one: 2.5 s\n  two: 2.5 s\n"


def test_a_stage_that_failed_is_not_called_done(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    clock[0] = 9.0

    def fail() -> None:
        with Progress() as progress:
            progress("one", 0, 1)
            raise ValueError("no texts")

    with pytest.raises(ValueError, match="no texts"):
        fail()
    assert capsys.readouterr().err == ""


def test_on_a_terminal_bars_come_and_go() -> None:
    ours, theirs = pty.openpty()
    subprocess.run(
        [sys.executable, "-c", ON_A_TERMINAL],
        stderr=theirs,
        check=True,
        env={**os.environ, "TERM": "xterm"},
        timeout=60,
    )
    os.close(theirs)
    shown = b""
    while chunk := _read(ours):
        shown += chunk
    os.close(ours)
    assert b"encoding [texts]" in shown
    assert b"waiting" in shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""
