"""Tables from files, folders and databases, all as lazy Polars frames.

In comes a `source` of the project file, out goes a `Table`. The one decision worth knowing: CSV
columns are read as text, whatever they look like, so that an id `0012` stays one; numbers and times
are parsed where a column is used as such.

Fast readers seldom say where a file is broken. When one fails, `damage.py` reads the file again,
slowly, to name the row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from recprism.data import damage
from recprism.data.damage import check_line_length, find_damage
from recprism.data.sql import is_database, read_query, without_password
from recprism.errors import DataError, nearest
from recprism.project.schema import Source

Progress = Callable[[str, float], None]
"""What a long stage reports: a phrase and the part done, 0 to 1."""

_CSV = {".csv": ",", ".tsv": "\t"}
_JSONL = (".jsonl", ".ndjson")
_PARQUET = (".parquet", ".pq")
KNOWN_SUFFIXES = (*_CSV, *_JSONL, *_PARQUET)


@dataclass(frozen=True)
class Table:
    """A source that can be read: its name for messages, its files, its columns."""

    name: str
    lazy: pl.LazyFrame
    schema: pl.Schema
    files: tuple[Path, ...] = ()

    @property
    def columns(self) -> list[str]:
        return self.schema.names()

    def need(self, columns: Iterable[str]) -> None:
        """Raise `DataError` for the first of `columns` that is not there or cannot be used."""
        for column in columns:
            if column not in self.columns:
                raise missing_column(self, column)
            dtype = self.schema[column]
            if dtype.is_nested() or dtype in (pl.Binary, pl.Object):
                raise DataError(
                    self.name,
                    f"holds values of the type `{dtype}`, text, numbers or times are expected.",
                    "Write one value per cell, or a list of texts.",
                    column=column,
                )

    def read(self, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """The table, or the distinct columns named, in memory; raises `DataError`."""
        wanted = self.columns if columns is None else list(dict.fromkeys(columns))
        self.need(wanted)
        return self.collect(self.lazy.select(wanted))

    def column(self, name: str) -> pl.Series:
        """One column in memory, in the order of the rows; raises `DataError`."""
        return self.read([name])[name]

    def distinct(self, name: str) -> pl.Series:
        """The distinct raw values of one column, in no particular order; raises `DataError`."""
        self.need([name])
        frame = self.collect(self.lazy.select(pl.col(name).unique()), stream=True)
        return frame[name]

    def collect(self, lazy: pl.LazyFrame, *, stream: bool = False) -> pl.DataFrame:
        """Run a query over this table; what goes wrong in it is a `DataError` with the row."""
        try:
            return lazy.collect(engine="streaming" if stream else "auto")
        except (pl.exceptions.PolarsError, OSError) as failure:
            raise find_damage(self.name, self.files, failure) from failure


def missing_column(table: Table, column: str) -> DataError:
    """The error for a column that is not there, with the columns found and the nearest."""
    found = ", ".join(f"`{name}`" for name in table.columns) or "none"
    close = nearest(column, table.columns)
    hint = f"Did you mean `{close}`?" if close else "Name one of these in the project file."
    return DataError(table.name, f"has no column `{column}`; found: {found}.", hint, column=column)


def open_table(source: Source, base: Path) -> Table:
    """The table that a source names, relative to the folder `base`.

    Only the header or the schema is read. Raises `DataError` for a missing or empty file, an
    unknown kind of file, a folder without tables or with tables of different columns, or a damaged
    file; `MissingExtra` for PostgreSQL without its driver.
    """
    if is_database(source.source):
        frame = read_query(source.source, source.query, base)
        return Table(without_password(source.source), frame.lazy(), frame.schema)
    path = base / source.source
    if path.is_dir():
        return _open_folder(source.source, path)
    return _open_file(source.source, path)


def scan(source: Source, base: Path, columns: Sequence[str] | None = None) -> pl.LazyFrame:
    """A lazy frame over a source, all columns or those named; raises as `open_table` does."""
    table = open_table(source, base)
    if columns is None:
        return table.lazy
    table.need(columns)
    return table.lazy.select(list(dict.fromkeys(columns)))


def check_table(table: Table) -> int:
    """The number of rows of a table, after a look for broken ones.

    Raises `DataError` for a table without rows, and for a text file with a row that has too few or
    too many fields, a line that is no JSON object, or a field over the limit.
    """
    written = [path for path in table.files if path.suffix.lower() in _CSV]
    for path in written:
        check_line_length(path, header=True)
    texts = [name for name, dtype in table.schema.items() if dtype == pl.String and written]
    query = table.lazy.select(
        pl.len().alias("rows"),
        pl.col(table.columns[-1]).null_count().alias("open"),
        *[pl.col(name).str.len_bytes().max().alias(f"longest:{name}") for name in texts],
    )
    found = table.collect(query, stream=True)
    longest = max([found[f"longest:{name}"][0] or 0 for name in texts], default=0)
    # A row that is too short leaves its last column empty; only then is the slow look needed.
    if found["open"][0] or longest > damage.MAX_FIELD_BYTES:
        for path in written:
            damage.check_lines(path, _CSV[path.suffix.lower()])
    if found["rows"][0] == 0:
        raise DataError(table.name, "has no rows, at least one is needed.", "Fill the table.")
    return int(found["rows"][0])


def _open_file(name: str, path: Path) -> Table:
    suffix = path.suffix.lower()
    if suffix not in KNOWN_SUFFIXES:
        known = ", ".join(f"`{known}`" for known in KNOWN_SUFFIXES)
        raise DataError(
            name,
            f"ends in `{suffix}`, files of these kinds can be read: {known}.",
            "Convert the file, or name a database as `sqlite:///file.db` with a `query`.",
        )
    if not path.exists():
        raise DataError(
            name,
            f"there is no such file (looked for `{path}`).",
            "Mend `source` in the project file; it is relative to that file.",
        )
    if suffix in _JSONL:
        # Its columns are known only after reading all of it, so the limit is checked first.
        check_line_length(path, header=False)
    try:
        lazy = _flat(_scan_file(path, suffix))
        return Table(name, lazy, lazy.collect_schema(), (path,))
    except (pl.exceptions.PolarsError, OSError) as failure:
        raise find_damage(name, (path,), failure) from failure


def _flat(lazy: pl.LazyFrame) -> pl.LazyFrame:
    """Lists of plain values as text, joined by `, `."""
    lists = [
        pl.col(name).list.eval(pl.element().cast(pl.String)).list.join(", ", ignore_nulls=True)
        for name, dtype in lazy.collect_schema().items()
        if isinstance(dtype, pl.List) and not dtype.inner.is_nested()
    ]
    return lazy.with_columns(lists) if lists else lazy


def _scan_file(path: Path, suffix: str) -> pl.LazyFrame:
    if suffix in _CSV:
        return pl.scan_csv(path, separator=_CSV[suffix], infer_schema=False, glob=False)
    if suffix in _JSONL:
        return pl.scan_ndjson(path, infer_schema_length=None)
    return pl.scan_parquet(path, glob=False)


def _open_folder(name: str, path: Path) -> Table:
    files = sorted(f for f in path.iterdir() if f.suffix.lower() in KNOWN_SUFFIXES)
    if not files:
        known = ", ".join(f"`{known}`" for known in KNOWN_SUFFIXES)
        raise DataError(
            name,
            f"the folder holds no table; files of these kinds can be read: {known}.",
            "Put at least one there.",
        )
    tables = [_open_file(f"{name}/{file.name}", file) for file in files]
    first = tables[0]
    for table in tables[1:]:
        table.need(first.columns)
        first.need(table.columns)
    mixed = [column for column in first.columns if len({str(t.schema[column]) for t in tables}) > 1]
    parts = [
        t.lazy.select(first.columns).with_columns(pl.col(mixed).cast(pl.String)) for t in tables
    ]
    lazy = pl.concat(parts)
    return Table(name, lazy, lazy.collect_schema(), tuple(files))
