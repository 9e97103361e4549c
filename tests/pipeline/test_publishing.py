"""Whatever happens while training, the artifact that served goes on serving."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from recprism.artifact import FORMAT_VERSION, MANIFEST, ArtifactShelf
from recprism.engine import open_engine
from recprism.errors import ArtifactError, DiskFull, NotTrained
from recprism.pipeline import fitting, publishing, train
from recprism.project import load_project
from recprism.store import MemoryStore

pytestmark = pytest.mark.slow


def shelf_of(folder: Path) -> ArtifactShelf:
    return ArtifactShelf(folder / ".recprism" / "artifacts")


def serving(folder: Path) -> str:
    """The artifact that answers, after a real request."""
    answer = open_engine(folder, store=MemoryStore()).recommend("mia")
    assert answer.lists["products"].items
    return answer.artifact


def test_an_artifact_says_what_it_is(shop_copy: Path) -> None:
    artifact = train(load_project(shop_copy), until="2024-05-06T02:00:00+02:00")
    manifest = json.loads((artifact.path / MANIFEST).read_text(encoding="utf-8"))
    assert manifest["id"] == artifact.id == artifact.path.name
    assert (manifest["project"], manifest["until"]) == ("shop", "2024-05-06T00:00:00")
    assert manifest["with_later"] is True
    assert manifest["project_hash"] == load_project(shop_copy).hash
    assert manifest["training"] == json.loads(json.dumps(artifact.training))
    assert set(manifest["training"]["tasks"]) == {"products", "coupons", "ads"}
    assert all(seconds >= 0 for seconds in manifest["training"]["seconds"].values())
    names = {"report.json", "model.json", "project.json", "ads.onnx", "snapshot.safetensors"}
    assert names <= set(manifest["files"])


@pytest.mark.parametrize(
    ("module", "stage"),
    [(publishing, "save_dataset"), (fitting, "_fit_rankers"), (publishing, "save_model")],
)
def test_a_crash_at_any_stage_changes_nothing(
    shop_copy: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType, stage: str
) -> None:
    before, cache = serving(shop_copy), shop_copy / ".recprism" / "cache"
    # New sources, so that every stage has work to do.
    os.utime(shop_copy / "data" / "purchases.csv")

    def crash(*_: Any, **__: Any) -> Any:
        raise RuntimeError("crash")

    with monkeypatch.context() as broken:
        broken.setattr(module, stage, crash)
        with pytest.raises(RuntimeError, match="crash"):
            train(load_project(shop_copy))
    assert serving(shop_copy) == before
    assert [path.name for path in shelf_of(shop_copy).root.glob(".building-*")] == []
    assert [path.name for path in cache.glob(".prepared-*")] == []
    assert train(load_project(shop_copy)).id == serving(shop_copy) != before


@pytest.mark.parametrize(
    ("place", "spare"), [("artifacts", 0), ("artifacts", 524_288), ("cache", 65_536)]
)
def test_a_disk_that_fills_is_one_sentence_and_changes_nothing(
    shop_copy: Path, small_disk: Path, place: str, spare: int
) -> None:
    before, folder = serving(shop_copy), shop_copy / ".recprism" / place
    if place == "artifacts":
        shutil.move(folder, small_disk / place)
    else:
        shutil.rmtree(folder)
        (small_disk / place).mkdir()
    folder.symlink_to(small_disk / place)
    free = os.statvfs(small_disk)
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * (free.f_bavail * free.f_frsize - spare))
    with pytest.raises(DiskFull, match=re.escape(f"The disk filled while writing `{folder}")):
        train(load_project(shop_copy))
    assert serving(shop_copy) == before
    filler.unlink()
    assert train(load_project(shop_copy)).id == serving(shop_copy) != before


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_number_that_is_none_is_not_published(
    shop_copy: Path, monkeypatch: pytest.MonkeyPatch, bad: float
) -> None:
    before = serving(shop_copy)

    def broken(*args: Any, **options: Any) -> Any:
        model = fitting.fit(*args, **options)
        factors = model.snapshot.taste.factors.copy()
        factors[0, 0] = bad
        taste = replace(model.snapshot.taste, factors=factors)
        setting = replace(model.snapshot.setting, taste=taste)
        return replace(model, snapshot=replace(model.snapshot, setting=setting))

    monkeypatch.setattr(publishing, "fit", broken)
    with pytest.raises(ArtifactError, match=r"gave 1 of [\d,]+ numbers of `svd/factors`"):
        train(load_project(shop_copy))
    assert serving(shop_copy) == before


def test_a_pinned_artifact_answers_until_it_is_let_go(shop_copy: Path) -> None:
    shelf, first = shelf_of(shop_copy), serving(shop_copy)
    second = train(load_project(shop_copy)).id
    assert serving(shop_copy) == second
    shelf.use(first)
    assert serving(shop_copy) == first
    third = train(load_project(shop_copy)).id
    assert serving(shop_copy) == first
    shelf.unpin()
    assert serving(shop_copy) == third


def test_a_pinned_artifact_with_an_end_folds_in_what_came_later(shop_copy: Path) -> None:
    shelf = shelf_of(shop_copy)
    past = train(load_project(shop_copy), until="2024-03-04").id
    train(load_project(shop_copy))
    shelf.use(past)
    engine = open_engine(shop_copy, store=MemoryStore())
    assert engine.artifact_id == past
    seen = [len(engine.profile("mia", at=at).history) for at in ("2024-03-04", "2024-04-04")]
    assert seen[1] > seen[0]


def test_an_artifact_of_a_newer_version_is_refused(shop_copy: Path) -> None:
    file = shelf_of(shop_copy).current() / MANIFEST
    manifest = json.loads(file.read_text(encoding="utf-8"))
    manifest["format_version"] = FORMAT_VERSION + 1
    file.write_text(json.dumps(manifest), encoding="utf-8")
    said = f"has format version {FORMAT_VERSION + 1}, .* reads up to {FORMAT_VERSION}"
    with pytest.raises(ArtifactError, match=said):
        open_engine(shop_copy)


def test_an_untrained_project_says_what_to_run(shop_copy: Path) -> None:
    shutil.rmtree(shop_copy / ".recprism")
    with pytest.raises(NotTrained, match=r"has no trained artifact.*recprism train"):
        open_engine(shop_copy)
