"""`--users FILE`: many users in one file, RFC 4180 without a header."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from pathlib import Path

from recprism.cli.times import parse_time
from recprism.errors import UsageError
from recprism.store import find_id_fault


@dataclass(frozen=True, slots=True)
class Asked:
    """One line of the file: a user and, where the line has one, the moment to ask for."""

    user: str
    at: datetime | None


def read_user_list(path: Path) -> list[Asked]:
    """All rows of the file in order, each an id or `id,time`.

    Raises `UsageError` with the number of the first bad line: an empty id, a third column, a time
    that does not parse, a control character, or bytes that are not UTF-8.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"`--users`: `{path}` cannot be read ({error.strerror}); a file of user ids is needed."
        ) from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise _bad(path, line, "found bytes that are not UTF-8") from None
    return _read_rows(path, text)


def _read_rows(path: Path, text: str) -> list[Asked]:
    asked: list[Asked] = []
    rows = csv.reader(StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for row in rows:
            asked.append(_read_row(path, line, row))
            line = rows.line_num + 1
    except csv.Error as error:
        raise _bad(path, line, f"found a row that is not RFC 4180 ({error})") from None
    return asked


def _read_row(path: Path, line: int, row: list[str]) -> Asked:
    if len(row) > 2:
        raise _bad(path, line, f"found {len(row)} columns")
    fault = find_id_fault(row[0] if row else "")
    if fault is not None:
        raise _bad(path, line, fault)
    try:
        return Asked(row[0], parse_time(row[1]) if len(row) == 2 else None)
    except UsageError:
        raise _bad(path, line, f"found the time {row[1]!a}") from None


def _bad(path: Path, line: int, found: str) -> UsageError:
    return UsageError(
        f"{path}:{line}: {found}; every line must be an id or `id,time` (ISO 8601). "
        "Nothing was answered."
    )
