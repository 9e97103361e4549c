"""What exploration learns from what was shown."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from recprism.engine import open_engine
from recprism.engine.exploring import Tally
from recprism.project import load_project
from recprism.project.edits import edit_task
from recprism.records import Event
from recprism.serve.goals import Goals, count_tallies
from recprism.serve.learner import Learner
from recprism.serve.service import Service
from recprism.serve.settings import Settings
from recprism.store import Impression, MemoryStore

NOW = datetime(2026, 1, 31)


def show(store: MemoryStore, user: str, task: str, item: str, request: str, days: float) -> None:
    fields: dict[str, Any] = {"kind": task, "position": 0, "request_id": request, "task": task}
    shown = Impression(user=user, item=item, time=NOW - timedelta(days=days), **fields)
    store.reserve([shown], {})


def buy(store: MemoryStore, user: str, item: str, request: str) -> None:
    event = Event(
        user=user,
        kind="products",
        item=item,
        action="purchase",
        time=NOW - timedelta(days=1),
        request_id=request,
    )
    assert store.add_events([event], NOW).accepted == 1


def test_shows_older_than_the_horizon_and_their_goals_are_counted(trained_shop: Path) -> None:
    store = MemoryStore()
    model = open_engine(trained_shop, store=store).model
    ad = model.catalog.kinds["ads"].ids[0]
    show(store, "a", "products", "p01", "r1", 20)
    show(store, "a", "products", "p02", "r1", 20)
    show(store, "b", "products", "p01", "r2", 20)
    show(store, "b", "products", "p01", "r3", 3)  # may still be bought
    show(store, "b", "products", "p01", "r4", 100)  # long ago
    show(store, "c", "ads", ad, "r5", 20)
    show(store, "c", "products", "put online", "r5", 20)  # training does not know it yet
    show(store, "c", "ads", "no such ad", "r5", 20)  # for which product?
    buy(store, "a", "p01", "r1")
    buy(store, "a", "p01", "r1")  # twice is once
    buy(store, "b", "p01", "r3")
    buy(store, "c", "put online", "r5")
    buy(store, "c", ad, "r5")  # an ad's goal is the purchase of its product
    assert count_tallies(store, model, NOW) == {
        "products": {
            "p01": Tally(shows=2, reached=1),
            "p02": Tally(shows=1, reached=0),
            "put online": Tally(shows=1, reached=1),
        },
        "ads": {ad: Tally(shows=1, reached=1)},
    }


def test_a_server_that_explores_counts_now_and_then(shop_copy: Path) -> None:
    store = MemoryStore()
    show(store, "a", "products", "p01", "r1", 0)
    store.reserve(
        [
            Impression(
                user="a",
                item="p02",
                time=datetime.now() - timedelta(days=30),
                kind="products",
                task="products",
                request_id="r1",
                position=0,
            )
        ],
        {},
    )
    service = Service(open_engine(shop_copy, store=store), store, Settings())
    asyncio.run(Learner(service).update())
    assert service.engine.tallies == {}
    edit_task(shop_copy, load_project(shop_copy).spec, "products", {"explore": 0.1}, [])
    service.adopt(open_engine(shop_copy, store=store))
    asyncio.run(Learner(service).update())
    assert service.engine.tallies["products"]["p02"] == Tally(shows=1, reached=0)
    service.close()


@pytest.mark.parametrize(("days", "reached"), [(1, True), (6.9, True), (7, False), (-1, False)])
def test_on_the_real_clock_a_goal_counts_within_the_horizon(
    trained_shop: Path, days: float, reached: bool
) -> None:
    model = open_engine(trained_shop, store=MemoryStore()).model
    goals = Goals(replace(model, project=model.project.model_copy(update={"clock": "wall"})))
    store = MemoryStore()
    show(store, "a", "products", "p01", "r1", 20)
    shown = store.impressions_of("a", NOW - timedelta(days=30))
    time = shown[0].time + timedelta(days=days)
    event = Event(user="a", kind="products", item="p01", action="purchase", time=time)
    assert bool(goals.reached(shown, [event])) == reached
    assert not goals.reached(shown, [replace(event, action="view")])
    assert not Goals(model).reached(shown, [event])  # on the clock of the data


def test_counting_ends_when_the_server_does(trained_shop: Path) -> None:
    store = MemoryStore()
    show(store, "a", "products", "p01", "r1", 20)
    model = open_engine(trained_shop, store=store).model
    assert count_tallies(store, model, NOW, lambda: True) == {}


def test_exploration_is_switched_on_over_http(
    shop_copy: Path, make_client: Any, key_of: Any
) -> None:
    client: TestClient = make_client(shop_copy)
    asked = {"user": "u05", "tasks": ["products"]}

    def explored() -> list[bool]:
        items = client.post("/v1/lists", json=asked).json()["lists"]["products"]["items"]
        return [item.get("explored", False) for item in items]

    assert not any(explored())
    admin = key_of("admin")
    changed = client.patch("/v1/tasks/products", json={"explore": 0.2}, headers=admin)
    assert changed.status_code == 200, changed.text
    assert sum(explored()) == 2
    refused = client.patch("/v1/tasks/products", json={"explore": 0.9}, headers=admin)
    assert refused.status_code == 422
