"""Every store passes the kit; the SQLite one also survives other processes, kills and damage."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recprism.errors import DiskFull, StoreError
from recprism.records import Event
from recprism.store import MemoryStore, SqliteStore, Store, find_event_fault, open_store
from recprism.store.records import read_event, write_event
from recprism.testing.stores import NOW, StoreKit, an_event

WRITER = """
import sys
from datetime import datetime
from recprism.records import Event
from recprism.store import SqliteStore
store = SqliteStore(sys.argv[1])
number = 0
while number < int(sys.argv[3]):
    event = Event(user=sys.argv[2], kind="products", item=f"i{number}", action="view")
    assert store.add_events([event], datetime(2017, 12, 1)).accepted == 1
    number += 1
    print(number, flush=True)
store.close()
"""


class TestMemoryStore(StoreKit):
    def make(self, folder: Path) -> Store:  # noqa: ARG002
        return MemoryStore()


class TestSqliteStore(StoreKit):
    def make(self, folder: Path) -> Store:
        return SqliteStore(folder / "new" / "store.sqlite")

    def test_it_goes_on_after_closing(self, store: Store) -> None:
        store.add_events([an_event()], NOW)
        store.close()
        assert len(store.events_of("u1")) == 1


def test_the_kit_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="StoreKit must define `make"):
        StoreKit().make(tmp_path)


def test_reading_makes_no_file(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.sqlite")
    assert store.events_of("u1") == []
    assert list(tmp_path.iterdir()) == []


def test_events_survive_a_new_process(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    subprocess.run([sys.executable, "-c", WRITER, str(path), "u1", "3"], check=True, timeout=60)
    store = SqliteStore(path)
    assert [e.item for e in store.events_of("u1")] == ["i0", "i1", "i2"]
    store.close()


def test_two_processes_write_side_by_side(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), f"u{n}", "40"]) for n in range(3)
    ]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    store = SqliteStore(path)
    assert [len(store.events_of(f"u{n}")) for n in range(3)] == [40, 40, 40]
    store.close()


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    command = [sys.executable, "-c", WRITER, str(path), "u1", "1000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(0.2)
        writer.kill()
        acknowledged = [1, *(int(line) for line in writer.stdout.read().split())]
    store = SqliteStore(path)
    kept = [e.item for e in store.events_of("u1")]
    store.close()
    assert acknowledged[-1] <= len(kept) <= acknowledged[-1] + 1
    assert kept == [f"i{n}" for n in range(len(kept))]


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    path.write_bytes(b"this is a shopping list, not a database, " * 40)
    with pytest.raises(StoreError, match=r"store\.sqlite` cannot be used: file is not a database"):
        SqliteStore(path).events_of("u1")


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 7")
    db.close()
    with pytest.raises(StoreError, match="schema version 7, this RecPrism reads up to 1"):
        SqliteStore(path).add_events([an_event()], NOW)


def test_a_full_disk_keeps_what_was_there(small_disk: Path) -> None:
    store = SqliteStore(small_disk / "store.sqlite")
    store.add_events([an_event()], NOW)
    big = [an_event("u2", "x" * 500, session="y" * 500) for _ in range(6000)]
    with pytest.raises(DiskFull, match=r"store\.sqlite"):
        store.add_events(big, NOW)
    assert len(store.events_of("u1")) == 1
    assert store.events_of("u2") == []
    store.close()


@pytest.mark.parametrize(
    ("url", "file"),
    [
        (None, "default.sqlite"),
        ("sqlite:///live.sqlite", "base/live.sqlite"),
        ("sqlite:////srv/live.sqlite", "/srv/live.sqlite"),
    ],
)
def test_an_address_names_a_file(url: str | None, file: str) -> None:
    store = open_store(url, Path("default.sqlite"), Path("base"))
    assert isinstance(store, SqliteStore)
    assert store.path == Path(file)


def test_memory_is_an_address_too() -> None:
    assert isinstance(open_store("memory:", Path("default.sqlite")), MemoryStore)


@pytest.mark.parametrize("url", ["mongodb://x", "sqlite:///", "postgresql://h/db"])
def test_an_unknown_address_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match=f"`{url}` is no store that this version knows"):
        open_store(url, Path("default.sqlite"))


@pytest.mark.parametrize(
    ("event", "fault"),
    [
        (an_event(user=""), "`user`: an id must not be empty"),
        (an_event(item="a\x00b"), r"`item`: the id 'a\x00b' holds a control character"),
        (an_event(item="é" * 257), "at most 512 bytes, found 514"),
        (an_event(session=7), "`session`: an id must be text, found int `7`"),
        (an_event(session="a\nb"), "`session`: the id"),
        (an_event(value=float("nan")), "`value`: found `nan`"),
        (an_event(time=NOW + timedelta(hours=1)), "`2017-12-01T13:00:00` is over 5 minutes ahead"),
        (an_event(time=NOW.replace(tzinfo=UTC)), "`time`: found the zone `UTC`"),
        (an_event(context={"store": ""}), "`context`: an id must not be empty"),
        (an_event(user="\ud800"), "control character"),
    ],
)
def test_a_faulty_event_says_what_is_wrong(event: Event, fault: str) -> None:
    assert fault in (find_event_fault(event, NOW) or "")


_texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30)
_events = st.builds(
    Event,
    user=_texts,
    kind=_texts,
    item=_texts,
    action=_texts,
    time=st.datetimes(min_value=datetime(1900, 1, 1), max_value=NOW),
    value=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    session=st.none() | _texts,
    context=st.dictionaries(_texts, _texts, max_size=3),
    offer=st.none() | _texts,
    idempotency_key=st.none() | st.sampled_from("abc"),
)


@settings(deadline=None, max_examples=60)
@given(event=_events)
def test_every_sound_event_survives_writing_and_reading(event: Event) -> None:
    assert find_event_fault(event, NOW) is None
    assert event.time is not None
    assert read_event(write_event(event), event.time, event.idempotency_key) == event


@settings(deadline=None, max_examples=25)
@given(batches=st.lists(st.lists(_events, max_size=5), max_size=3))
def test_both_stores_agree(
    batches: list[list[Event]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    memory, file = MemoryStore(), SqliteStore(tmp_path_factory.mktemp("s") / "store.sqlite")
    for batch in batches:
        assert memory.add_events(batch, NOW) == file.add_events(batch, NOW)
    for user in {event.user for batch in batches for event in batch}:
        assert memory.events_of(user) == file.events_of(user)
    file.close()


def test_the_account_of_a_batch_is_json() -> None:
    result = MemoryStore().add_events([an_event(), an_event(user="")], NOW)
    assert result.to_dict() == {
        "accepted": 1,
        "duplicates": 0,
        "rejected": [{"index": 1, "error": "`user`: an id must not be empty"}],
    }
