"""The demo's steps, on the small shop instead of the grocery data."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from recprism.artifact import ArtifactShelf
from recprism.cli import demo
from recprism.testing.shops import MILK_BUYER

pytestmark = pytest.mark.slow
UNTIL = datetime(2024, 5, 6)


def test_the_demo_measures_shows_and_reuses(
    shop_copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf = ArtifactShelf(shop_copy / ".recprism" / "artifacts")
    trained = set(shelf.ids())
    demo.Demo(shop_copy, user=MILK_BUYER, until=UNTIL).run()
    first = capsys.readouterr().out
    assert "Training on what was known before 2024-05-06" in first
    assert "Reusing the artifact trained on all data" in first
    assert "baseline: personal" in first
    assert f"Lists for `{MILK_BUYER}`" in first
    assert f"recprism recommend {shop_copy} --user {MILK_BUYER}" in first
    assert (shop_copy / "report.html").is_file()
    assert len(set(shelf.ids()) - trained) == 1
    demo.Demo(shop_copy, user=MILK_BUYER, until=UNTIL).run()
    second = capsys.readouterr().out
    assert "Training" not in second
    assert "baseline: personal" in second


def test_lists_are_shown_from_the_artifact_that_knows_everything(
    shop_copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = shop_copy / ".recprism" / "demo.json"
    saved.write_text(json.dumps({"project_hash": "other", "evaluation": {}}))
    (shop_copy / "recprism.yaml").write_text("project: [unfinished\n")
    assert demo.main([str(shop_copy)]) == 2
    assert "recprism.yaml:" in capsys.readouterr().err
