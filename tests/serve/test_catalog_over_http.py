"""Users and items over HTTP: every id can be named, pages are complete."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from tests.serve.conftest import error_of

from recprism.serve.shapes import ItemPage, SimilarOut, UserPage
from recprism.testing.shops import MILK, MILK_BUYER, STRANGE_USER, shop_products, shop_users


def pages(client: TestClient, path: str, key: str, **asked: Any) -> list[Any]:
    found, cursor = [], ""
    while cursor is not None:
        response = client.get(path, params={**asked, "cursor": cursor})
        assert response.status_code == 200, response.text
        page = response.json()
        found += page[key]
        cursor = page["cursor"]
    return found


def test_all_users_come_in_pages_known_ones_and_live_ones(client: TestClient) -> None:
    event = {"kind": "products", "item": MILK, "action": "purchase"}
    live = ["a/b", "😀", "mia"]
    sent = [{**event, "user": user} for user in live]
    assert client.post("/v1/events", json=sent).status_code == 202
    found = pages(client, "/v1/users", "users", limit=7)
    assert found == sorted({*shop_users(), *live})
    assert pages(client, "/v1/users", "users", query="u1", limit=4) == [f"u1{n}" for n in range(10)]
    UserPage.model_validate(client.get("/v1/users").json())


def test_items_are_found_by_title_and_id(client: TestClient) -> None:
    found = pages(client, "/v1/items/products", "items", limit=13)
    assert [item["id"] for item in found] == sorted(shop_products())
    milks = pages(client, "/v1/items/products", "items", query="MILK")
    assert [item["title"] for item in milks] == ["whole milk", "low fat milk", "lactose free milk"]
    assert milks[0]["labels"] == {"department": "dairy", "family": "milk"}
    assert [i["id"] for i in pages(client, "/v1/items/products", "items", query="p07")] == ["p07"]
    ItemPage.model_validate(client.get("/v1/items/coupons").json())


@pytest.mark.parametrize("user", [MILK_BUYER, STRANGE_USER, "a/b", "a%2Fb", "..%2f", "ä?#&=+ "])
def test_any_id_has_an_address(client: TestClient, user: str) -> None:
    response = client.get(f"/v1/users/{quote(user, safe='')}/profile")
    assert response.status_code == 200, response.text
    assert response.json()["user"] == user


@pytest.mark.parametrize("written", ["%2e", "%2E%2e", "%ff", "%00", "a" * 600])
def test_what_is_no_id_is_refused(client: TestClient, written: str) -> None:
    response = client.get(f"/v1/users/{written}/profile")
    assert (response.status_code, error_of(response)["code"]) == (422, "bad-id")


def test_similar_items_come_with_their_likeness(client: TestClient) -> None:
    response = client.get(f"/v1/items/products/{MILK}/similar", params={"limit": 4})
    found = SimilarOut.model_validate(response.json())
    assert (found.kind, found.item, len(found.items)) == ("products", MILK, 4)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/items/product", 404, "unknown-kind"),
        ("/v1/items/product/p01/similar", 404, "unknown-kind"),
        ("/v1/items/products/p99/similar", 404, "unknown-item"),
        ("/v1/items/products?cursor=%21", 422, "bad-cursor"),
        ("/v1/items/products?cursor=_w", 422, "bad-cursor"),
        ("/v1/items/products?limit=0", 422, "invalid"),
        ("/v1/users?limit=x", 422, "invalid"),
        ("/v1/users?limit=1001", 422, "invalid"),
    ],
)
def test_mistakes_in_addresses_are_named(
    client: TestClient, path: str, status: int, code: str
) -> None:
    response = client.get(path)
    assert (response.status_code, error_of(response)["code"]) == (status, code)


def test_a_text_is_labelled(client: TestClient) -> None:
    body = {"kind": "products", "text": "fresh goat milk"}
    (item,) = client.post("/v1/classify", json=body).json()["items"]
    assert set(item["labels"]) == {"department", "family"}
    wrong = client.post("/v1/classify", json={**body, "kind": "watches"})
    assert (wrong.status_code, error_of(wrong)["code"]) == (422, "unknown-kind")


def test_a_wish_is_read_and_answered(client: TestClient) -> None:
    asked = {"query": "something to drink, no milk", "user": MILK_BUYER, "tasks": ["products"]}
    answer = client.post("/v1/ask", json=asked).json()
    assert answer["wish"]["unwanted"] == ["milk"]
    assert MILK not in [item["id"] for item in answer["lists"]["products"]["items"]]
