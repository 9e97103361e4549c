"""From exceptions to one sentence on standard error and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from typing import Any

import typer
from typer.core import TyperGroup

from recprism.errors import DiskFull, RecPrismError, is_disk_full

TRACEBACK = "RECPRISM_TRACEBACK"
"""Set to anything, this environment variable adds the traceback to every error."""

USER_MISTAKE = 2
OUR_FAULT = 1
INTERRUPTED = 130
PIPE_CLOSED = 141
"""As a shell reports a program that writes into a pipe which nobody reads any more."""


class FaultTellingGroup(TyperGroup):
    """Runs a command and tells what went wrong: 2 for a user's mistake, 1 for our own fault."""

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except BrokenPipeError as error:
            _silence_output()
            raise typer.Exit(PIPE_CLOSED) from error
        except KeyboardInterrupt as error:
            say("Interrupted; what was there before is untouched.")
            raise typer.Exit(INTERRUPTED) from error
        except Exception as error:
            if _belongs_to_typer(error):
                raise
            code, sentence = explain_fault(error)
            if os.environ.get(TRACEBACK):
                traceback.print_exc(file=sys.stderr)
            say(sentence)
            raise typer.Exit(code) from error


def explain_fault(error: Exception) -> tuple[int, str]:
    """Exit code and one sentence for an exception that ended a command."""
    if isinstance(error, RecPrismError):
        return USER_MISTAKE, str(error)
    if is_disk_full(error):
        return USER_MISTAKE, str(DiskFull(getattr(error, "filename", None) or "a file"))
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return USER_MISTAKE, (
            f"`{error.filename}` cannot be used: {error.strerror}. "
            "Give this user access to it, or choose another place."
        )
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return OUR_FAULT, (
        f"RecPrism failed by its own fault ({said}). "
        f"Run the command again with {TRACEBACK}=1 to see where, and please report it."
    )


def say(sentence: str) -> None:
    """Write one line to standard error, whatever its encoding."""
    encoding = sys.stderr.encoding or "utf-8"
    sys.stderr.write(sentence.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def _belongs_to_typer(error: Exception) -> bool:
    """Whether Typer handles it: its exits, and usage errors, which know how to show themselves."""
    return isinstance(error, typer.Exit | typer.Abort) or hasattr(error, "format_message")


def _silence_output() -> None:
    """Let the interpreter's last flush go nowhere instead of complaining."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
