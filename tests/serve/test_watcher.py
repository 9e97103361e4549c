"""A worker follows what other processes do to its project."""

from __future__ import annotations

import asyncio
import logging
import shutil
from pathlib import Path

import pytest
from benchmarks.server import second_artifact

from recprism.artifact import ArtifactShelf
from recprism.engine import open_engine
from recprism.project import load_project
from recprism.project.edits import edit_task
from recprism.serve.service import Service
from recprism.serve.settings import Settings
from recprism.serve.watcher import Watcher
from recprism.store import MemoryStore


def serve(directory: Path, *, trained: bool = True) -> tuple[Service, Watcher]:
    store = MemoryStore()
    engine = open_engine(directory, store=store) if trained else None
    service = Service(engine, store, Settings(directory=directory))
    return service, Watcher(service, directory)


def update(watcher: Watcher) -> None:
    asyncio.run(watcher.update())


def test_tasks_that_another_worker_changed_are_taken_up_and_taken_back(shop_copy: Path) -> None:
    service, watcher = serve(shop_copy)
    spec, began = load_project(shop_copy).spec, service.engine.now()
    edit_task(shop_copy, spec, "products", {"size": 3}, [])
    update(watcher)
    assert len(service.engine.recommend().lists["products"].items) == 3
    assert service.engine.now() >= began
    edit_task(shop_copy, spec, "products", {}, ["size"])
    update(watcher)
    assert len(service.engine.recommend().lists["products"].items) == 10


def test_nothing_is_opened_while_nothing_changes(shop_copy: Path) -> None:
    service, watcher = serve(shop_copy)
    engine = service.engine
    update(watcher)
    assert service.engine is engine


def test_another_artifact_is_served_with_the_store_and_changes_of_before(shop_copy: Path) -> None:
    service, watcher = serve(shop_copy)
    edit_task(shop_copy, load_project(shop_copy).spec, "products", {"size": 3}, [])
    shelf = ArtifactShelf(shop_copy / ".recprism" / "artifacts")
    shelf.use(second_artifact(shop_copy))
    update(watcher)
    assert service.engine.artifact_id == shelf.current().name
    assert service.engine.store is service.store
    assert len(service.engine.recommend().lists["products"].items) == 3


def test_the_first_artifact_is_taken_up_when_it_comes(shop_copy: Path) -> None:
    shelf = shop_copy / ".recprism" / "artifacts"
    away = shelf.rename(shelf.with_name("elsewhere"))
    service, watcher = serve(shop_copy, trained=False)
    update(watcher)
    assert not service.is_trained
    shutil.move(away, shelf)
    update(watcher)
    assert service.is_trained


def test_a_damaged_artifact_leaves_the_one_before_and_is_told_once(
    shop_copy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service, watcher = serve(shop_copy)
    before = service.engine.artifact_id
    shelf = ArtifactShelf(shop_copy / ".recprism" / "artifacts")
    shelf.use(second_artifact(shop_copy))
    (shelf.current() / "manifest.json").unlink()
    with caplog.at_level(logging.ERROR):
        update(watcher)
        update(watcher)
    assert service.engine.artifact_id == before
    assert [r.message.partition(":")[0] for r in caplog.records] == [
        "the new artifact cannot be taken up"
    ]
