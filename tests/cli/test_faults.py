"""Every failure is one sentence and the right exit code."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from recprism.cli.faults import FaultTellingGroup, explain_fault
from recprism.errors import NotTrained, UsageError


def failing_app(error: BaseException) -> typer.Typer:
    app = typer.Typer(cls=FaultTellingGroup, pretty_exceptions_enable=False)

    @app.command("fail")
    def fail() -> None:
        raise error

    @app.command("work")
    def work() -> None:
        pass

    return app


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UsageError("Found `a`, `b` is needed."), 2, "Found `a`, `b` is needed."),
        (NotTrained("demo"), 2, "`demo` has no trained artifact"),
        (OSError(errno.ENOSPC, "No space left on device", "x.bin"), 2, "while writing `x.bin`"),
        (PermissionError(errno.EACCES, "Permission denied", "x"), 2, "`x` cannot be used: Perm"),
        (OSError(errno.EIO, "Input/output error"), 1, "by its own fault (OSError: [Errno 5]"),
        (ZeroDivisionError("division\nby zero"), 1, "(ZeroDivisionError: division by zero)"),
        (KeyError("x"), 1, "RECPRISM_TRACEBACK=1"),
        (KeyboardInterrupt(), 130, "Interrupted"),
    ],
)
def test_a_failure_is_one_sentence(error: BaseException, code: int, said: str) -> None:
    result = CliRunner().invoke(failing_app(error), ["fail"])
    assert result.exit_code == code
    assert said in result.stderr
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr


def test_the_traceback_is_shown_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECPRISM_TRACEBACK", "1")
    result = CliRunner().invoke(failing_app(KeyError("x")), ["fail"])
    assert "Traceback" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("RecPrism failed by its own fault")


def test_a_command_that_works_exits_with_0() -> None:
    assert CliRunner().invoke(failing_app(KeyError()), ["work"]).exit_code == 0


def test_usage_errors_exit_with_2() -> None:
    result = CliRunner().invoke(failing_app(KeyError()), ["work", "--nonsense"])
    assert result.exit_code == 2
    assert "--nonsense" in result.stderr


def test_a_full_disk_without_a_name_is_still_a_full_disk() -> None:
    code, sentence = explain_fault(RuntimeError("IoError: No space left on device"))
    assert (code, "The disk filled while writing" in sentence) == (2, True)


def test_a_closed_pipe_is_quiet() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        ended = subprocess.run(
            [sys.executable, "-m", "recprism", "schema"], stdout=pipe, stderr=subprocess.PIPE
        )
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_a_surprising_encoding_does_not_hide_the_message() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "recprism", "artifacts", "list", "no-🦊"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert ended.returncode == 2
    assert b"no-\\U0001f98a" in ended.stderr
