"""The shop behind an application in this process: a reader's, and one's own that may be changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from recprism.engine import open_engine
from recprism.project.schema import Serve
from recprism.serve.app import create_app
from recprism.serve.keys import make_key
from recprism.serve.settings import Settings
from recprism.store import MemoryStore, Role, Store

Make = Callable[..., TestClient]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def make_client(store: MemoryStore, trained_shop: Path) -> Iterator[Make]:
    """Makes clients of applications over `store`; `settings` are those of `Serve`."""
    opened: list[TestClient] = []

    def make(
        directory: Path | None = None,
        *,
        is_local: bool = True,
        trained: bool = True,
        kept_in: Store | None = None,
        **limits: Any,
    ) -> TestClient:
        used = kept_in or store
        engine = open_engine(directory or trained_shop, store=used) if trained else None
        settings = Settings(limits=Serve(**limits), is_local=is_local, directory=directory)
        client = TestClient(
            create_app(engine, used, settings),
            base_url="http://127.0.0.1",
            client=("127.0.0.1", 50_000),
            raise_server_exceptions=False,
        )
        opened.append(client)
        client.__enter__()
        return client

    yield make
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def client(make_client: Make) -> TestClient:
    return make_client()


@pytest.fixture
def key_of(store: MemoryStore) -> Callable[[Role], dict[str, str]]:
    """Makes a key and gives the headers that show it."""

    def make(role: Role) -> dict[str, str]:
        written, stored = make_key(role)
        store.add_key(stored)
        return {"Authorization": f"Bearer {written}"}

    return make


def error_of(response: Any) -> dict[str, Any]:
    """The error of a response, after a look at its shape."""
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"code", "message", "field", "hint", "request_id"}, error
    assert error["request_id"] == response.headers["x-request-id"]
    assert "Traceback" not in response.text
    return error
