"""A model in memory, and the same one written and opened again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recprism.artifact import ArtifactShelf, read_arrays, write_arrays
from recprism.data.dataset import Dataset
from recprism.data.saved import save_dataset
from recprism.engine import Engine, open_engine
from recprism.errors import ArtifactError
from recprism.model import Model, open_model, save_model
from recprism.pipeline import Workspace, fit, prepare, publish
from recprism.project import load_project
from recprism.store import MemoryStore
from recprism.testing.shops import END, shop_users

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def workspace(trained_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("model") / "shop"
    shutil.copytree(trained_shop, folder, ignore=shutil.ignore_patterns("artifacts"))
    return prepare(load_project(folder))


@pytest.fixture(scope="module")
def model(workspace: Workspace) -> Model:
    """Fitted in memory from what the shop's training left in its cache."""
    return fit(workspace)


def answers(engine: Engine) -> Mapping[str, Any]:
    at = END + timedelta(hours=3)
    return {
        str(user): engine.recommend(user, at=at, query=query).to_dict()["lists"]
        for user in [*shop_users()[:12], None]
        for query in (None, "something sweet")
    }


def test_a_published_artifact_answers_as_the_model_in_memory(
    model: Model, workspace: Workspace
) -> None:
    artifact = publish(workspace, model)
    in_memory = Engine(model)
    assert in_memory.artifact_id == "in-memory"
    opened = open_engine(workspace.project.path, store=MemoryStore())
    assert opened.artifact_id == artifact.id
    of_artifact = Engine(artifact)  # as the README shows it
    assert of_artifact.artifact_id == artifact.id
    assert answers(in_memory) == answers(opened) == answers(of_artifact)


def test_training_again_gives_the_same_answers(model: Model, workspace: Workspace) -> None:
    assert answers(Engine(fit(workspace))) == answers(Engine(model))


def test_an_artifact_of_training_is_that_of_the_shop(model: Model, trained_shop: Path) -> None:
    assert answers(open_engine(trained_shop, store=MemoryStore())) == answers(Engine(model))


def test_all_parts_survive_writing_and_opening(model: Model, tmp_path: Path) -> None:
    shelf = ArtifactShelf(tmp_path)
    folder = shelf.new()
    save_dataset(Dataset(model.catalog, model.events, []), folder)
    save_model(model, folder)
    again = open_model(shelf.root / shelf.publish(folder, {}))
    assert again.project == model.project
    assert again.until == model.until
    assert json.dumps(again.training) == json.dumps(dict(model.training))
    assert again.snapshot.segments.names == model.snapshot.segments.names
    fitted, opened = model.snapshot.to_arrays(), again.snapshot.to_arrays()
    assert fitted.keys() == opened.keys()
    for name, array in fitted.items():
        np.testing.assert_array_equal(opened[name], array, err_msg=name)
    for task, ranker in model.rankers.items():
        other = again.rankers[task]
        assert other.graph == ranker.graph
        assert other.calibration.method == ranker.calibration.method
        np.testing.assert_array_equal(other.medians, ranker.medians)
    assert {task: effect.to_dict() for task, effect in again.effects.items()} == {
        task: effect.to_dict() for task, effect in model.effects.items()
    }
    np.testing.assert_array_equal(again.events.item, model.events.item)
    assert list(again.plans) == list(model.plans)


def test_no_event_of_a_model_lies_at_or_after_its_end(workspace: Workspace) -> None:
    until = int(np.median(workspace.log.time))
    found = fit(workspace, until)
    assert int(found.events.time.max()) < until == found.snapshot.at


@pytest.mark.parametrize(
    ("file", "damage"), [("model.json", "x"), ("project.json", "{"), ("ads.onnx", "no graph")]
)
def test_a_damaged_part_of_the_right_size_is_an_artifact_error(
    trained_shop: Path, tmp_path: Path, file: str, damage: str
) -> None:
    shelf = ArtifactShelf(trained_shop / ".recprism" / "artifacts")
    folder = Path(shutil.copytree(shelf.current(), tmp_path / "artifact"))
    size = (folder / file).stat().st_size
    (folder / file).write_bytes(damage.encode().ljust(size))
    with pytest.raises(ArtifactError, match=rf"{file}` cannot be read .*Train again"):
        open_model(folder)


def test_an_artifact_without_what_a_signal_keeps_now_is_an_artifact_error(
    trained_shop: Path, tmp_path: Path
) -> None:
    shelf = ArtifactShelf(trained_shop / ".recprism" / "artifacts")
    folder = Path(shutil.copytree(shelf.current(), tmp_path / "artifact"))
    file = folder / "snapshot.safetensors"
    kept = {k: np.array(v) for k, v in read_arrays(file).items() if k != "follow/recency"}
    write_arrays(file, kept)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][file.name] = file.stat().st_size
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match=r"safetensors` cannot be read .*recency.*Train again"):
        open_model(folder)


def test_opening_an_engine_loads_no_library_that_only_training_needs() -> None:
    code = (
        "import sys, recprism.engine, recprism.model\n"
        "print([m for m in ('torch', 'sklearn', 'pandas', 'ray') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_answers_need_no_library_that_only_training_needs(trained_shop: Path) -> None:
    code = (
        "import sys, recprism\n"
        "engine = recprism.open(sys.argv[1])\n"
        "assert engine.recommend('mia').lists['products'].items\n"
        "print([m for m in ('torch', 'sklearn', 'pandas', 'ray') if m in sys.modules])"
    )
    words = [sys.executable, "-c", code, str(trained_shop)]
    run = subprocess.run(words, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
