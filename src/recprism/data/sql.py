"""Tables out of databases: SQLite with the standard library, PostgreSQL with psycopg.

In come a URL and a query, out goes a frame. Columns keep the types the database gives them; a
SQLite column that mixes types becomes text.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import polars as pl

from recprism.errors import DataError, MissingExtra

_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://")


def is_database(source: str) -> bool:
    """Whether a source is a database's URL rather than a path."""
    return "://" in source


def without_password(url: str) -> str:
    """The URL as it may appear in messages and reports."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}@{place}"))


def read_query(url: str, query: str | None, base: Path) -> pl.DataFrame:
    """The answer to a query; a SQLite path is relative to `base`.

    Raises `DataError` for an unknown kind of database, a missing query or file, and whatever the
    database complains about; `MissingExtra` for PostgreSQL without psycopg.
    """
    name = without_password(url)
    if not url.startswith((_SQLITE, *_POSTGRES)):
        raise DataError(
            name,
            "is no database that can be read; known: `sqlite:///file.db`, `postgresql://...`.",
            "Write one of these, or a path.",
        )
    if query is None:
        raise DataError(
            name, "is a database, a `query` is needed beside it.", "Add `query: SELECT ...`."
        )
    if url.startswith(_SQLITE):
        return _read_sqlite(name, base / url.removeprefix(_SQLITE), query)
    return _read_postgres(name, url, query)


def _read_sqlite(name: str, path: Path, query: str) -> pl.DataFrame:
    if not path.exists():
        raise DataError(
            name,
            f"there is no such file (looked for `{path}`).",
            "Mend `source`; the path after `sqlite:///` is relative to the project file.",
        )
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            cursor = connection.execute(query)
            return _frame(name, cursor.description, cursor.fetchall())
        finally:
            connection.close()
    except (sqlite3.Error, sqlite3.Warning) as failure:
        raise _refused(name, failure) from failure


def _read_postgres(name: str, url: str, query: str) -> pl.DataFrame:
    if find_spec("psycopg") is None:
        raise MissingExtra("postgres", "psycopg", "Reading from PostgreSQL")
    import psycopg

    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            connection.read_only = True
            cursor = connection.execute(query.encode())
            return _frame(name, cursor.description, cursor.fetchall())
    except psycopg.Error as failure:
        raise _refused(name, failure) from failure


def _refused(name: str, failure: Exception) -> DataError:
    said = " ".join(str(failure).split()).rstrip(".")
    return DataError(name, f"the database refused: {said}.", "Mend the URL or the `query`.")


def _frame(
    name: str, description: Sequence[Any] | None, rows: list[tuple[Any, ...]]
) -> pl.DataFrame:
    if description is None:
        raise DataError(
            name, "the query returns no table, a SELECT is expected.", "Mend the `query`."
        )
    columns = [str(column[0]) for column in description]
    if len(set(columns)) != len(columns):
        twice = next(column for column in columns if columns.count(column) > 1)
        raise DataError(
            name, f"the query returns `{twice}` twice.", "Name each column once, with `AS`."
        )
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    return pl.DataFrame(
        [_series(column, cells) for column, cells in zip(columns, values, strict=True)]
    )


def _series(column: str, cells: tuple[Any, ...]) -> pl.Series:
    """One column; what a frame cannot hold as it is (mixed or exotic types) becomes text."""
    plain = [float(cell) if isinstance(cell, Decimal) else cell for cell in cells]
    try:
        return pl.Series(column, plain, strict=True)
    except (TypeError, pl.exceptions.PolarsError, OverflowError):
        return pl.Series(column, [None if cell is None else str(cell) for cell in cells], pl.String)
