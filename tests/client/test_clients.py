"""Both clients say the same to a real server, and tell what it answers."""

from __future__ import annotations

import asyncio
import inspect
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import uvicorn

import recprism
from recprism.client import AsyncClient, Client, calls
from recprism.engine import open_engine
from recprism.errors import ServiceError
from recprism.project.schema import Serve
from recprism.records import Event
from recprism.serve.app import create_app
from recprism.serve.keys import make_key
from recprism.serve.settings import Settings
from recprism.store import MemoryStore
from recprism.testing.shops import MILK, MILK_BUYER, shop_products, shop_users

EVENT = Event(user="fresh/one", kind="products", item=MILK, action="purchase")


@contextmanager
def served(directory: Path, store: MemoryStore, **limits: Any) -> Iterator[str]:
    """A server in a thread of this process."""
    settings = Settings(limits=Serve(**limits), directory=directory)
    app = create_app(open_engine(directory, store=store), store, settings)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    with socket.create_server(("127.0.0.1", 0)) as bound:
        thread = threading.Thread(target=server.run, args=([bound],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def own(trained_shop: Path) -> Iterator[tuple[str, str]]:
    """Address and admin key of a server."""
    store = MemoryStore()
    key, stored = make_key("admin")
    store.add_key(stored)
    with served(trained_shop, store) as url:
        yield url, key


def test_a_program_asks_sends_and_asks_again(own: tuple[str, str]) -> None:
    with recprism.Client(own[0]) as client:
        before = client.lists(EVENT.user, ["products"], size=5)
        assert before.cold
        event = Event(user=EVENT.user, kind="products", item="p57", action="purchase")
        assert client.send(event).accepted == 1
        after = client.lists(EVENT.user, ["products"], size=5)
        assert not after.cold
        assert after.lists["products"].items[0].reason.text
        assert client.ask("drinks", MILK_BUYER, ["products"]).wish is not None
        assert client.profile(EVENT.user)["user"] == EVENT.user
        assert len(client.similar("products", MILK, 3)) == 3
        assert client.classify("products", "goat milk")["kind"] == "products"


def test_supposed_events_move_a_list_and_are_kept_nowhere(own: tuple[str, str]) -> None:
    supposed = Event(user="nobody yet", kind="products", item="p57", action="purchase", value=2.5)
    with recprism.Client(own[0]) as client:
        assert not client.lists(supposed.user, ["products"], events=[supposed]).cold
        assert client.lists(supposed.user, ["products"], record=False).cold


def test_items_come_and_go(own: tuple[str, str]) -> None:
    with recprism.Client(own[0]) as client:
        made = client.put_item("products", "a/new one", "goat milk", labels={"family": "milk"})
        assert (made.item, made.recommendable) == ("a/new one", True)
        assert [item.id for item in client.items("products", "goat")] == ["a/new one"]
        client.delete_item("products", "a/new one")
        assert list(client.items("products", "goat")) == []


def test_pages_are_walked_to_the_end(own: tuple[str, str]) -> None:
    with Client(own[0]) as client:
        assert set(shop_users()) <= set(client.users())
        assert {item.id for item in client.items("products")} == set(shop_products())
        assert [item.title for item in client.items("products", "whole")] == ["whole milk"]


def test_an_admin_manages_keys_and_artifacts(own: tuple[str, str]) -> None:
    url, key = own
    with Client(url, key) as admin:
        made = admin.create_key("reader", "page")
        assert [row.name for row in admin.keys()][-1] == "page"  # noqa: SIM118
        with Client(url, made.key) as reader:
            assert len(reader.tasks()) == 3
            with pytest.raises(ServiceError, match="role `admin` is needed") as caught:
                reader.keys()
        assert (caught.value.status, caught.value.code) == (403, "forbidden")
        assert caught.value.request_id
        assert admin.revoke_key(made.id)[-1].revoked is not None
        assert len(admin.artifacts().artifacts) == 1


def test_both_clients_have_the_same_methods() -> None:
    for name, method in inspect.getmembers(Client, inspect.isfunction):
        if name.startswith("_"):
            continue
        other = inspect.signature(getattr(AsyncClient, name))
        assert inspect.signature(method).parameters == other.parameters, name


def test_it_can_be_awaited(own: tuple[str, str]) -> None:
    async def talk() -> None:
        async with AsyncClient(own[0]) as client:
            answers = await asyncio.gather(*(client.lists(u, size=2) for u in shop_users()[:8]))
            assert [answer.user for answer in answers] == shop_users()[:8]
            assert [user async for user in client.users("mia")] == ["mia"]
            with pytest.raises(ServiceError, match=r"unknown-task \(`tasks\[0\]`\)"):
                await client.lists(tasks=["nothing"])

    asyncio.run(talk())


def test_a_busy_service_is_asked_again(trained_shop: Path) -> None:
    with (
        served(trained_shop, MemoryStore(), rate_per_s=5.0, burst=1) as url,
        Client(url) as client,
    ):
        assert [len(client.tasks()) for _ in range(3)] == [3, 3, 3]


def test_only_what_does_no_harm_is_sent_twice() -> None:
    busy = httpx.Response(503, headers={"Retry-After": "1"})
    keyed = Event(**{**_fields(EVENT), "idempotency_key": "k"})
    for call, again in (
        (calls.send([EVENT]), False),
        (calls.send([keyed, EVENT]), False),
        (calls.send([keyed]), True),
        (calls.tasks(), True),
        (calls.create_key("reader", ""), False),
    ):
        assert (call.wait_s(1, busy) == 1.0) is again
        assert (call.wait_s(1, None) is not None) is again
        assert call.wait_s(calls.TRIES, busy) is None


def _fields(event: Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in ("user", "kind", "item", "action")}


def test_an_event_is_sent_with_all_it_has() -> None:
    event = Event(
        **_fields(EVENT), time=datetime(2024, 5, 1), value=1.5, context={"store": "1"}, slot="front"
    )
    assert calls.row_of(event) == {
        **_fields(EVENT),
        "time": "2024-05-01T00:00:00",
        "value": 1.5,
        "context": {"store": "1"},
        "slot": "front",
    }


def test_nobody_at_the_address_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    client = Client(f"http://127.0.0.1:{port}")
    with client, pytest.raises(ServiceError, match="does not answer") as caught:
        client.create_key("reader")
    assert caught.value.status == 0


def test_an_answer_of_something_else_is_no_success() -> None:
    page = httpx.Response(502, text="<html>", request=httpx.Request("GET", "http://proxy/"))
    with pytest.raises(ServiceError, match="There is no RecPrism at proxy"):
        calls.tasks().result(page)
    with pytest.raises(ServiceError, match="another shape"):
        calls.tasks().result(httpx.Response(200, text="{}"))
