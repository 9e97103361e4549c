"""Old stores become new ones with nothing lost, and are refused until they are."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert

from recprism.errors import StoreError
from recprism.store import Limit, SqliteFile, SqlStore
from recprism.store.database import Database
from recprism.store.migrating import migrate, run_migrations
from recprism.store.postgres import PostgresDatabase
from recprism.store.records import write_event
from recprism.store.tables import make_version_table, metadata, schema_version
from recprism.testing.postgres import PostgresServer
from recprism.testing.stores import NOW, an_event, an_impression

VERSION_1 = """
CREATE TABLE events (
    arrival INTEGER PRIMARY KEY, user TEXT NOT NULL, time INTEGER NOT NULL,
    key TEXT UNIQUE, content TEXT NOT NULL);
CREATE INDEX events_of ON events (user, time, arrival);
CREATE TABLE impressions (
    arrival INTEGER PRIMARY KEY, user TEXT NOT NULL, time INTEGER NOT NULL,
    request_id TEXT NOT NULL, task TEXT NOT NULL, kind TEXT NOT NULL, item TEXT NOT NULL,
    position INTEGER NOT NULL, slot TEXT);
CREATE INDEX impressions_of ON impressions (user, time, arrival);
PRAGMA journal_mode = WAL;
PRAGMA user_version = 1;
"""
"""As RecPrism 0.1 made it."""
NOW_US = 1_512_129_600_000_000


def old_store(path: Path) -> Path:
    """A store of version 1 with three events and an impression."""
    db = sqlite3.connect(path)
    db.executescript(VERSION_1)
    for n, key in enumerate((None, "k1", None)):
        content = write_event(an_event(item=f"i{n}"))
        row = ("u1", NOW_US + n, key, content)
        db.execute("INSERT INTO events (user, time, key, content) VALUES (?, ?, ?, ?)", row)
    db.execute("DELETE FROM events WHERE arrival = 3")
    db.execute("INSERT INTO events VALUES (9, 'u2', ?, NULL, ?)", (NOW_US, write_event(an_event())))
    db.execute(
        "INSERT INTO impressions VALUES (1, 'u1', ?, 'r1', 'shop', 'products', 'milk', 0, 'front')",
        (NOW_US,),
    )
    db.commit()
    db.close()
    return path


def test_an_old_store_keeps_everything(tmp_path: Path) -> None:
    path = old_store(tmp_path / "store.sqlite")
    assert migrate(SqliteFile(path)) == (1, 4)
    assert migrate(SqliteFile(path)) == (4, 4)
    store = SqlStore(SqliteFile(path))
    events = store.events_of("u1")
    assert [(e.item, e.idempotency_key) for e in events] == [("i0", None), ("i1", "k1")]
    assert [e.time for e in events] == [NOW, NOW + timedelta(microseconds=1)]
    assert [number for number, _ in store.events_after(0, 9)] == [1, 2, 9]
    old = an_impression(slot="front")
    assert store.impressions_of("u1", NOW) == [old]
    assert store.reserve([old], {"shop": Limit(shows=1, since=NOW)}) == [False]
    assert store.add_events([an_event(item="i1", idempotency_key="k1")], NOW).duplicates == 1
    store.erase("u2", "d", NOW)
    store.add_events([an_event("u3")], NOW)
    assert store.events_after(2, 9)[0][0] == 10
    store.close()


@pytest.mark.parametrize("writing", [False, True])
def test_an_old_store_is_refused_in_one_sentence(tmp_path: Path, writing: bool) -> None:
    store = SqlStore(SqliteFile(old_store(tmp_path / "store.sqlite")))
    with pytest.raises(StoreError, match=r"has schema version 1, this RecPrism needs 4\. Run `rec"):
        store.add_events([an_event()], NOW) if writing else store.events_of("u1")
    store.close()


def test_a_store_that_is_not_there_has_nothing_to_migrate(tmp_path: Path) -> None:
    assert migrate(SqliteFile(tmp_path / "store.sqlite")) == (0, 0)
    assert list(tmp_path.iterdir()) == []


def test_a_newer_store_is_not_migrated(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 7")
    with pytest.raises(StoreError, match="schema version 7, this RecPrism reads up to 4"):
        migrate(SqliteFile(path))


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = old_store(tmp_path / "store.sqlite")
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE people (name TEXT)")
    with pytest.raises(StoreError, match="table people already exists"):
        migrate(SqliteFile(path))
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM events").fetchone() == (3,)
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    assert "api_keys" not in tables
    assert "alembic_version" not in tables


def check_migrated_like_made(database: Database) -> None:
    """The tables that migrations make are those that a new store gets."""
    database.make()
    engine = database.connect()
    with engine.connect() as connection:
        database.begin(connection, [])
        make_version_table(connection)
        run_migrations(connection, 1)
        run_migrations(connection, 2)
        run_migrations(connection, 4)
        connection.commit()
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []
        assert database.version(connection) == 4
    engine.dispose()
    store = SqlStore(database)
    store.add_events([an_event()], NOW)
    assert len(store.identity()) == 32
    store.close()


def test_sqlite_tables_are_the_same_made_or_migrated(tmp_path: Path) -> None:
    check_migrated_like_made(SqliteFile(tmp_path / "store.sqlite"))
    made = SqlStore(SqliteFile(tmp_path / "made.sqlite"))
    made.add_events([an_event()], NOW)
    made.close()
    tables = []
    for name in ("store", "made"):
        with sqlite3.connect(tmp_path / f"{name}.sqlite") as db:
            rows = db.execute("SELECT name, sql FROM sqlite_master WHERE name = 'events'")
            tables.append([" ".join(sql.split()) for _, sql in rows])
    assert "AUTOINCREMENT" in tables[0][0]
    assert "AUTOINCREMENT" in tables[1][0]


def test_postgres_tables_are_the_same_made_or_migrated(postgres: PostgresServer) -> None:
    check_migrated_like_made(PostgresDatabase(postgres.fresh_url()))


def test_an_old_postgres_store_is_refused_and_migrated(postgres: PostgresServer) -> None:
    database = PostgresDatabase(postgres.fresh_url())
    engine = database.connect()
    with engine.connect() as connection:
        database.begin(connection, [])
        make_version_table(connection)
        run_migrations(connection, 1)
        connection.commit()
        assert connection.execute(schema_version.select()).all() == [("1",)]
        row = {"user": "u1", "time": NOW_US, "content": write_event(an_event())}
        connection.execute(insert(metadata.tables["events"]), row)
        connection.commit()
    engine.dispose()
    store = SqlStore(database)
    with pytest.raises(StoreError, match=r"has schema version 1, this RecPrism needs 4\. Run `rec"):
        store.events_of("u1")
    assert migrate(database) == (1, 4)
    assert [e.item for e in store.events_of("u1")] == ["milk"]
    store.close()
