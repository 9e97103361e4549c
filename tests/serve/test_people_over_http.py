"""What people want, everything about them, and their erasure, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.serve.conftest import Make, error_of

from recprism.artifact import ArtifactShelf
from recprism.serve.shapes import PersonOut, ReceiptOut
from recprism.store import MemoryStore, Role
from recprism.testing.shops import MILK, MILK_BUYER

Key = Callable[[Role], dict[str, str]]
EVENT = {"user": MILK_BUYER, "kind": "products", "item": MILK, "action": "purchase"}


def ids(client: TestClient, user: str | None) -> Any:
    answer = client.post("/v1/lists", json={"user": user, "record": False}).json()
    return answer["cold"], [[i["id"] for i in one["items"]] for one in answer["lists"].values()]


def test_who_wants_no_personal_lists_gets_a_strangers_at_once(client: TestClient) -> None:
    assert not ids(client, MILK_BUYER)[0]
    said = client.put(f"/v1/users/{MILK_BUYER}", json={"personalize": False})
    assert said.status_code == 200
    assert not PersonOut.model_validate(said.json()).personalize
    assert ids(client, MILK_BUYER) == ids(client, None)
    client.put(f"/v1/users/{MILK_BUYER}", json={"traits": {"age": "30"}})
    assert not ids(client, MILK_BUYER)[0]


@pytest.mark.parametrize(
    "body", [{"personalize": "no"}, {"traits": {"age": 3}}, {"trait": {}}, {"traits": {"": "x"}}]
)
def test_a_person_that_cannot_be_meant_is_refused(client: TestClient, body: Any) -> None:
    response = client.put("/v1/users/u05", json=body)
    assert response.status_code == 422
    error_of(response)


def test_export_and_erasure_take_an_admin(client: TestClient, key_of: Key) -> None:
    for role in (None, "reader", "writer"):
        headers = {} if role is None else key_of(role)
        for method, path in (("GET", "/v1/users/u05/export"), ("DELETE", "/v1/users/u05")):
            response = client.request(method, path, headers=headers)
            assert response.status_code in (401, 403), (role, path)


def test_an_erased_person_is_a_stranger_everywhere_and_others_are_not(
    make_client: Make, store: MemoryStore, shop_copy: Path, key_of: Key
) -> None:
    client, admin = make_client(shop_copy), key_of("admin")
    client.post("/v1/events", json=EVENT)
    client.post("/v1/lists", json={"user": MILK_BUYER})
    exported = client.get(f"/v1/users/{MILK_BUYER}/export", headers=admin).json()
    assert exported["events"][0]["item"] == MILK
    assert {part["section"] for part in exported["sources"]} >= {"users", "events[0]"}
    other, before = ids(client, "u05"), ArtifactShelf(shop_copy / ".recprism/artifacts").ids()

    response = client.delete(f"/v1/users/{MILK_BUYER}", headers=admin)
    receipt = ReceiptOut.model_validate(response.json())
    assert response.status_code == 200
    assert MILK_BUYER not in response.text.replace(str(shop_copy), "")
    assert receipt.store["events"] == 1
    assert receipt.store["impressions"] > 0
    assert list(receipt.artifacts) == before
    assert ids(client, MILK_BUYER)[0]
    assert store.events_of(MILK_BUYER) == []
    assert ids(client, "u05") == other
    assert client.post("/v1/events", json=EVENT).status_code == 202
    assert not ids(client, MILK_BUYER)[0]


def test_erasures_at_once_leave_one_artifact(
    make_client: Make, shop_copy: Path, key_of: Key
) -> None:
    client, admin = make_client(shop_copy), key_of("admin")
    users = [f"u{n:02}" for n in range(5, 11)]
    with ThreadPoolExecutor(len(users)) as pool:
        done = list(pool.map(lambda u: client.delete(f"/v1/users/{u}", headers=admin), users))
    assert [response.status_code for response in done] == [200] * len(users)
    assert len(ArtifactShelf(shop_copy / ".recprism/artifacts").ids()) == 1
    assert all(ids(client, user)[0] for user in users)
