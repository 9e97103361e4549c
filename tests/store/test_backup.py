"""A backup is the store of one moment, and restoring loses neither the old store nor erasures."""

from __future__ import annotations

import os
import stat
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from tests.store.test_migrations import old_store

from recprism.errors import StoreError, UsageError
from recprism.store import SqliteFile, SqlStore
from recprism.store.backup import back_up, restore
from recprism.store.postgres import PostgresDatabase
from recprism.testing.stores import NOW, an_event


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with one event."""
    store = SqlStore(SqliteFile(tmp_path / "p" / "store.sqlite"))
    store.add_events([an_event()], NOW)
    store.close()
    return tmp_path / "p" / "store.sqlite"


def items_in(path: Path) -> list[str]:
    store = SqlStore(SqliteFile(path))
    found = [event.item for event in store.events_of("u1")]
    store.close()
    return found


def test_a_backup_is_made_while_others_write(path: Path, tmp_path: Path) -> None:
    store = SqlStore(SqliteFile(path))
    stop, file = threading.Event(), tmp_path / "backup.sqlite"

    def write() -> None:
        while not stop.is_set():
            store.add_events([an_event("u2", "a"), an_event("u2", "b")], NOW)

    thread = threading.Thread(target=write)
    thread.start()
    size = back_up(SqliteFile(path), file)
    stop.set()
    thread.join()
    store.close()
    assert size == file.stat().st_size
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    copy = SqlStore(SqliteFile(file))
    kept = copy.events_of("u2")
    copy.close()
    assert len(kept) % 2 == 0  # a whole number of batches
    assert sorted(p.name for p in tmp_path.iterdir()) == ["backup.sqlite", "p"]


def test_a_backup_comes_back(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "backup.sqlite"
    back_up(SqliteFile(path), file)
    store = SqlStore(SqliteFile(path))
    store.add_events([an_event(item="later")], NOW)
    last = store.events_after(0, 9)[-1][0]
    store.close()
    restore(SqliteFile(path), file)
    assert items_in(path) == ["milk"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["store.sqlite"]
    # What a training learned since must not hide what comes now.
    store = SqlStore(SqliteFile(path))
    store.add_events([an_event()], NOW)
    assert store.events_after(0, 9)[-1][0] > last
    store.close()


def test_a_backup_comes_back_where_nothing_was(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "backup.sqlite"
    back_up(SqliteFile(path), file)
    restore(SqliteFile(tmp_path / "new" / "store.sqlite"), file)
    assert items_in(tmp_path / "new" / "store.sqlite") == ["milk"]


def test_erasures_since_the_backup_stay(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "backup.sqlite"
    store = SqlStore(SqliteFile(path))
    store.erase("u8", "d8", NOW)
    back_up(SqliteFile(path), file)
    store.erase("u9", "d9", NOW)
    store.erase("u8", "d8", NOW + timedelta(days=1))
    store.close()
    restore(SqliteFile(path), file)
    store = SqlStore(SqliteFile(path))
    assert store.erasures() == {"d8": NOW + timedelta(days=1), "d9": NOW}
    store.close()


def test_a_backup_of_an_old_store_is_brought_up_to_date(path: Path, tmp_path: Path) -> None:
    store = SqlStore(SqliteFile(path))
    store.erase("u9", "d9", NOW)
    store.close()
    restore(SqliteFile(path), old_store(tmp_path / "old.sqlite"))
    assert items_in(path) == ["i0", "i1"]
    store = SqlStore(SqliteFile(path))
    assert store.erasures() == {"d9": NOW}
    store.close()


def test_a_store_in_use_is_not_replaced(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "backup.sqlite"
    back_up(SqliteFile(path), file)
    server = SqlStore(SqliteFile(path))
    server.add_events([an_event(item="later")], NOW)
    with pytest.raises(StoreError, match=r"store\.sqlite` is in use\. Stop the server"):
        restore(SqliteFile(path), file)
    assert server.add_events([an_event(item="last")], NOW).accepted == 1
    server.close()
    assert items_in(path) == ["milk", "later", "last"]
    assert [p.name for p in path.parent.iterdir()] == ["store.sqlite"]


def test_a_damaged_store_is_replaced(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "backup.sqlite"
    back_up(SqliteFile(path), file)
    path.write_bytes(os.urandom(20_000))
    restore(SqliteFile(path), file)
    assert items_in(path) == ["milk"]


def test_only_a_sound_backup_is_restored(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "backup.sqlite"
    with pytest.raises(StoreError, match=r"no file `.*backup\.sqlite` to restore"):
        restore(SqliteFile(path), file)
    file.write_bytes(b"a shopping list, " * 500)
    with pytest.raises(StoreError, match=r"backup\.sqlite` is no sound backup of a store: file is"):
        restore(SqliteFile(path), file)
    file.write_bytes(b"")
    with pytest.raises(StoreError, match="is a SQLite file, but no backup of a store"):
        restore(SqliteFile(path), file)
    store = SqlStore(SqliteFile(path))
    store.add_events([an_event("u2") for _ in range(500)], NOW)
    store.close()
    whole = path.read_bytes()
    file.write_bytes(whole[:8192] + os.urandom(8192) + whole[16384:])
    with pytest.raises(StoreError, match="is no sound backup of a store: "):
        restore(SqliteFile(path), file)
    assert items_in(path) == ["milk"]


def test_there_is_nothing_to_back_up_before_the_first_write(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"store\.sqlite` does not exist yet"):
        back_up(SqliteFile(tmp_path / "store.sqlite"), tmp_path / "backup.sqlite")


def test_a_store_is_no_backup_of_itself(path: Path) -> None:
    with pytest.raises(UsageError, match="is the store itself"):
        back_up(SqliteFile(path), path)
    assert items_in(path) == ["milk"]


def test_postgres_has_tools_of_its_own(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    database = PostgresDatabase("postgresql://h/db")
    for ask in (back_up, restore):
        with pytest.raises(UsageError, match="`postgresql://h/db` is no file: `pg_dump` makes"):
            ask(database, tmp_path / "b")
