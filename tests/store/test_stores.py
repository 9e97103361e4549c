"""Every store passes the kit, and what goes into one comes out of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recprism.errors import StoreError
from recprism.records import Event
from recprism.store import MemoryStore, SqliteFile, SqlStore, Store, find_event_fault, open_store
from recprism.store.opening import URL_VARIABLE
from recprism.store.records import read_event, write_event
from recprism.testing.postgres import PostgresServer
from recprism.testing.stores import NOW, StoreKit, an_event


class TestMemoryStore(StoreKit):
    def make(self, folder: Path) -> Store:  # noqa: ARG002
        return MemoryStore()


class TestSqliteStore(StoreKit):
    def make(self, folder: Path) -> Store:
        return SqlStore(SqliteFile(folder / "new" / "store.sqlite"))

    def test_it_goes_on_after_closing(self, store: Store) -> None:
        store.add_events([an_event()], NOW)
        store.close()
        assert len(store.events_of("u1")) == 1


class TestPostgresStore(StoreKit):
    @pytest.fixture(autouse=True)
    def _server(self, postgres: PostgresServer) -> None:
        self._url = postgres.fresh_url()

    def make(self, folder: Path) -> Store:
        return open_store(self._url, folder / "unused")

    def test_it_goes_on_after_closing(self, store: Store) -> None:
        store.add_events([an_event()], NOW)
        store.close()
        assert len(store.events_of("u1")) == 1


def test_the_kit_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="StoreKit must define `make"):
        StoreKit().make(tmp_path)


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
    assert isinstance(store, SqlStore)
    assert isinstance(store.database, SqliteFile)
    assert store.database.path == Path(file)


def test_memory_is_an_address_too() -> None:
    assert isinstance(open_store("memory:", Path("default.sqlite")), MemoryStore)


def test_the_environment_comes_before_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL_VARIABLE, "sqlite:////srv/other.sqlite")
    store = open_store("memory:", Path("default.sqlite"))
    assert isinstance(store, SqlStore)
    assert store.database.name == "/srv/other.sqlite"
    monkeypatch.setenv(URL_VARIABLE, "memory:")
    assert isinstance(open_store(None, Path("default.sqlite")), MemoryStore)


def test_a_password_in_an_unknown_address_is_not_repeated() -> None:
    with pytest.raises(StoreError, match=r"`mysql://h/db` is no store") as told:
        open_store("mysql://u:s3cret@h/db?password=s3cret", Path("default.sqlite"))
    assert "s3cret" not in str(told.value)


@pytest.mark.parametrize("url", ["mongodb://x", "sqlite:///", "live.sqlite"])
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
    memory = MemoryStore()
    file = SqlStore(SqliteFile(tmp_path_factory.mktemp("s") / "store.sqlite"))
    for batch in batches:
        assert memory.add_events(batch, NOW) == file.add_events(batch, NOW)
    for user in {event.user for batch in batches for event in batch}:
        assert memory.events_of(user) == file.events_of(user)
    assert [e for _, e in memory.events_after(0, 99)] == [e for _, e in file.events_after(0, 99)]
    file.close()


def test_the_account_of_a_batch_is_json() -> None:
    result = MemoryStore().add_events([an_event(), an_event(user="")], NOW)
    assert result.to_dict() == {
        "accepted": 1,
        "duplicates": 0,
        "rejected": [{"index": 1, "error": "`user`: an id must not be empty"}],
    }
