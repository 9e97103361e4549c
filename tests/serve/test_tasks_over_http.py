"""Tasks change while serving: at once, for everyone, and over every training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.serve.conftest import Make, error_of

from recprism.artifact import ArtifactShelf
from recprism.engine import open_engine
from recprism.project import load_project
from recprism.project.edits import FILE, apply_sound, edit_task, read_edits
from recprism.store import MemoryStore, Role
from recprism.testing.shops import MILK, MILK_BUYER

KeyOf = Callable[[Role], dict[str, str]]


def titles(client: TestClient, **asked: Any) -> list[str]:
    answer = client.post("/v1/lists", json={"user": MILK_BUYER, "tasks": ["products"], **asked})
    return [item["id"] for item in answer.json()["lists"]["products"]["items"]]


@pytest.fixture
def own(make_client: Make, shop_copy: Path, key_of: KeyOf) -> TestClient:
    client = make_client(shop_copy)
    client.headers.update(key_of("admin"))
    return client


def test_a_change_is_served_kept_and_taken_back(own: TestClient, shop_copy: Path) -> None:
    before = titles(own)
    change = {"size": 4, "exclude": {"department": ["dairy"]}}
    changed = own.patch("/v1/tasks/products", json=change)
    assert changed.status_code == 200, changed.text
    assert changed.json()["changed"] == ["exclude", "size"]
    assert len(titles(own)) == 4
    assert MILK not in titles(own)
    # Whoever opens the project sees it too: another worker, the command line, Python.
    answer = open_engine(shop_copy, store=MemoryStore()).recommend(MILK_BUYER, ["products"])
    assert [item.id for item in answer.lists["products"].items] == titles(own)
    assert own.patch("/v1/tasks/products", json={"reset": ["size", "exclude"]}).is_success
    assert titles(own) == before
    assert read_edits(shop_copy) == {}


def test_tasks_are_shown_as_they_are_served(own: TestClient) -> None:
    own.patch("/v1/tasks/ads", json={"cap": {"shows": 2, "per": "hour"}})
    tasks = {task["name"]: task for task in own.get("/v1/tasks").json()["tasks"]}
    assert list(tasks) == ["products", "coupons", "ads"]
    assert tasks["ads"]["settings"]["cap"] == {"shows": 2, "per": "hour"}
    assert [tasks[name]["changed"] for name in tasks] == [[], [], ["cap"]]


@pytest.mark.parametrize(
    ("task", "change", "status", "said"),
    [
        ("product", {"size": 1}, 404, "There is no task `product`"),
        ("products", {"sise": 1}, 422, "There is no setting `sise`"),
        ("products", {"goal": "view"}, 422, "`goal` of a task is learned from"),
        ("products", {"size": 0}, 422, "greater than or equal to 1"),
        ("products", {"size": "5"}, 422, "valid integer"),
        ("products", {"exclude": {"color": ["red"]}}, 422, "has no label `color`"),
        ("products", {"score": "purchase * luck"}, 422, "no action and no number `luck`"),
        ("products", {"cap": {"shows": 1, "per": "year"}}, 422, "'hour', 'day' or 'week'"),
        ("products", {"reset": "size"}, 422, "must be a list"),
        ("products", {"reset": ["goal"]}, 422, "`goal` of a task is learned from"),
        ("products", [], 422, "must be an object"),
    ],
)
def test_a_change_that_cannot_be_is_refused_and_leaves_nothing(
    own: TestClient, shop_copy: Path, task: str, change: Any, status: int, said: str
) -> None:
    response = own.patch(f"/v1/tasks/{task}", json=change)
    assert response.status_code == status, response.text
    assert said in error_of(response)["message"]
    assert read_edits(shop_copy) == {}


def test_changes_that_fit_no_more_are_left_out(shop_copy: Path) -> None:
    spec = load_project(shop_copy).spec
    edits: dict[str, dict[str, Any]] = {
        "ads": {"size": 2},
        "products": {"size": "many"},
        "gone": {"size": 1},
    }
    changed, problems = apply_sound(spec, edits)
    assert (changed.tasks["ads"].size, changed.tasks["products"].size) == (2, 10)
    assert len(problems) == 1
    assert "`products` do not fit" in problems[0]


def test_null_is_the_default_of_a_setting(shop_copy: Path) -> None:
    spec = load_project(shop_copy).spec
    assert edit_task(shop_copy, spec, "ads", {"slots": None}, []) == {"ads": {"slots": None}}
    engine = open_engine(shop_copy, store=MemoryStore())
    assert engine.model.project.tasks["ads"].slots == {}
    assert engine.trained_project.tasks["ads"].slots


@pytest.mark.parametrize("content", ["{", "[]", '{"ads": 1}'])
def test_a_damaged_file_of_changes_is_named(shop_copy: Path, content: str) -> None:
    (shop_copy / FILE).write_text(content)
    with pytest.raises(Exception, match=r"tasks\.json: it is no"):
        read_edits(shop_copy)


def test_without_a_project_tasks_cannot_be_changed(make_client: Make, key_of: KeyOf) -> None:
    response = make_client().patch("/v1/tasks/ads", json={"size": 1}, headers=key_of("admin"))
    assert (response.status_code, error_of(response)["code"]) == (422, "no-project")


def test_artifacts_are_listed_pinned_and_unpinned(own: TestClient, shop_copy: Path) -> None:
    shelf = ArtifactShelf(shop_copy / ".recprism" / "artifacts")
    (artifact,) = shelf.ids()
    listed = own.get("/v1/artifacts").json()
    assert listed["serving"] == artifact
    assert [(row["id"], row["current"], row["pinned"]) for row in listed["artifacts"]] == [
        (artifact, True, False)
    ]
    pinned = own.put("/v1/artifacts/pinned", json={"id": artifact})
    assert pinned.json()["artifacts"][0]["pinned"]
    assert shelf.pinned() == artifact
    assert own.delete("/v1/artifacts/pinned").is_success
    assert shelf.pinned() is None
    unknown = own.put("/v1/artifacts/pinned", json={"id": "nothing"})
    assert (unknown.status_code, error_of(unknown)["code"]) == (422, "unknown-artifact")


def test_a_damaged_artifact_is_listed_as_such(own: TestClient, shop_copy: Path) -> None:
    shelf = ArtifactShelf(shop_copy / ".recprism" / "artifacts")
    (shelf.current() / "model.json").write_text(json.dumps({}))
    assert own.get("/v1/artifacts").json()["artifacts"][0]["problem"] == "damaged"
    refused = own.put("/v1/artifacts/pinned", json={"id": shelf.ids()[0]})
    assert (refused.status_code, error_of(refused)["code"]) == (503, "artifact-unusable")
