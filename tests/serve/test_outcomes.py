"""What came of what was shown, against numbers worked out by hand."""

from __future__ import annotations

from datetime import datetime, timedelta

from fastapi.testclient import TestClient

from recprism.records import Event
from recprism.serve.outcomes import as_rows, count_outcomes
from recprism.serve.shapes import OutcomesOut
from recprism.store import Impression, MemoryStore

NOW = datetime(2026, 1, 10)
WEEK = timedelta(days=7)


def show(
    store: MemoryStore, user: str, item: str, request: str, days_ago: float, slot: str | None = None
) -> None:
    shown = Impression(
        user=user,
        time=NOW - timedelta(days=days_ago),
        request_id=request,
        task="products",
        kind="products",
        item=item,
        position=0,
        slot=slot,
        artifact="a1",
    )
    store.reserve([shown], {})


def act(
    store: MemoryStore, user: str, item: str, action: str, days_ago: float, request: str | None
) -> None:
    event = Event(
        user=user,
        kind="products",
        item=item,
        action=action,
        time=NOW - timedelta(days=days_ago),
        request_id=request,
    )
    assert store.add_events([event], NOW).accepted == 1


def test_an_event_counts_for_the_show_that_it_names_or_the_last_one() -> None:
    store = MemoryStore()
    show(store, "u1", "milk", "r1", 3, "front")
    show(store, "u1", "milk", "r2", 2)
    show(store, "u1", "tea", "r2", 2)
    show(store, "u2", "milk", "r3", 6)
    show(store, "u3", "milk", "r4", 20)
    act(store, "u1", "milk", "view", 1, "r1")  # names the first show, though not the last
    act(store, "u1", "milk", "view", 1, "r1")  # twice the same is once
    act(store, "u1", "milk", "purchase", 1, None)  # the last show of milk: r2
    act(store, "u1", "tea", "purchase", 2.5, None)  # before it was shown
    act(store, "u2", "milk", "purchase", 1, "r2")  # another user's answer
    act(store, "u3", "milk", "purchase", 1, "r4")  # shown before the period
    act(store, "u4", "milk", "purchase", 1, None)  # never shown
    rows = as_rows(count_outcomes(store, NOW - timedelta(days=10), WEEK))
    assert rows == [
        {
            "task": "products",
            "slot": None,
            "artifact": "a1",
            "shows": 3,
            "actions": {"purchase": 1},
            "rates": {"purchase": 0.333333},
        },
        {
            "task": "products",
            "slot": "front",
            "artifact": "a1",
            "shows": 1,
            "actions": {"view": 1},
            "rates": {"view": 1.0},
        },
    ]


def test_a_window_ends_and_other_clocks_have_none() -> None:
    store = MemoryStore()
    show(store, "u", "milk", "r1", 9)
    act(store, "u", "milk", "purchase", 1, None)
    since = NOW - timedelta(days=30)

    def purchases(window: timedelta | None) -> int:
        return sum(t.actions["purchase"] for t in count_outcomes(store, since, window).values())

    assert [purchases(w) for w in (WEEK, timedelta(days=9), None)] == [0, 1, 0]


def test_outcomes_are_asked_for_over_http(client: TestClient) -> None:
    answer = client.post("/v1/lists", json={"user": "u05", "tasks": ["ads"]}).json()
    first = answer["lists"]["ads"]["items"][0]
    event = {"user": "u05", "kind": "ads", "item": first["id"], "action": "click"}
    sent = {**event, "request_id": answer["request_id"]}
    assert client.post("/v1/events", json=[sent, event]).status_code == 202
    found = OutcomesOut.model_validate(client.get("/v1/outcomes").json())
    assert sum(row.shows for row in found.rows) == 6
    clicked = [row for row in found.rows if row.actions]
    assert [(row.slot, row.actions) for row in clicked] == [(first["slot"], {"click": 1})]
    assert clicked[0].artifact == answer["artifact"]
