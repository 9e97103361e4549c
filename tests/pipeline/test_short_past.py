"""A project learns from as little past as it has, and says so when that is too little."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recprism.data.times import parse_time
from recprism.pipeline import Workspace, fit, prepare
from recprism.project import load_project
from recprism.ranker.features import Features
from recprism.testing.shops import write_shop


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return prepare(load_project(write_shop(tmp_path_factory.mktemp("short") / "shop")))


@pytest.mark.parametrize(
    ("until", "tasks"),
    [
        ("2024-01-22", set()),
        ("2024-01-29", {"products", "ads"}),  # two whole weeks, and nobody redeemed anything yet
        ("2024-03-11", {"products", "ads", "coupons"}),
    ],
)
def test_rankers_are_learned_for_the_goals_that_somebody_reached(
    workspace: Workspace, until: str, tasks: set[str]
) -> None:
    model = fit(workspace, parse_time(until))
    assert set(model.rankers) == set(model.training["tasks"]) == tasks
    assert ("note" in model.training) == (not tasks)
    numbers = np.zeros((2, len(model.features.numbers)), np.float32)
    codes = np.zeros((2, len(model.features.codes)), np.int32)
    for ranker in model.rankers.values():
        logit = ranker.logits(Features(numbers, codes))
        assert np.isfinite(logit).all()
        assert ((ranker.calibration(logit) > 0) & (ranker.calibration(logit) < 1)).all()


def test_a_single_snapshot_is_split_by_users(workspace: Workspace) -> None:
    until = parse_time("2024-01-29")
    model = fit(_with(workspace, "ranker", snapshots=1), until)
    account = model.training["tasks"]["products"]
    assert account["lists"] > 0
    assert account["validation_lists"] > 0
    assert account["lists"] + account["validation_lists"] <= len(workspace.ground.catalog.users)


def test_signals_of_the_last_snapshot_serve_without_a_refit(workspace: Workspace) -> None:
    until, monday = parse_time("2024-03-14"), parse_time("2024-03-03T23:00")  # in Berlin
    fitted = fit(workspace, until)
    kept = fit(_with(workspace, "signals", refit=False), until)
    assert fitted.snapshot.at == until
    assert kept.snapshot.at == monday
    assert len(kept.events) == len(fitted.events)


def _with(workspace: Workspace, section: str, **settings: object) -> Workspace:
    """The workspace with other settings in one section."""
    spec = workspace.ground.project
    changed = getattr(spec, section).model_copy(update=settings)
    ground = replace(workspace.ground, project=spec.model_copy(update={section: changed}))
    return replace(workspace, ground=ground)
