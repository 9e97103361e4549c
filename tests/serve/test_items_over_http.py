"""Items put and deleted over HTTP: the next list of every worker knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.serve.conftest import Make, error_of

from recprism.serve.shapes import ItemDeleted, ItemPage, ItemPut
from recprism.store import Role
from recprism.testing.shops import MILK, MILK_BUYER, shop_products

Key = Callable[[Role], dict[str, str]]
GOAT = "/v1/items/products/goat%2Fmilk"
SAID = {"text": "goat milk, dairy", "title": "goat milk", "labels": {"family": "milk"}}


def listed(client: TestClient, user: str | None = MILK_BUYER) -> list[str]:
    asked = {"user": user, "tasks": ["products"], "size": 61, "record": False}
    answer = client.post("/v1/lists", json=asked).json()
    return [item["id"] for item in answer["lists"]["products"]["items"]]


def test_an_item_is_put_shown_by_another_worker_and_deleted(make_client: Make) -> None:
    client, other = make_client(), make_client()
    assert "goat/milk" not in listed(other)
    response = client.put(GOAT, json=SAID)
    assert response.status_code == 200, response.text
    found = ItemPut.model_validate(response.json())
    assert (found.item, found.title, found.recommendable) == ("goat/milk", "goat milk", True)
    assert found.labels == {"family": "milk", "department": "dairy"}
    assert set(found.guessed) == {"department"}
    assert "goat/milk" in listed(other)
    page = ItemPage.model_validate(other.get("/v1/items/products", params={"query": "goat"}).json())
    assert [(item.id, item.title) for item in page.items] == [("goat/milk", "goat milk")]
    gone = ItemDeleted.model_validate(client.delete(GOAT).json())
    assert gone.deleted
    assert "goat/milk" not in listed(other)
    assert client.delete(GOAT).status_code == 200
    assert other.get("/v1/items/products", params={"query": "goat"}).json()["items"] == []


def test_a_trained_item_is_hidden_until_it_is_put_again(make_client: Make) -> None:
    client, other = make_client(), make_client()
    assert client.delete(f"/v1/items/products/{MILK}").status_code == 200
    assert MILK not in listed(other)
    rows = other.get("/v1/items/products").json()["items"]
    assert {row["id"] for row in rows} == {*shop_products()} - {MILK}
    assert client.put(f"/v1/items/products/{MILK}", json=SAID).status_code == 200
    assert MILK in listed(other)


def test_new_items_are_on_their_pages(client: TestClient) -> None:
    for item in ("a-first", "p10x", "z-last"):
        assert client.put(f"/v1/items/products/{item}", json=SAID).status_code == 200
    found, cursor = [], ""
    while cursor is not None:
        page = client.get("/v1/items/products", params={"limit": 7, "cursor": cursor}).json()
        found += [row["id"] for row in page["items"]]
        cursor = page["cursor"]
    assert found == sorted([*shop_products(), "a-first", "p10x", "z-last"])


def test_an_item_of_a_kind_with_offers_is_kept_for_the_next_training(client: TestClient) -> None:
    response = client.put("/v1/items/coupons/c-new", json={"text": "two for one"})
    assert (response.status_code, response.json()["recommendable"]) == (200, False)


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "said"),
    [
        ("/v1/items/product/x", SAID, 404, "unknown-kind", "There is no kind `product`"),
        ("/v1/items/products/x", {}, 422, "invalid", "Field required"),
        ("/v1/items/products/x", {"text": "  "}, 422, "invalid", "needs words"),
        ("/v1/items/products/x", {**SAID, "labels": {"size": "1"}}, 422, "unknown-label", "`size`"),
        ("/v1/items/products/x", {**SAID, "numbers": {"kg": 1}}, 422, "unknown-number", "`kg`"),
        ("/v1/items/products/x", {**SAID, "labels": {"family": 3}}, 422, "invalid", "string"),
        ("/v1/items/products/x", {**SAID, "text": "x" * 10_001}, 422, "invalid", "10000"),
        ("/v1/items/products/x", {**SAID, "text": "a\0b", "title": "\0"}, 422, "invalid", "title"),
        ("/v1/items/products/x", {**SAID, "lables": {}}, 422, "invalid", "not permitted"),
        (f"/v1/items/products/{'x' * 513}", SAID, 422, "bad-id", "at most 512 bytes"),
        ("/v1/items/products/%00", SAID, 422, "bad-id", "control character"),
    ],
)
def test_a_faulty_item_is_refused_in_one_sentence(
    client: TestClient, path: str, body: dict[str, Any], status: int, code: str, said: str
) -> None:
    response = client.put(path, json=body)
    error = error_of(response)
    assert (response.status_code, error["code"]) == (status, code), error
    assert said in error["message"]


def test_nobody_deletes_what_nobody_knows(client: TestClient) -> None:
    for path, code in (("products/nothing", "unknown-item"), ("product/p01", "unknown-kind")):
        response = client.delete(f"/v1/items/{path}")
        assert (response.status_code, error_of(response)["code"]) == (404, code)


def test_readers_change_no_items(make_client: Make, key_of: Key) -> None:
    client = make_client(is_local=False)
    reader, writer = key_of("reader"), key_of("writer")
    assert client.put(GOAT, json=SAID, headers=reader).status_code == 403
    assert client.delete(GOAT, headers=reader).status_code == 403
    assert client.put(GOAT, json=SAID, headers=writer).status_code == 200


def test_without_an_artifact_items_wait(make_client: Make) -> None:
    response = make_client(trained=False).put(GOAT, json=SAID)
    assert (response.status_code, error_of(response)["code"]) == (503, "not-trained")
