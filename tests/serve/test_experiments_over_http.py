"""What experiments came to, against numbers worked out by hand, and over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from ruamel.yaml import YAML

from recprism.engine import open_engine
from recprism.engine.arms import arm_of
from recprism.project.schema import Arm, Experiment
from recprism.records import Event
from recprism.serve.experiments import report_experiments
from recprism.serve.shapes import ExperimentsOut
from recprism.store import Impression, MemoryStore, Role

NOW = datetime(2026, 1, 10)
ORDER = Experiment(tasks=["products"], arms={"usual": Arm(), "popular": Arm(signal="trend")})


def show(store: MemoryStore, user: str, arm: str | None, item: str, request: str) -> None:
    shown = Impression(
        user=user,
        time=NOW,
        request_id=request,
        task="products",
        kind="products",
        item=item,
        position=0,
        experiment=None if arm is None else "order",
        arm=arm,
    )
    store.reserve([shown], {})


def act(store: MemoryStore, user: str, item: str, action: str, request: str) -> None:
    event = Event(user=user, kind="products", item=item, action=action, time=NOW)
    named = Event(**{**{k: getattr(event, k) for k in event.__slots__}, "request_id": request})
    assert store.add_events([named], NOW).accepted == 1


def test_users_shows_and_outcomes_are_counted_by_arm(trained_shop: Path) -> None:
    store = MemoryStore()
    for user in ("a", "b", "c"):
        show(store, user, "usual", "p01", "r1")
        show(store, user, "usual", "p02", "r1")
    show(store, "d", "popular", "p01", "r1")
    show(store, "d", "popular", "p02", "r1")
    show(store, "e", None, "p01", "r1")
    act(store, "a", "p01", "purchase", "r1")
    act(store, "a", "p02", "purchase", "r1")
    act(store, "b", "p02", "click", "r1")
    act(store, "d", "p01", "purchase", "r1")
    act(store, "e", "p01", "purchase", "r1")
    model = open_engine(trained_shop, store=store).model
    (found,) = report_experiments(store, model, {"order": ORDER}, NOW - timedelta(days=1))
    assert [(arm["arm"], arm["users"]) for arm in found["arms"]] == [("usual", 3), ("popular", 1)]
    assert found["sample_ratio"]["expected"] == [2.0, 2.0]
    (task,) = found["tasks"]
    assert (task["task"], task["goal"]) == ("products", "purchase")
    usual, popular = task["arms"]
    assert (usual["users"], usual["shows"], popular["shows"]) == (3, 6, 2)
    goal, click = usual["outcomes"]["goal"], usual["outcomes"]["click"]
    assert (goal["shows"], goal["users"], click["shows"]) == (2, 1, 1)
    assert goal["per_show"]["value"] == pytest.approx(2 / 6, abs=1e-6)
    assert goal["per_user"]["value"] == pytest.approx(1 / 3, abs=1e-6)
    assert goal["difference"] is None
    other = popular["outcomes"]["goal"]
    assert other["difference"]["per_show"]["value"] == pytest.approx(1 / 2 - 2 / 6, abs=1e-6)
    assert other["difference"]["per_user"]["value"] == pytest.approx(2 / 3, abs=1e-6)


def test_an_arm_nobody_saw_has_no_rates(trained_shop: Path) -> None:
    model = open_engine(trained_shop, store=MemoryStore()).model
    (found,) = report_experiments(MemoryStore(), model, {"order": ORDER}, NOW)
    goal = found["tasks"][0]["arms"][1]["outcomes"]["goal"]
    assert (goal["per_show"], goal["per_user"]["value"]) == (None, None)
    assert goal["difference"]["per_show"] is None
    ExperimentsOut.model_validate({"since": "", "experiments": [found]})


@pytest.fixture
def experimenting(shop_copy: Path, make_client: Callable[..., TestClient]) -> TestClient:
    file, yaml = shop_copy / "recprism.yaml", YAML()
    document: Any = yaml.load(file)
    arms = {"usual": {}, "popular": {"signal": "trend"}}
    document["experiments"] = {"order": {"tasks": ["products"], "arms": arms}}
    yaml.dump(document, file)
    return make_client(shop_copy)


def test_experiments_are_asked_for_over_http(
    experimenting: TestClient, key_of: Callable[[Role], dict[str, str]]
) -> None:
    answer = experimenting.post("/v1/lists", json={"user": "u05", "tasks": ["products"]}).json()
    arm = arm_of("order", ORDER, "u05")
    assert answer["experiments"] == {"order": arm}
    first = answer["lists"]["products"]["items"][0]["id"]
    event = {"user": "u05", "kind": "products", "item": first, "action": "purchase"}
    sent = {**event, "request_id": answer["request_id"]}
    assert experimenting.post("/v1/events", json=sent).status_code == 202
    assert experimenting.get("/v1/experiments").status_code == 403
    response = experimenting.get("/v1/experiments", headers=key_of("admin"))
    (found,) = ExperimentsOut.model_validate(response.json()).experiments
    (task,) = found.tasks
    own = next(one for one in task.arms if one.arm == arm)
    assert (own.users, own.shows, own.outcomes["goal"].shows) == (1, 10, 1)


def test_without_experiments_there_is_nothing_to_report(
    client: TestClient, key_of: Callable[[Role], dict[str, str]]
) -> None:
    assert client.get("/v1/experiments", headers=key_of("admin")).json()["experiments"] == []
