"""Events that nobody did change one answer, and nothing else."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.serve.conftest import error_of

from recprism.store import MemoryStore, Person
from recprism.testing.shops import NEVER_SOLD

BOUGHT = {"kind": "products", "item": NEVER_SOLD[0], "action": "purchase"}


def ask(client: TestClient, **asked: Any) -> Any:
    response = client.post("/v1/lists", json={"tasks": ["products"], "size": 60, **asked})
    assert response.status_code == 200, response.text
    return response.json()


def shown(answer: Any) -> list[str]:
    return [item["id"] for item in answer["lists"]["products"]["items"]]


def test_a_supposed_purchase_counts_once_and_leaves_nothing(
    client: TestClient, store: MemoryStore
) -> None:
    before = ask(client, user="u05", record=False)
    supposed = ask(client, user="u05", events=[BOUGHT])
    places = [shown(answer).index(NEVER_SOLD[0]) for answer in (before, supposed)]
    assert places[1] < places[0]
    found = supposed["lists"]["products"]["items"][places[1]]
    assert "repeat" in {part["signal"] for part in found["reason"]["evidence"]}
    assert shown(ask(client, user="u05", record=False)) == shown(before)
    client.app.state.service.recorder.flush()  # type: ignore[attr-defined]
    assert store.events_of("u05") == []
    assert store.impressions_of("u05", datetime(2000, 1, 1)) == []


def test_a_stranger_may_be_supposed_to_have_done_something(client: TestClient) -> None:
    assert ask(client)["cold"]
    assert not ask(client, events=[BOUGHT])["cold"]


def test_what_happens_after_the_moment_does_not_count(client: TestClient) -> None:
    late = {**BOUGHT, "time": "2024-05-20T08:00"}
    asked = {"user": "nobody", "at": "2024-05-13T08:00"}
    assert ask(client, **asked, events=[late])["cold"]
    assert not ask(client, **asked, events=[{**late, "time": "2024-05-12"}])["cold"]


def test_supposed_dismissals_keep_an_item_away(client: TestClient) -> None:
    first = shown(ask(client, user="u05", record=False))[0]
    away = {"kind": "products", "item": first, "action": "dismiss"}
    assert first not in shown(ask(client, user="u05", events=[away]))


def test_who_wants_no_personal_lists_gets_none_supposed(
    client: TestClient, store: MemoryStore
) -> None:
    quiet = Person(id="u05", traits={}, personalize=False, changed=datetime(2024, 5, 1))
    store.put_person(quiet)
    assert ask(client, user="u05", events=[BOUGHT])["cold"]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"kind": "product"}, "unknown-kind"),
        ({"item": "no such item"}, "unknown-item"),
        ({"action": "buy"}, "unknown-action"),
        ({"time": "tomorrow"}, "invalid"),
        ({"user": "u05"}, None),
    ],
)
def test_what_cannot_be_supposed_is_refused(
    client: TestClient, changed: dict[str, str], code: str | None
) -> None:
    response = client.post("/v1/lists", json={"events": [{**BOUGHT, **changed}]})
    assert response.status_code == 422
    assert code in (None, error_of(response)["code"])
