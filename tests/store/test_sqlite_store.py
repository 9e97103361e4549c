"""The SQLite store among other processes, kills, full disks and damage."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recprism.errors import DiskFull, StoreError
from recprism.store import SqliteFile, SqlStore
from recprism.testing.stores import NOW, an_event

WRITER = """
import os, sys
from datetime import datetime
from recprism.records import Event
from recprism.store import SqliteFile, SqlStore
store = SqlStore(SqliteFile(sys.argv[1]))
number, end, batch = int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
while number < end:
    events = [
        Event(user=sys.argv[2], kind="products", item=f"i{n}", action="view",
              idempotency_key=f"{sys.argv[2]}-{n}")
        for n in range(number, number + batch)
    ]
    result = store.add_events(events, datetime(2017, 12, 1))
    assert result.accepted + result.duplicates == batch
    number += batch
    os.write(1, f"{number}\\n".encode())  # in one piece, whenever the kill comes
store.close()
"""

FORKS = """
import os, sys
import recprism.store.sql
for first in sys.stdin:
    pid = os.fork()
    if pid == 0:
        sys.argv[3] = first
        print(os.getpid(), flush=True)
        break
    os.waitpid(pid, 0)
    print("killed", flush=True)
else:
    sys.exit()
"""


def writer(path: Path, user: str, first: int, end: int, batch: int = 1) -> list[str]:
    """A command that writes events and prints after each batch how far it came."""
    return [sys.executable, "-c", WRITER, str(path), user, str(first), str(end), str(batch)]


def sqlite_store(path: Path) -> SqlStore:
    return SqlStore(SqliteFile(path))


def test_reading_makes_no_file(tmp_path: Path) -> None:
    store = sqlite_store(tmp_path / "store.sqlite")
    assert store.events_of("u1") == []
    assert list(tmp_path.iterdir()) == []


def test_a_store_is_its_owners_alone(tmp_path: Path) -> None:
    store = sqlite_store(tmp_path / "store.sqlite")
    store.add_events([an_event()], NOW)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    store.close()
    assert modes == dict.fromkeys(("store.sqlite", "store.sqlite-wal", "store.sqlite-shm"), 0o600)


def test_a_store_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    store = sqlite_store(path)
    store.add_events([an_event()], NOW)
    store.close()
    path.chmod(0o644)
    assert len(sqlite_store(path).events_of("u1")) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_events_survive_a_new_process(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    subprocess.run(writer(path, "u1", 0, 3), check=True, timeout=60)
    store = sqlite_store(path)
    assert [e.item for e in store.events_of("u1")] == ["i0", "i1", "i2"]
    store.close()


def test_two_processes_write_side_by_side(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    writers = [subprocess.Popen(writer(path, f"u{n}", 0, 40)) for n in range(3)]
    assert [running.wait(timeout=60) for running in writers] == [0, 0, 0]
    store = sqlite_store(path)
    assert [len(store.events_of(f"u{n}")) for n in range(3)] == [40, 40, 40]
    store.close()


def test_what_was_acknowledged_survives_kills(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    rng = random.Random(7)
    acknowledged = 0
    # One process that has everything loaded forks the writers, whom we kill.
    command = [sys.executable, "-c", FORKS + WRITER, str(path), "u1", "-1", str(10**9), "5"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        for _ in range(20):
            parent.stdin.write(f"{acknowledged}\n")
            pid = int(parent.stdout.readline())
            acknowledged = int(parent.stdout.readline())
            time.sleep(rng.random() * 0.05)
            os.kill(pid, signal.SIGKILL)
            while (line := parent.stdout.readline()) != "killed\n":
                acknowledged = int(line)
            store = sqlite_store(path)
            kept = [e.item for e in store.events_of("u1")]
            store.close()
            # A batch may be on the disk although its writer died before it could say so.
            assert acknowledged <= len(kept) <= acknowledged + 5
            assert kept == [f"i{n}" for n in range(len(kept))]
        parent.stdin.close()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    path.write_bytes(b"this is a shopping list, not a database, " * 40)
    with pytest.raises(StoreError, match=r"store\.sqlite` cannot be used: file is not a database"):
        sqlite_store(path).events_of("u1")


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 7")
    db.close()
    with pytest.raises(StoreError, match="schema version 7, this RecPrism reads up to 4"):
        sqlite_store(path).add_events([an_event()], NOW)


def test_a_full_disk_keeps_what_was_there(small_disk: Path) -> None:
    store = sqlite_store(small_disk / "store.sqlite")
    store.add_events([an_event()], NOW)
    big = [an_event("u2", "x" * 500, session="y" * 500) for _ in range(6000)]
    with pytest.raises(DiskFull, match=r"store\.sqlite"):
        store.add_events(big, NOW)
    assert len(store.events_of("u1")) == 1
    assert store.events_of("u2") == []
    store.close()


def test_a_store_that_may_not_grow_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    store = sqlite_store(path)
    store.add_events([an_event()], NOW)
    code = (
        "import json, resource, sys\n"
        "from datetime import datetime\n"
        "from recprism.errors import RecPrismError\n"
        "from recprism.store import SqliteFile, SqlStore\n"
        "from recprism.testing.stores import an_event\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "store = SqlStore(SqliteFile(sys.argv[1]))\n"
        "big = [an_event('u2', 'x' * 500, session='y' * 500) for _ in range(2000)]\n"
        "try: store.add_events(big, datetime(2018, 1, 1))\n"
        "except RecPrismError as error: print(json.dumps([type(error).__name__, str(error)]))\n"
        "assert len(store.events_of('u1')) == 1\n"
        "assert store.add_events([an_event('u3')], datetime(2018, 1, 1)).accepted == 1\n"
        "store.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    kind, said = json.loads(done.stdout)
    assert kind in ("StoreError", "DiskFull")
    assert str(path) in said
    assert len(said.splitlines()) == 1
    assert [len(store.events_of(user)) for user in ("u1", "u2", "u3")] == [1, 0, 1]
    store.close()


def test_a_full_file_is_a_full_disk(tmp_path: Path) -> None:
    store = sqlite_store(tmp_path / "store.sqlite")
    store.add_events([an_event()], NOW)
    engine = store._open(writing=True)
    assert engine is not None
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 30")
    big = [an_event("u2", "x" * 500, session="y" * 500) for _ in range(600)]
    with pytest.raises(DiskFull, match=r"disk filled while writing .*store\.sqlite"):
        store.add_events(big, NOW)
    assert len(store.events_of("u1")) == 1
    store.close()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("not a folder", encoding="utf-8")
    store = sqlite_store(place / "store.sqlite")
    assert store.events_of("u1") == []
    with pytest.raises(StoreError, match=r"file/store\.sqlite` cannot be used: .*File exists"):
        store.add_events([an_event()], NOW)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_named(tmp_path: Path) -> None:
    place = tmp_path / "locked"
    place.mkdir(mode=0o500)
    with pytest.raises(StoreError, match=r"store\.sqlite` cannot be used: .*Permission denied"):
        sqlite_store(place / "store.sqlite").add_events([an_event()], NOW)


def test_a_damaged_store_says_so(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    store = sqlite_store(path)
    store.add_events([an_event(f"u{n}") for n in range(2000)], NOW)
    store.close()
    data = bytearray(path.read_bytes())
    data[4096 : len(data) - 4096] = os.urandom(len(data) - 8192)
    path.write_bytes(data)
    store = sqlite_store(path)
    for ask in (lambda: store.events_of("u7"), lambda: store.add_events([an_event()], NOW)):
        with pytest.raises(StoreError, match=r"store\.sqlite` cannot be used: ") as told:
            ask()
        assert len(str(told.value).splitlines()) == 1
    store.close()


def test_an_error_says_nothing_about_people(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    store = sqlite_store(path)
    store.add_events([an_event("someone")], NOW)
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE events")
    with pytest.raises(StoreError, match="no such table: events") as told:
        store.events_of("someone")
    assert "someone" not in f"{told.value} {told.value.__cause__}"
    store.close()


@pytest.mark.parametrize("content", [b"", None])
def test_reading_changes_no_file_of_others(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "store.sqlite"
    if content is None:
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE notes (text TEXT)")
        content = path.read_bytes()
    path.write_bytes(content)
    store = sqlite_store(path)
    assert store.events_of("u1") == []
    store.ping()
    store.close()
    assert path.read_bytes() == content
    assert [file.name for file in tmp_path.iterdir()] == ["store.sqlite"]


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    path.touch()
    store = sqlite_store(path)
    store.add_events([an_event()], NOW)
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert len(store.events_of("u1")) == 1
    store.close()
