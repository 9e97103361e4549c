"""Events over HTTP: counted one by one, and known to the next answer."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.serve.conftest import Make, error_of

from recprism.engine import open_engine
from recprism.pipeline import train
from recprism.project import load_project
from recprism.serve.incoming import read_event_row
from recprism.serve.shapes import EventsResult
from recprism.store import MemoryStore, open_project_store
from recprism.testing.shops import MILK, MILK_BUYER

EVENT = {"user": "u05", "kind": "products", "item": "p40", "action": "purchase"}


def test_an_event_is_stored_and_the_next_answer_knows_it(
    client: TestClient, store: MemoryStore
) -> None:
    stranger = {"user": "a new/one", "tasks": ["products"]}
    assert client.post("/v1/lists", json=stranger).json()["cold"]
    response = client.post("/v1/events", json={**EVENT, "user": "a new/one"})
    assert (response.status_code, response.json()) == (
        202,
        {"accepted": 1, "duplicates": 0, "rejected": []},
    )
    assert [event.item for event in store.events_of("a new/one")] == ["p40"]
    answer = client.post("/v1/lists", json=stranger).json()
    assert not answer["cold"]
    reasons = {i["id"]: i["reason"]["text"] for i in answer["lists"]["products"]["items"]}
    assert "p40" in reasons


def test_a_batch_is_counted_row_by_row(client: TestClient) -> None:
    keyed = {**EVENT, "idempotency_key": "k1"}
    rows: list[Any] = [
        *(EVENT, keyed, keyed, {**keyed, "item": "p41"}, {**EVENT, "usr": "x"}, 7),
        *({**EVENT, "value": True}, {**EVENT, "time": "2024-05-01T00:00:00+02:00"}),
    ]
    response = client.post("/v1/events", json=rows)
    assert response.status_code == 202
    found = EventsResult.model_validate(response.json())
    assert (found.accepted, found.duplicates) == (3, 1)
    errors = {one.index: one.error for one in found.rejected}
    assert list(errors) == [3, 4, 5, 6]
    assert "was used before" in errors[3]
    assert "did you mean `user`?" in errors[4]
    assert "found a number" in errors[5]
    assert "`value` must be a number" in errors[6]


def test_a_request_of_nothing_but_faults_is_refused_and_counted(client: TestClient) -> None:
    response = client.post("/v1/events", json=[{**EVENT, "item": ""}, {}])
    assert response.status_code == 422
    assert error_of(response)["code"] == "all-rejected"
    assert [one["index"] for one in response.json()["rejected"]] == [0, 1]


def test_batches_have_a_limit(make_client: Make) -> None:
    client = make_client(max_batch=2)
    assert client.post("/v1/events", json=[EVENT] * 2).status_code == 202
    large = client.post("/v1/events", json=[EVENT] * 3)
    assert (large.status_code, error_of(large)["code"]) == (413, "batch-too-large")
    assert error_of(client.post("/v1/events", json=[]))["code"] == "no-events"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({}, "`user` is missing"),
        ({**EVENT, "user": None}, "`user` is missing"),
        ({**EVENT, "item": 40}, "`item` must be text, found a number `40`"),
        ({**EVENT, "value": "1"}, "`value` must be a number, found text"),
        ({**EVENT, "value": 10**400}, "beyond all measure"),
        ({**EVENT, "context": {"store": 1}}, "`context` must be an object of texts"),
        ({**EVENT, "time": "now"}, "`time` must be ISO 8601"),
        ({**EVENT, "time": "0001-01-01T00:00:00+09:00"}, "`time` must be ISO 8601"),
        ({**EVENT, "time": 1}, "`time` must be text"),
        (None, "found null"),
    ],
)
def test_a_faulty_row_is_explained(row: Any, said: str) -> None:
    found = read_event_row(row)
    assert isinstance(found, str)
    assert said in found


def test_a_clock_that_runs_ahead_is_forgiven_up_to_five_minutes(client: TestClient) -> None:
    now = client.app.state.service.now()  # type: ignore[attr-defined]
    ahead = [(now + timedelta(minutes=m)).isoformat() for m in (4, 6)]
    assert client.post("/v1/events", json={**EVENT, "time": ahead[0]}).status_code == 202
    late = client.post("/v1/events", json={**EVENT, "time": ahead[1]})
    assert (late.status_code, "5 minutes ahead" in error_of(late)["message"]) == (422, True)


def test_an_event_ahead_of_the_clock_counts_at_once(client: TestClient) -> None:
    """Clocks of senders and workers differ; what was acknowledged has happened."""
    now = client.app.state.service.now()  # type: ignore[attr-defined]
    ahead = now + timedelta(minutes=4)
    sent = {**EVENT, "user": "hasty", "time": ahead.isoformat()}
    assert client.post("/v1/events", json=sent).status_code == 202
    assert not client.post("/v1/lists", json={"user": "hasty"}).json()["cold"]
    asked = {"user": "hasty", "at": now.isoformat()}
    assert client.post("/v1/lists", json=asked).json()["cold"]


def ids(client: TestClient, task: str, **asked: Any) -> list[str]:
    answer = client.post("/v1/lists", json={"user": MILK_BUYER, "tasks": [task], **asked}).json()
    return [item["id"] for item in answer["lists"][task]["items"]]


def test_what_is_dismissed_is_gone_from_the_next_answer(client: TestClient) -> None:
    assert MILK in ids(client, "products")
    event = {"user": MILK_BUYER, "kind": "products", "item": MILK, "action": "dismiss"}
    assert client.post("/v1/events", json=event).status_code == 202
    assert MILK not in ids(client, "products")
    assert MILK not in ids(client, "ads", size=60)
    assert MILK in ids(client, "products", at=datetime(2024, 5, 19).isoformat())
    others = client.post("/v1/lists", json={"user": "u03", "tasks": ["products"], "size": 60})
    assert MILK in [item["id"] for item in others.json()["lists"]["products"]["items"]]


def test_a_dismissal_is_no_sign_of_interest(client: TestClient) -> None:
    event = {"user": "only dismisses", "kind": "products", "item": MILK, "action": "dismiss"}
    assert client.post("/v1/events", json=event).status_code == 202
    assert client.post("/v1/lists", json={"user": "only dismisses"}).json()["cold"]


def test_what_was_dismissed_stays_away_over_a_training_that_learns_nothing_from_it(
    make_client: Make, shop_copy: Path
) -> None:
    store = open_project_store(load_project(shop_copy))
    client = make_client(shop_copy, kept_in=store)
    bought = {**EVENT, "user": MILK_BUYER, "item": "p57"}
    dismissed = {**EVENT, "user": MILK_BUYER, "item": MILK, "action": "dismiss"}
    assert client.post("/v1/events", json=[bought, dismissed]).status_code == 202
    train(load_project(shop_copy))
    engine = open_engine(shop_copy, store=store)
    assert "dismiss" not in engine.model.catalog.actions
    answer = engine.recommend(MILK_BUYER, ["products"])
    assert MILK not in [item.id for item in answer.lists["products"].items]
