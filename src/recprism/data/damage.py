"""Where a text table is broken: the slow second look that names the row.

The fast readers of Polars say that a file is damaged, seldom where, and fill rows that are too
short with nulls. These functions read with the standard library and raise or return `DataError`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from recprism.errors import DataError

MAX_FIELD_BYTES = 64 * 2**20
"""Longest field of a CSV file and longest line of a JSONL file that are read."""
_CHUNK = 2**24


def check_lines(path: Path, separator: str | None) -> None:
    """Raise `DataError` for the first broken row of a CSV (with `separator`) or JSONL file."""
    with path.open("rb") as file:
        if separator is None:
            _check_json_lines(path, file)
            return
    check_line_length(path, header=True)
    _check_fields(path, separator)


def find_damage(name: str, files: Sequence[Path], failure: Exception) -> DataError:
    """The error for a table that a fast reader could not read, with the row where it is known."""
    for path in files:
        suffix = path.suffix.lower()
        try:
            if path.exists() and path.stat().st_size == 0:
                return DataError(name, "is empty, a table is expected.", "Fill or remove the file.")
            if suffix in (".csv", ".tsv"):
                check_lines(path, "\t" if suffix == ".tsv" else ",")
            elif suffix in (".jsonl", ".ndjson"):
                check_lines(path, None)
        except DataError as found:
            return found
        except OSError as unreadable:
            return DataError(name, f"cannot be read: {unreadable.strerror}.", "Check the file.")
    said = str(failure).strip().splitlines()
    first = said[0].rstrip(".") if said else type(failure).__name__
    return DataError(
        name,
        f"cannot be read: {first}.",
        "The file may be damaged or cut short; write it again.",
    )


def check_line_length(path: Path, *, header: bool) -> None:
    """Refuse a line over the limit before any reader takes it into memory."""
    row, length = 0 if header else 1, 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            pieces = chunk.split(b"\n") if length + len(chunk) > MAX_FIELD_BYTES else None
            if pieces is None:
                last = chunk.rfind(b"\n")
                row += chunk.count(b"\n")
                length = length + len(chunk) if last < 0 else len(chunk) - last - 1
                continue
            for piece in pieces[:-1]:
                _refuse_long(path, row, length + len(piece))
                row, length = row + 1, 0
            length += len(pieces[-1])
            _refuse_long(path, row, length)


def _refuse_long(path: Path, row: int, length: int) -> None:
    if length > MAX_FIELD_BYTES:
        raise DataError(
            path.name,
            f"a field holds more than {_size(MAX_FIELD_BYTES)}, the most that is read.",
            "Look for a quote that is never closed, or cut the field.",
            row=max(row, 1),
        )


def _size(count: int) -> str:
    return f"{count // 2**20} MB" if count >= 2**20 else f"{count} bytes"


def _check_fields(path: Path, separator: str) -> None:
    """Refuse a row whose number of fields is not that of the header, or a field over the limit."""
    before = csv.field_size_limit(MAX_FIELD_BYTES)
    number = 0
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, delimiter=separator, strict=True)
            width = len(next(reader, []))
            for number, row in enumerate(reader, 1):
                if len(row) != width and not (row == [] and width == 1):
                    raise _ragged(path, number, len(row), width)
    except csv.Error as failure:
        number += 1
        if "field larger" in str(failure):
            _refuse_long(path, number, MAX_FIELD_BYTES + 1)
        raise DataError(
            path.name,
            f"the quoting is broken: {failure}.",
            'Double a quote inside a quoted field (`""`), and close every quote.',
            row=number,
        ) from failure
    except UnicodeDecodeError as failure:
        raise _undecodable(path) from failure
    finally:
        csv.field_size_limit(before)


def _undecodable(path: Path) -> DataError:
    """The error for text in another encoding, with the first line that shows it."""
    with path.open("rb") as file:
        lines = (number for number, line in enumerate(file) if not _is_utf8(line))
        return DataError(
            path.name,
            "is not written in UTF-8.",
            "Save the file as UTF-8.",
            row=next(lines, 0) or None,
        )


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _ragged(path: Path, number: int, found: int, width: int) -> DataError:
    return DataError(
        path.name,
        f"has {found} fields, the header names {width}.",
        'Quote a field that holds a comma (`"a, b"`), or fill the row.',
        row=number,
    )


def _check_json_lines(path: Path, file: BinaryIO) -> None:
    number = 0
    while line := file.readline(MAX_FIELD_BYTES + 1):
        number += 1
        _refuse_long(path, number, len(line.rstrip(b"\n")))
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as failure:
            raise DataError(
                path.name,
                f"is no JSON ({failure}).",
                "Write one JSON object on each line.",
                row=number,
            ) from failure
        if not isinstance(value, dict):
            raise DataError(
                path.name,
                f"holds a JSON {type(value).__name__}, an object is expected.",
                'Write one object such as `{"id": "1"}` on each line.',
                row=number,
            )
