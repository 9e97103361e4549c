"""Tables out of SQLite, and out of a real PostgreSQL where one is installed."""

from __future__ import annotations

import sqlite3
from datetime import date, datetime
from pathlib import Path

import pytest

from recprism.data import sql
from recprism.data.sources import open_table
from recprism.data.sql import without_password
from recprism.errors import DataError, MissingExtra
from recprism.project.schema import Source
from recprism.testing.postgres import PostgresServer


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE goods (id, name TEXT, price REAL)")
        rows = [(1, "Tea", 2.5), ("0012", "Zoë 🦊", None), (3, None, 4)]
        database.executemany("INSERT INTO goods VALUES (?, ?, ?)", rows)
    database.close()
    return tmp_path


def test_a_sqlite_query_is_a_table_relative_to_the_project(shop: Path) -> None:
    table = open_table(Source(source="sqlite:///shop.db", query="SELECT * FROM goods"), shop)
    frame = table.read()
    assert frame["id"].to_list() == ["1", "0012", "3"]
    assert frame["name"].to_list() == ["Tea", "Zoë 🦊", None]
    assert frame["price"].to_list() == [2.5, None, 4.0]


def test_reading_never_writes_to_the_database(shop: Path) -> None:
    with pytest.raises(DataError, match="the database refused: attempt to write a readonly"):
        open_table(Source(source="sqlite:///shop.db", query="DELETE FROM goods"), shop)


@pytest.mark.parametrize(
    ("source", "query", "message"),
    [
        ("sqlite:///no.db", "SELECT 1", r"sqlite:///no.db: there is no such file \(looked for"),
        ("sqlite:///shop.db", "SELECT * FROM bads", "the database refused: no such table: bads"),
        ("sqlite:///shop.db", None, "is a database, a `query` is needed beside it"),
        ("sqlite:///shop.db", "SELECT id, id FROM goods", "the query returns `id` twice"),
        ("sqlite:///shop.db", "  ", "the query returns no table, a SELECT is expected"),
        ("mysql://host/db", "SELECT 1", "mysql://host/db: is no database that can be read"),
    ],
)
def test_what_a_database_cannot_answer_is_one_sentence(
    shop: Path, source: str, query: str | None, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        open_table(Source(source=source, query=query), shop)


def test_passwords_never_reach_a_message() -> None:
    url = "postgresql://ann:secret@host:5432/db"
    assert without_password(url) == "postgresql://ann@host:5432/db"
    assert without_password("postgresql://host/db") == "postgresql://host/db"


def test_postgresql_without_its_driver_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtra, match=r"`psycopg`.*pip install 'recprism\[postgres\]'"):
        open_table(Source(source="postgresql://ann@host/db", query="SELECT 1"), tmp_path)


def test_a_postgresql_query_is_a_table(postgres: PostgresServer, tmp_path: Path) -> None:
    query = (
        "SELECT * FROM (VALUES ('0012', 2.50::numeric, TIMESTAMP '2024-03-01 10:00', 7::bigint),"
        " ('Zoë 🦊', NULL, NULL, NULL)) AS t(id, paid, at, n)"
    )
    frame = open_table(Source(source=postgres.url, query=query), tmp_path).read()
    assert frame["id"].to_list() == ["0012", "Zoë 🦊"]
    assert frame["paid"].to_list() == [2.5, None]
    assert frame["at"].to_list() == [datetime(2024, 3, 1, 10), None]
    assert frame["n"].to_list() == [7, None]
    days = open_table(Source(source=postgres.url, query="SELECT DATE '2024-03-01' AS d"), tmp_path)
    assert days.read()["d"].to_list() == [date(2024, 3, 1)]


def test_postgresql_mistakes_are_one_sentence(postgres: PostgresServer, tmp_path: Path) -> None:
    with pytest.raises(DataError, match='the database refused: relation "nothing" does not exist'):
        open_table(Source(source=postgres.url, query="SELECT * FROM nothing"), tmp_path)
    with pytest.raises(DataError, match=r"the database refused: .*read-only transaction"):
        open_table(Source(source=postgres.url, query="CREATE TABLE x (a int)"), tmp_path)
