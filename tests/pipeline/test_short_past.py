"""A project learns from as little past as it has, and says so when that is too little."""

from __future__ import annotations

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
