"""After an erasure no byte of the id is left: not in rows, files, or write-ahead logs."""

from __future__ import annotations

import random
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recprism.records import Event
from recprism.store import Person, SqliteFile, SqlStore, Store, open_store
from recprism.store.leftovers import holds
from recprism.store.mentions import event_without, is_telling
from recprism.testing.postgres import PostgresServer
from recprism.testing.stores import NOW, an_answer, an_event, an_impression

ID = "f3a9c17be04d52886b1d9e7702c4a5f8"
TABLES = ("events", "impressions", "people", "erasures", "api_keys", "about")


def plant(store: Store, rounds: int = 30) -> None:
    """Put an id into every place that may hold one, among the rows of others."""
    rng = random.Random(3)
    for n in range(rounds):
        others = [
            an_event(f"{rng.getrandbits(128):032x}", f"i{n}", session="s" * rng.randrange(1, 300))
            for _ in range(20)
        ]
        own = [
            an_event(ID, f"i{n}", idempotency_key=f"{ID}:{n}", time=NOW - timedelta(hours=n)),
            an_event(ID, session=ID, context={"who": ID}, request_id=ID, offer=ID, slot=ID),
            an_event("u2", ID, kind="people"),
            an_event("u2", session=f"web-{ID}", context={"friend": ID, "store": "1"}),
            an_event("u3", request_id=ID, idempotency_key=f"other-{ID}-{n}"),
            an_event("u3", item=f"gift-for-{ID}"),
        ]
        batch = [*others, *own]
        rng.shuffle(batch)
        assert store.add_events(batch, NOW).accepted == len(batch)
        store.record_impressions(an_answer(ID, ["milk", "bread"]), NOW)
        store.record_impressions(an_answer("u2", [ID]), NOW)
        store.reserve([an_impression("u2", request_id=ID), an_impression("u2", slot=ID)], {})
    store.put_person(Person(id=ID, traits={"nickname": ID}, changed=NOW))
    store.put_person(Person(id="u2", changed=NOW))


def check_erased(store: Store) -> None:
    """Everything about the person is gone, everything else is there."""
    assert store.events_of(ID) == []
    assert store.impressions_of(ID, NOW) == []
    assert store.person(ID) is None
    assert ID not in store.people("", 10_000)
    assert store.person("u2") is not None
    kept = [event for _, event in store.events_after(0, 10_000)]
    assert all(ID not in repr(event) for event in kept)
    assert len([e for e in kept if e.user == "u2"]) == 30
    assert {e.context["store"] for e in kept if e.user == "u2"} == {"1"}
    assert len([e for e in kept if e.user == "u3"]) == 30
    assert len(kept) == 30 * 22


def test_no_byte_is_left_in_the_files(tmp_path: Path) -> None:
    store = SqlStore(SqliteFile(tmp_path / "store.sqlite"))
    plant(store)
    before = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert before.count(ID.encode()) > 100
    removed = store.erase(ID, "d1", NOW)
    assert removed == {"events": 120, "impressions": 150, "people": 1, "mentions": 60}
    check_erased(store)
    for path in tmp_path.iterdir():  # the log and the index of a store that is still open as well
        assert ID.encode() not in path.read_bytes(), path.name
    with sqlite3.connect(tmp_path / "store.sqlite") as db:
        rows = [row for table in TABLES for row in db.execute(f"SELECT * FROM {table}")]
    assert ID not in repr(rows)
    store.close()


def test_no_byte_is_left_where_pages_were_divided(tmp_path: Path) -> None:
    # Random keys divide pages; SQLite then leaves copies of rows that `secure_delete` cannot know.
    rng = random.Random(24)
    path = tmp_path / "store.sqlite"
    store, other = SqlStore(SqliteFile(path)), SqlStore(SqliteFile(path))
    ids, gone = [f"{rng.getrandbits(128):032x}" for _ in range(40)], list[str]()
    for turn in range(36):
        batch = [
            an_event(
                rng.choice(ids),
                idempotency_key=f"{rng.choice(ids)}:{rng.getrandbits(64):x}",
                session="x" * rng.choice([1, 50, 500]),
                context={f"c{n}": rng.choice(ids) + "z" * 400 for n in range(rng.randrange(8))},
                time=NOW - timedelta(seconds=rng.randrange(10**6)),
            )
            for _ in range(rng.randrange(1, 60))
        ]
        rng.choice([store, other]).add_events(batch, NOW)
        if turn % 6 == 5:
            gone.append(ids.pop(rng.randrange(len(ids))))
            rng.choice([store, other]).erase(gone[-1], f"d{turn}", NOW)
            left = b"".join(file.read_bytes() for file in tmp_path.iterdir())
            assert [user for user in gone if user.encode() in left] == []
    store.close()
    other.close()


@pytest.mark.parametrize("user", ["1029", 'a"b', "é" * 10, "x" * 15, "y" * 16, "z" * 500])
def test_a_copy_of_an_id_is_found_where_it_is_a_user(tmp_path: Path, user: str) -> None:
    path = tmp_path / "store.sqlite"
    store = SqlStore(SqliteFile(path))
    other = f"2{user}"
    store.add_events([an_event(other), an_event(other, "1029", time=NOW - timedelta(1))], NOW)
    store.close()
    assert holds(path, other)
    assert holds(path, user) is is_telling(user)  # a short one is no part of another
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("UPDATE events SET content = ''")  # the indexes still have it
    db.execute("VACUUM")
    db.close()
    assert holds(path, other)
    store.erase(other, "d1", NOW)
    assert not holds(path, other)
    store.close()


def test_no_row_is_left_in_postgres(postgres: PostgresServer) -> None:
    url = postgres.fresh_url()
    store = open_store(url, Path("unused"))
    plant(store)
    assert store.erase(ID, "d1", NOW)["events"] == 120
    check_erased(store)
    schema = url.rpartition("%3D")[2]
    rows = [postgres.run_sql(f"SELECT * FROM {schema}.{table}") for table in TABLES]
    assert ID not in repr(rows)
    dead = f"SELECT sum(n_dead_tup) FROM pg_stat_user_tables WHERE schemaname = '{schema}'"
    assert postgres.run_sql(dead) == [(0,)]
    store.close()


def test_what_is_purged_leaves_no_byte(tmp_path: Path) -> None:
    store = SqlStore(SqliteFile(tmp_path / "store.sqlite"))
    plant(store, 5)
    store.purge(NOW + timedelta(days=1))
    assert store.events_after(0, 9) == []
    store.erase(ID, "d1", NOW)
    for path in tmp_path.iterdir():
        assert ID.encode() not in path.read_bytes(), path.name
    store.close()


@pytest.mark.parametrize("user", ['Zoë "the 🦊" O\'Hara', "back\\slash and more", "x" * 512])
def test_an_id_that_is_written_in_another_way_is_found(tmp_path: Path, user: str) -> None:
    store = SqlStore(SqliteFile(tmp_path / "store.sqlite"))
    store.add_events([an_event("u2", user, kind="people"), an_event("u2", session=user)], NOW)
    removed = store.erase(user, "d1", NOW)
    assert (removed["events"], removed["mentions"]) == (1, 1)
    assert store.events_of("u2") == [an_event("u2", time=NOW)]
    store.close()


_texts = st.sampled_from(["a", "people", ID, f"x{ID}", f"{ID}y"])


@settings(deadline=None, max_examples=100)
@given(
    event=st.builds(
        Event,
        user=_texts,
        kind=_texts,
        item=_texts,
        action=_texts,
        session=st.none() | _texts,
        context=st.dictionaries(_texts, _texts, max_size=2),
        offer=st.none() | _texts,
        request_id=st.none() | _texts,
        slot=st.none() | _texts,
        idempotency_key=st.none() | _texts,
    )
)
def test_what_stays_of_an_event_never_names_the_person(event: Event) -> None:
    left = event_without(event, ID)
    assert ID not in repr(left)
    if ID not in repr(event):
        assert left is event
