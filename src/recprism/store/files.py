"""Events from a file: JSONL, CSV or Parquet with the names of an event.

In comes a file, out comes the account of adding it to a store, row by row, so that one bad row does
not take the others with it. `context` is an object of texts (in CSV written as JSON); in CSV and
Parquet a column `context.NAME` is one entry of it. Ids that are whole numbers are read as their
decimals, as in the sources of a project.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

from recprism.errors import DataError, nearest
from recprism.records import Event
from recprism.store.store import EventStore

NAMES: Final = tuple(field.name for field in fields(Event))
BATCH: Final = 1000
"""So many rows are kept in one transaction."""
MAX_LINE: Final = 1 << 20
"""Characters of the longest line that is read."""

_PREFIX = "context."
_REQUIRED = ("user", "kind", "item", "action")


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that was not kept: its line (in Parquet its row), from 1, and why."""

    line: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileResult:
    """What became of the rows of a file; see `AddResult`."""

    accepted: int
    duplicates: int
    rejected: tuple[BadRow, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "rejected": [{"line": bad.line, "error": bad.error} for bad in self.rejected],
        }


Row = tuple[int, Event | str]
"""A line, and its event or what is wrong with it."""


def add_file(
    store: EventStore,
    path: Path,
    now: datetime,
    told: Callable[[int], None] = lambda _: None,
) -> FileResult:
    """Add the events of a file in its order; `told` is called with the number of rows done.

    Rows up to a failure of the store stay; with idempotency keys the file may simply be added
    again. Raises `DataError` for a file that cannot be read or has unknown columns.
    """
    accepted = duplicates = done = 0
    bad: list[BadRow] = []
    for rows in _batches(_read(path)):
        sound = [(line, event) for line, event in rows if isinstance(event, Event)]
        bad += [BadRow(line=line, error=why) for line, why in rows if isinstance(why, str)]
        result = store.add_events([event for _, event in sound], now)
        accepted += result.accepted
        duplicates += result.duplicates
        bad += [BadRow(line=sound[r.index][0], error=r.error) for r in result.rejected]
        done += len(rows)
        told(done)
    bad.sort(key=lambda row: row.line)
    return FileResult(accepted=accepted, duplicates=duplicates, rejected=tuple(bad))


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _read(path: Path) -> Iterator[Row]:
    readers = {
        ".jsonl": _read_jsonl,
        ".ndjson": _read_jsonl,
        ".csv": _read_csv,
        ".parquet": _read_parquet,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(f"`{suffix}`" for suffix in readers)
        raise DataError(path, f"is of no kind that holds events; known: {known}.", "Convert it.")
    try:
        yield from reader(path)
    except (OSError, UnicodeDecodeError, pl.exceptions.PolarsError) as error:
        said = str(error).splitlines()[0].rstrip(".")
        raise DataError(path, f"cannot be read: {said}.", "Check the file.") from error


def _read_jsonl(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as file:
        number = 0
        while line := file.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise DataError(path, f"the line is over {MAX_LINE:,} characters long.", row=number)
            if line.strip():
                yield number, _read_line(line)


def _read_line(line: str) -> Event | str:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"found no JSON ({error})"
    if not isinstance(found, dict):
        return f"found {type(found).__name__}, an object is needed"
    unknown = [name for name in found if name not in NAMES]
    return _unknown(unknown[0]) if unknown else _event(found)


def _read_csv(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, strict=True)
        try:
            header = next(rows, [])
            _check_columns(path, header)
            line = rows.line_num + 1
            for row in rows:
                if len(row) == len(header):
                    cells = {name: cell for name, cell in zip(header, row, strict=True) if cell}
                    yield line, _event_of_cells(cells)
                elif row:
                    yield line, f"found {len(row)} cells, the header has {len(header)}"
                line = rows.line_num + 1
        except csv.Error as error:
            problem = f"the line is not RFC 4180: {error}."
            raise DataError(path, problem, row=rows.line_num) from error


def _event_of_cells(cells: Mapping[str, str]) -> Event | str:
    """The event of a row of CSV, whose cells are texts."""
    found: dict[str, Any] = dict(cells)
    try:
        if "value" in found:
            found["value"] = float(found["value"])
        if "context" in found:
            found["context"] = json.loads(found["context"])
    except (ValueError, RecursionError):
        name = "context" if isinstance(found.get("value", 0.0), float) else "value"
        return f"`{name}`: `{cells[name]}` cannot be read"
    return _event(_fold(found))


def _read_parquet(path: Path) -> Iterator[Row]:
    lazy = pl.scan_parquet(path, glob=False)
    columns = lazy.collect_schema().names()
    _check_columns(path, columns)
    n = lazy.select(pl.len()).collect().item()
    for start in range(0, n, BATCH):
        frame = lazy.slice(start, BATCH).collect()
        for number, row in enumerate(frame.iter_rows(named=True), start + 1):
            yield number, _event(_fold({k: v for k, v in row.items() if v is not None}))


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    """Raise `DataError` for a table whose columns are not those of events."""
    for name in columns:
        if name not in NAMES and not name.startswith(_PREFIX):
            raise DataError(path, _unknown(name) + ".", "Rename or remove the column.")
    if len(set(columns)) < len(columns):
        raise DataError(path, "two columns have one name.", "Rename or remove one.")
    missing = [name for name in _REQUIRED if name not in columns]
    if missing:
        raise DataError(path, f"there is no column `{missing[0]}`.", "Every event needs one.")


def _unknown(name: str) -> str:
    close = nearest(name, NAMES)
    return f"`{name}` is no part of an event" + (f"; did you mean `{close}`?" if close else "")


def _fold(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row whose columns `context.NAME` are entries of `context`."""
    named = {k.removeprefix(_PREFIX): v for k, v in row.items() if k.startswith(_PREFIX)}
    rest = {k: v for k, v in row.items() if not k.startswith(_PREFIX)}
    inner = rest.get("context") or {}
    if named and isinstance(inner, Mapping):
        rest["context"] = {**{k: v for k, v in inner.items() if v is not None}, **named}
    return rest


def _event(found: Mapping[str, Any]) -> Event | str:
    """The event of a row, or what is wrong with its types; the store checks the rest."""
    for name in _REQUIRED:
        if found.get(name) is None:
            return f"`{name}`: every event needs one"
    values = dict(found)
    try:
        for name in values:
            if name not in ("time", "value", "context"):
                values[name] = _id(values[name])
        values["time"] = _time(found.get("time"))
        values["value"] = _number(found.get("value"))
        context = found.get("context") or {}
        if not isinstance(context, Mapping):
            return f"`context`: found {type(context).__name__}, an object is needed"
        values["context"] = {
            name: _id(value) for name, value in context.items() if value is not None
        }
    except ValueError as error:
        return str(error)
    return Event(**values)


def _id(value: Any) -> Any:
    """Whole numbers as their decimals; the store checks all else."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _number(value: Any) -> float | None:
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return None if value is None else float(value)
    raise ValueError(f"`value`: found `{value}`, a number is needed")


def _time(value: Any) -> datetime | None:
    """A naive moment; one with a zone is turned into UTC."""
    if value is None:
        return None
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return time if time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, TypeError, OverflowError):
        raise ValueError(
            f"`time`: found `{value}`, a time such as `2017-12-01T05:00` is needed"
        ) from None
