"""What commands write: JSON for programs, tables for people; answers on standard output only."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from recprism.cli.faults import say

WIDTH = 110
"""Columns of a table that is not written to a terminal."""


def write_json(document: object, *, lines: bool = False) -> None:
    """Write one JSON document: indented, or as a single line when many follow one another."""
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    text = json.dumps(
        document,
        ensure_ascii=encoding != "utf8",
        allow_nan=False,
        indent=None if lines else 2,
    )
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A plain table; cells are shown as they are, numbers to the right."""
    made = Table(box=box.SIMPLE_HEAD)
    cells = [list(row) for row in rows]
    for number, column in enumerate(columns):
        numeric = bool(cells) and all(isinstance(row[number], int | float) for row in cells)
        made.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        made.add_row(*(plain(cell) for cell in row))
    return made


def write(*parts: Any) -> None:
    """Write texts, tables and panels for people; texts of the data are shown as they are."""
    on_terminal = sys.stdout.isatty()
    console = Console(
        markup=False, highlight=False, emoji=False, width=None if on_terminal else WIDTH
    )
    with console.capture() as captured:
        console.print(*parts, sep="\n")
    text = captured.get()
    if not on_terminal:
        text = "".join(line.rstrip() + "\n" for line in text.splitlines())
    sys.stdout.write(text.encode(sys.stdout.encoding, "replace").decode(sys.stdout.encoding))
    sys.stdout.flush()


def note(sentence: str) -> None:
    """Tell something beside the answer, on standard error."""
    say(sentence)


def moment(time: str) -> str:
    """An ISO time as a person writes it: no `T`, no midnight, whole seconds."""
    day, _, clock = time.partition("T")
    clock = clock.partition(".")[0]
    return day if clock in ("", "00:00:00") else f"{day} {clock}"


def plain(text: object) -> str:
    """A text from the data for a terminal: without control characters, which could steer it."""
    return "".join(
        " " if unicodedata.category(character).startswith("C") else character
        for character in str(text)
    )
