"""The pipeline and the engine, evaluated end to end on the small shop with known answers."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recprism.artifact import ArtifactShelf
from recprism.data.dataset import Dataset
from recprism.data.times import to_micros
from recprism.errors import UsageError
from recprism.evaluate import Settings, evaluate_project
from recprism.evaluate.report import render_report
from recprism.evaluate.trained import evaluate_artifact
from recprism.evaluate.wiring import FitWorkspace, OpenArtifact, dataset_of, open_with_later
from recprism.model import open_model
from recprism.pipeline import Workspace, prepare, train
from recprism.project import Project, load_project
from recprism.project.schema import EvaluateTask
from recprism.testing.shops import MILK_BUYER

pytestmark = pytest.mark.slow
UNTIL = datetime(2024, 5, 6)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, trained_shop: Path) -> Project:
    """The shop with an artifact that was trained until `UNTIL`."""
    folder = shutil.copytree(trained_shop, tmp_path_factory.mktemp("held-out") / "shop")
    found = load_project(folder)
    train(found, until=UNTIL)
    return found


@pytest.fixture(scope="module")
def workspace(project: Project) -> Workspace:
    return prepare(project)


@pytest.fixture(scope="module")
def artifact(project: Project) -> Path:
    return ArtifactShelf(project.path / ".recprism" / "artifacts").current()


def test_a_trained_artifact_is_measured_on_what_came_after(
    project: Project, artifact: Path
) -> None:
    found = evaluate_artifact(project, artifact)
    products = found.tasks["products"]
    assert products.until == [UNTIL]
    assert products.rules["model"].value > products.rules["popular"].value
    assert {"signal:repeat", "signal:follow"} <= set(products.rules)
    assert "single" not in products.rules
    assert products.calibration.n > 0
    assert products.ms["p50"] > 0
    json.dumps(found.to_dict(), allow_nan=False)
    assert "came true" in render_report(replace(found, tasks={}))


def test_a_project_is_trained_and_measured_beside_single(project: Project) -> None:
    found = evaluate_project(project, Settings(tasks=["products"]))
    rules = found.tasks["products"].rules
    assert rules["model"].value > rules["popular"].value
    assert rules["single"].n == rules["model"].n
    assert found.seconds["train"] > 0
    assert "Learning the tasks together" in found.tasks["products"].verdict


def test_an_artifact_that_knows_everything_cannot_be_measured(trained_shop: Path) -> None:
    current = ArtifactShelf(trained_shop / ".recprism" / "artifacts").current()
    with pytest.raises(UsageError, match=r"no later event is there.*Train one with `--until`"):
        evaluate_artifact(load_project(trained_shop), current)


def test_an_artifact_cannot_stand_for_another_moment(
    project: Project, workspace: Workspace, artifact: Path
) -> None:
    dataset = dataset_of(workspace)
    opened = OpenArtifact(artifact)
    with pytest.raises(UsageError, match=r"not trained until 2024-04-01T00:00:00"):
        opened(project, dataset, until=datetime(2024, 4, 1), architecture=None)
    with pytest.raises(UsageError, match=r"with `single`"):
        opened(project, dataset, until=UNTIL, architecture="single")


def test_a_cut_before_the_first_event_is_refused(project: Project) -> None:
    early = {"products": EvaluateTask(until=[datetime(2000, 1, 1)])}
    spec = project.spec.model_copy(update={"evaluate": early})
    with pytest.raises(UsageError, match=r"until 2000-01-01T00:00:00, but no event lies before"):
        evaluate_project(replace(project, spec=spec), Settings(tasks=["products"]))


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 13), st.integers(0, 40))
def test_events_planted_in_the_future_change_no_answer(
    workspace: Workspace, artifact: Path, day: int, shift: int
) -> None:
    dataset = dataset_of(workspace)
    opened = open_with_later(open_model(artifact), dataset)
    at = UNTIL.replace(day=UNTIL.day + day)
    log = dataset.events
    changed = log.item.copy()
    later = log.time >= to_micros(at)
    products = dataset.catalog.kinds["products"]
    changed[later] = products.start + (changed[later] + shift) % len(products)
    planted = Dataset(dataset.catalog, replace(log, item=changed))
    other = open_with_later(opened.model, planted)
    answers = [
        engine.recommend(user=MILK_BUYER, at=at, explain=False).to_dict()["lists"]
        for engine in (opened, other)
    ]
    assert answers[0] == answers[1]


def test_training_in_memory_and_from_an_artifact_give_the_same_lists(
    project: Project, workspace: Workspace, artifact: Path
) -> None:
    dataset = dataset_of(workspace)
    fits = (FitWorkspace(workspace), OpenArtifact(artifact))
    ids = [
        [item.id for item in engine.recommend(user=MILK_BUYER, at=UNTIL).lists["products"].items]
        for engine in (f(project, dataset, until=UNTIL, architecture=None) for f in fits)
    ]
    assert ids[0] == ids[1]
