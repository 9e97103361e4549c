"""Lists over HTTP are the engine's, and whatever is wrong has one shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.serve.conftest import Make, error_of

from recprism.engine import open_engine
from recprism.errors import StoreError
from recprism.serve.shapes import AnswerOut
from recprism.store import MemoryStore
from recprism.testing.shops import MILK, MILK_BUYER, STRANGE_USER


def lists(client: TestClient, **asked: Any) -> Any:
    response = client.post("/v1/lists", json=asked)
    assert response.status_code == 200, response.text
    return response.json()


def test_the_answer_is_the_engines(client: TestClient, trained_shop: Path) -> None:
    asked: dict[str, Any] = {"user": MILK_BUYER, "tasks": ["coupons", "products"], "size": 4}
    answer = lists(client, **asked, at="2024-05-13T08:00", context={"store": "2"})
    engine = open_engine(trained_shop, store=MemoryStore())
    alone = engine.recommend(**asked, at="2024-05-13T08:00", context={"store": "2"}).to_dict()
    assert answer["lists"] == alone["lists"]
    assert list(answer["lists"]) == ["coupons", "products"]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"user": STRANGE_USER},
        {"user": "nobody", "explain": False},
        {"user": MILK_BUYER, "query": "something to drink under 3"},
        {"user": MILK_BUYER, "context": {"viewing": {"kind": "products", "id": MILK}}},
        {"user": MILK_BUYER, "context": {"viewing": f"products/{MILK}"}},
    ],
)
def test_every_answer_has_the_documented_shape(client: TestClient, asked: dict[str, Any]) -> None:
    answer = AnswerOut.model_validate(lists(client, **asked))
    assert set(answer.lists) == {"products", "coupons", "ads"}
    assert len(answer.lists["products"].items) == 10


def test_what_is_shown_is_recorded_unless_asked_not_to(
    client: TestClient, store: MemoryStore
) -> None:
    from datetime import datetime

    service = client.app.state.service  # type: ignore[attr-defined]
    answer = lists(client, user="u05", tasks=["products"])
    lists(client, user="u05", record=False)
    lists(client, user="u05", at="2024-05-13")
    service.recorder.flush()
    shown = store.impressions_of("u05", datetime(2000, 1, 1))
    assert {one.request_id for one in shown} == {answer["request_id"]}
    assert [one.item for one in shown] == [i["id"] for i in answer["lists"]["products"]["items"]]
    assert [one.position for one in shown] == list(range(10))


@pytest.mark.parametrize(
    ("asked", "field", "said"),
    [
        ({"tasks": ["products", "product"]}, "tasks[1]", "There is no task `product`"),
        ({"context": {"shop": "1"}}, "context.shop", "There is no context `shop`"),
        ({"context": {"store": "77"}}, None, "has no value `77`"),
        ({"sizes": 3}, "sizes", "Extra inputs"),
        ({"size": 0}, "size", "greater than or equal to 1"),
        ({"size": "5"}, "size", "valid integer"),
        ({"size": True}, "size", "valid integer"),
        ({"user": ""}, "user", "at least 1 character"),
        ({"user": 7}, "user", "valid string"),
        ({"query": "  "}, None, "A query needs words"),
        ({"at": "tomorrow"}, None, "`tomorrow` is no time"),
        ({"tasks": "products"}, "tasks", "valid list"),
        ([], None, "valid dictionary"),
    ],
)
def test_a_value_that_cannot_be_meant_is_named(
    client: TestClient, asked: Any, field: str | None, said: str
) -> None:
    response = client.post("/v1/lists", json=asked)
    assert response.status_code == 422
    error = error_of(response)
    assert (error["field"], said in error["message"]) == (field, True), error


def test_a_near_miss_is_hinted_at(client: TestClient) -> None:
    hints = [
        error_of(client.post("/v1/lists", json=asked))["hint"]
        for asked in ({"tasks": ["product"]}, {"sise": 3})
    ]
    assert hints == ["Did you mean `products`?", "Did you mean `size`?"]


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"{", "application/json", 400, "bad-json"),
        (b"", "application/json", 400, "bad-json"),
        (b'{"size": NaN}', "application/json", 400, "bad-json"),
        (b'{"user": "\xff"}', "application/json", 400, "bad-json"),
        (b'{"user": "\\ud800"}', "application/json", 400, "bad-json"),
        (b"[" * 100_000 + b"]" * 100_000, "application/json", 400, "bad-json"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "application/json", 400, "bad-json"),
        (b"{}", "text/plain", 415, "not-json"),
        (b"{}", "", 415, "not-json"),
    ],
)
def test_a_body_that_is_no_json_is_refused(
    client: TestClient, body: bytes, kind: str, status: int, code: str
) -> None:
    response = client.post("/v1/lists", content=body, headers={"Content-Type": kind})
    assert (response.status_code, error_of(response)["code"]) == (status, code)


def test_a_large_body_is_refused_whole_or_in_pieces(make_client: Make) -> None:
    client = make_client(max_body_kb=1)
    json = {"Content-Type": "application/json"}
    whole = client.post("/v1/lists", content=b"{" + b" " * 2000 + b"}", headers=json)
    pieces = client.post("/v1/lists", content=iter([b"{", b" " * 2000, b"}"]), headers=json)
    assert "content-length" not in pieces.request.headers
    for response in (whole, pieces):
        assert (response.status_code, error_of(response)["code"]) == (413, "too-large")
    assert client.post("/v1/lists", content=b"{" + b" " * 900 + b"}", headers=json).is_success


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "not-found"),
        ("GET", "/v1/lists", 405, "method-not-allowed"),
        ("POST", "/livez", 405, "method-not-allowed"),
        ("GET", "/v1/users/a/b/profile", 404, "not-found"),
    ],
)
def test_what_does_not_exist_has_the_same_shape(
    client: TestClient, method: str, path: str, status: int, code: str
) -> None:
    response = client.request(method, path)
    assert (response.status_code, error_of(response)["code"]) == (status, code)


def test_a_fault_of_ours_says_nothing_but_its_id(
    make_client: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client()
    service = client.app.state.service  # type: ignore[attr-defined]

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr(service.engine, "recommend", fail)
    response = client.post("/v1/lists", json={}, headers={"X-Request-ID": "trace-7"})
    assert response.status_code == 500
    error = error_of(response)
    assert (error["code"], error["request_id"]) == ("internal", "trace-7")
    assert "secret" not in response.text


class BrokenStore(MemoryStore):
    """A store that cannot be reached."""

    def fail(self, *_: object, **__: object) -> Any:
        raise StoreError("postgresql://root:hunter2@db is gone")

    events_of = add_events = reserve = ping = people = fail


def test_without_a_store_lists_and_readiness_say_so(make_client: Make) -> None:
    client = make_client(kept_in=BrokenStore())
    event = {"user": "u", "kind": "products", "item": MILK, "action": "purchase"}
    for response in (
        client.post("/v1/lists", json={"user": "u05"}),
        client.post("/v1/events", json=event),
    ):
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert error_of(response)["code"] == "store-unavailable"
        assert "hunter2" not in response.text
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["store"]) == (503, "unavailable")
    assert client.get("/livez").status_code == 200


def test_without_an_artifact_the_server_runs_and_says_so(make_client: Make) -> None:
    client = make_client(trained=False)
    assert client.get("/livez").json() == {"status": "ok"}
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["artifact"]) == (503, None)
    response = client.post("/v1/lists", json={})
    assert (response.status_code, error_of(response)["code"]) == (503, "not-trained")
    event = {"user": "u", "kind": "products", "item": MILK, "action": "purchase"}
    assert client.post("/v1/events", json=event).status_code == 202


@pytest.mark.parametrize(
    ("given", "taken"), [("abc-1.2:3", True), ("x" * 129, False), ("a b", False), ("ä", False)]
)
def test_a_request_keeps_its_sound_id(client: TestClient, given: str, taken: bool) -> None:
    response = client.get("/livez", headers={b"X-Request-ID": given.encode()})
    assert (response.headers["x-request-id"] == given) is taken
    assert len(response.headers.get_list("x-request-id")) == 1


def test_large_answers_are_packed_for_those_who_take_it(client: TestClient) -> None:
    packed = client.post("/v1/lists", json={}, headers={"Accept-Encoding": "gzip"})
    plain = client.post("/v1/lists", json={}, headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert int(packed.headers["content-length"]) < len(plain.content) / 3


def test_pages_of_others_may_call_only_where_the_project_says_so(make_client: Make) -> None:
    shop = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    closed = make_client().options("/v1/lists", headers=shop)
    assert (closed.status_code, "access-control-allow-origin" in closed.headers) == (405, False)
    opened = make_client(origins=["https://shop.example"]).options("/v1/lists", headers=shop)
    assert opened.headers["access-control-allow-origin"] == "https://shop.example"
