"""`recprism train --every`: again and again, until told to stop, whatever becomes of one."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from recprism.cli.app import app
from recprism.project import FILE_NAME

pytestmark = pytest.mark.slow

PATIENCE_S = 240.0
"""Trainings take a second or two; a busy machine gets more."""


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def wishes(tmp_path: Path) -> Path:
    project = tmp_path / "wishes"
    assert run("init", project, "--template", "text").exit_code == 0
    return project


@contextmanager
def training(project: Path, every: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "recprism", "train", str(project), "--every", every],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def artifacts(project: Path) -> set[str]:
    return {path.name for path in (project / ".recprism" / "artifacts").glob("2*")}


def eventually(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def stopped(process: subprocess.Popen[str]) -> str:
    """What it said until it was told to stop, which it does in order."""
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    return said


def test_it_trains_again_until_it_is_told_to_stop(wishes: Path) -> None:
    with training(wishes, "1s") as process:
        assert eventually(lambda: len(artifacts(wishes)) >= 2)
        assert "Trained. The next training starts at " in stopped(process)


def test_a_later_failure_is_told_and_tried_again(wishes: Path) -> None:
    project_file, aside = wishes / FILE_NAME, wishes / "aside.yaml"
    with training(wishes, "1s") as process:
        assert process.stderr is not None
        while "The next training" not in process.stderr.readline():
            pass
        shutil.move(project_file, aside)
        while "The training failed (exit code 2)." not in (said := process.stderr.readline()):
            assert said
        before = artifacts(wishes)
        shutil.move(aside, project_file)
        assert eventually(lambda: bool(artifacts(wishes) - before))
        stopped(process)


def test_a_project_that_cannot_be_trained_at_all_ends_it(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "recprism", "train", str(tmp_path), "--every", "1h"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert FILE_NAME in ended.stderr
    assert "next training" not in ended.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--every", "soon"], "`--every`: `soon` is no duration"),
        (["--every", "1h", "--dry-run"], "goes with neither `--until` nor `--dry-run`"),
        (["--every", "1h", "--until", "2024-01-01"], "goes with neither `--until` nor"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(
    wishes: Path, options: list[str], sentence: str
) -> None:
    result = run("train", wishes, *options)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1
