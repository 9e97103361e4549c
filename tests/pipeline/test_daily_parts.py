"""Rare goals: training asks artifacts of different ages, validation one, and neither sees both."""

from __future__ import annotations

import numpy as np
import pytest

from recprism.data.dataset import DAY_US
from recprism.data.times import parse_time
from recprism.pipeline import Workspace, prepare
from recprism.pipeline.parts import Parts, load_data, load_lists, parts_of
from recprism.project import load_project
from recprism.ranker.harvest import LIFE_WEEKS, WEEK_US, harvest
from recprism.ranker.samples import Samples
from recprism.signals.plan import compile_tasks
from recprism.testing.shops import write_shop

UNTIL = parse_time("2024-04-08")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return prepare(load_project(write_shop(tmp_path_factory.mktemp("daily") / "shop")))


@pytest.fixture(scope="module")
def parts(workspace: Workspace) -> Parts:
    plans = compile_tasks(workspace.ground.project, workspace.ground.catalog)
    chosen = parts_of(workspace, plans, UNTIL)["coupons"]
    harvest(workspace.folder, workspace.samples, chosen.all)
    return chosen


@pytest.fixture(scope="module")
def lists(workspace: Workspace, parts: Parts) -> tuple[Samples, Samples]:
    plans = compile_tasks(workspace.ground.project, workspace.ground.catalog)
    return load_data(workspace.samples, parts, plans["coupons"], UNTIL)


def _occasions(samples: Samples) -> list[tuple[int, int]]:
    return list(zip(samples.user.tolist(), samples.time.tolist(), strict=True))


def test_a_day_is_asked_of_artifacts_of_several_ages(lists: tuple[Samples, Samples]) -> None:
    train, _ = lists
    assert len(set(_occasions(train))) < len(train)


def test_validation_asks_one_artifact_once_about_what_came_after_it(
    parts: Parts, lists: tuple[Samples, Samples]
) -> None:
    _, valid = lists
    assert [part.at for part in parts.valid] == [parts.valid_from]
    assert len(set(_occasions(valid))) == len(valid) > 0
    assert int(valid.time.min()) >= parts.valid_from
    assert int(valid.time.max()) + DAY_US <= UNTIL


def test_nothing_in_training_reaches_into_the_validation_span(
    parts: Parts, lists: tuple[Samples, Samples]
) -> None:
    train, _ = lists
    assert max(part.at for part in parts.train) < parts.valid_from
    assert int(train.time.max()) + DAY_US <= parts.valid_from


def test_every_list_is_asked_in_the_life_of_its_artifact(
    workspace: Workspace, parts: Parts
) -> None:
    plan = compile_tasks(workspace.ground.project, workspace.ground.catalog)["coupons"]
    for part in parts.train:
        age = load_lists(workspace.samples, [part], plan, UNTIL).time - part.at
        assert np.all((age >= 0) & (age < LIFE_WEEKS * WEEK_US))
