"""The PostgreSQL store among restarts, strangers' tables, and wrong passwords."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from recprism.errors import StoreError
from recprism.store import SqlStore, Store, open_store
from recprism.store.postgres import PostgresDatabase
from recprism.testing.postgres import PostgresServer, running_postgres
from recprism.testing.stores import NOW, an_event


def open_at(url: str) -> Store:
    return open_store(url, Path("unused"))


@pytest.fixture
def own_server(postgres: PostgresServer) -> Iterator[PostgresServer]:  # noqa: ARG001
    """A server that a test may stop; skips where `postgres` does."""
    with running_postgres() as server:
        yield server


def test_two_stores_share_a_database(postgres: PostgresServer) -> None:
    url = postgres.fresh_url()
    first, second = open_at(url), open_at(url)
    first.add_events([an_event(idempotency_key="k")], NOW)
    assert second.add_events([an_event(idempotency_key="k")], NOW).duplicates == 1
    assert len(second.events_of("u1")) == 1
    assert second.identity() == first.identity()
    first.close()
    second.close()


def test_reading_makes_no_tables(postgres: PostgresServer) -> None:
    url = postgres.fresh_url()
    store = open_at(url)
    assert store.events_of("u1") == []
    assert store.identity() == ""
    store.ping()
    schema = url.rpartition("%3D")[2]
    tables = f"SELECT count(*) FROM pg_tables WHERE schemaname = '{schema}'"
    assert postgres.run_sql(tables) == [(0,)]
    store.close()


def test_tables_of_others_are_not_taken(postgres: PostgresServer) -> None:
    url = postgres.fresh_url()
    schema = url.rpartition("%3D")[2]
    postgres.run_sql(f"CREATE TABLE {schema}.events (name text)")
    store = open_at(url)
    with pytest.raises(StoreError, match='relation "events" already exists'):
        store.add_events([an_event()], NOW)
    store.close()


def test_two_processes_may_make_the_tables_at_once(postgres: PostgresServer) -> None:
    url = postgres.fresh_url()
    stores = [open_at(url) for _ in range(6)]
    faults: list[Exception] = []

    def write(store: Store) -> None:
        try:
            store.add_events([an_event()], NOW)
        except StoreError as fault:
            faults.append(fault)

    threads = [threading.Thread(target=write, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(stores[0].events_of("u1")) == 6
    for store in stores:
        store.close()


def test_a_restart_under_load_is_survived(own_server: PostgresServer) -> None:
    store = open_at(own_server.fresh_url())
    store.add_events([an_event("u0")], NOW)
    acknowledged: list[str] = []
    failures: list[StoreError] = []
    stop = threading.Event()

    def write(name: str) -> None:
        number = 0
        while not stop.is_set():
            event = an_event(f"w{name}", f"{number}", idempotency_key=f"{name}-{number}")
            try:
                store.add_events([event], NOW)
                acknowledged.append(f"{name}-{number}")
                number += 1
            except StoreError as error:
                failures.append(error)
                time.sleep(0.02)

    threads = [threading.Thread(target=write, args=(f"{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    own_server.stop("immediate")
    before = len(acknowledged)
    time.sleep(0.3)
    own_server.start()
    end = time.monotonic() + 30
    while len(acknowledged) < before + 20 and time.monotonic() < end:
        time.sleep(0.02)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures
    assert all(len(str(error).splitlines()) == 1 for error in failures)
    assert len(acknowledged) >= before + 20
    kept = [e.idempotency_key for n in range(4) for e in store.events_of(f"w{n}")]
    assert set(acknowledged) <= set(kept)
    assert len(kept) == len(set(kept))
    store.close()


def test_a_server_that_is_not_there_is_named_without_a_password(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    store = open_at(f"postgresql://me:s3cret@127.0.0.1:1/shop?sslkey={tmp_path}&password=s3cret")
    with pytest.raises(StoreError, match=r"`postgresql://127\.0\.0\.1:1/shop` cannot") as told:
        store.ping()
    assert "s3cret" not in "".join(traceback.format_exception(told.value))
    assert len(str(told.value).splitlines()) == 1


def test_a_wrong_password_is_not_repeated(postgres: PostgresServer) -> None:
    url = postgres.url.replace(postgres.password, "wr0ng-s3cret")
    with pytest.raises(StoreError, match="password authentication failed") as told:
        open_at(url).events_of("u1")
    shown = "".join(traceback.format_exception(told.value))
    assert "wr0ng-s3cret" not in shown


@pytest.mark.parametrize(
    "url", ["postgresql://me:s3cret@host:port/db", "postgresql://me:s3cret@h:99999999/db?x=%ZZ"]
)
def test_an_address_that_cannot_be_read_is_not_repeated(url: str) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(StoreError) as told:
        open_at(url).ping()
    assert "s3cret" not in "".join(traceback.format_exception(told.value))


def test_a_slow_statement_is_ended(postgres: PostgresServer) -> None:
    store = SqlStore(PostgresDatabase(postgres.fresh_url()))
    store.add_events([an_event()], NOW)
    engine = store._open(writing=True)
    assert engine is not None
    with engine.connect() as connection:
        limit = connection.exec_driver_sql("SHOW statement_timeout").scalar_one()
        durable = connection.exec_driver_sql("SHOW synchronous_commit").scalar_one()
    assert (limit, durable) == ("10s", "on")
    store.close()
