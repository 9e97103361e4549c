"""What a second training takes over from the first, and when it must not."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from recprism.artifact import read_arrays
from recprism.data.times import parse_time
from recprism.engine import open_engine
from recprism.errors import UsageError
from recprism.pipeline import Timer, fit, plan, prepare, train
from recprism.project import Project, load_project
from recprism.ranker import harvest
from recprism.store import MemoryStore
from recprism.testing.shops import END

pytestmark = pytest.mark.slow


def cached(folder: Path, pattern: str) -> dict[str, int]:
    """Files of the cache, and when each was written."""
    cache = folder / ".recprism" / "cache"
    return {str(p.relative_to(cache)): p.stat().st_mtime_ns for p in cache.glob(pattern)}


def change(folder: Path, old: str, new: str) -> Project:
    file = folder / "recprism.yaml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    return load_project(folder)


def test_unchanged_content_is_neither_loaded_nor_sampled_again(shop_copy: Path) -> None:
    data, samples = cached(shop_copy, "prepared-*/*"), cached(shop_copy, "samples-*/*")
    assert data
    assert samples
    artifact = train(load_project(shop_copy))
    assert not {"load", "encode"} & set(artifact.training["seconds"])
    assert cached(shop_copy, "samples-*/*") == samples
    assert {name for name in cached(shop_copy, "prepared-*/*")} == set(data)


def test_a_changed_source_is_noticed(shop_copy: Path) -> None:
    with (shop_copy / "data" / "purchases.csv").open("a", encoding="utf-8") as file:
        file.write(f"mia,p60,{END.isoformat()},1.0,late,1\n")
    before = cached(shop_copy, "*-*")
    train(load_project(shop_copy))
    # What was prepared from the old sources is gone but for one generation.
    assert len(set(cached(shop_copy, "prepared-*")) - set(before)) == 1
    assert len(cached(shop_copy, "prepared-*")) == 2
    newest = open_engine(shop_copy, store=MemoryStore()).profile("mia").history[0]
    assert (newest.item, newest.time) == ("p60", END)


def test_the_same_size_at_another_time_is_a_change_too(shop_copy: Path) -> None:
    file = shop_copy / "data" / "products.csv"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("whole milk", "whole MILK"), encoding="utf-8")
    os.utime(file, (1_700_000_000, 1_700_000_000))
    train(load_project(shop_copy))
    near = open_engine(shop_copy, store=MemoryStore()).similar("products", "p02", 59)
    assert "whole MILK" in [one["title"] for one in near]


def test_settings_of_the_network_keep_the_samples(shop_copy: Path) -> None:
    samples = cached(shop_copy, "samples-*/*")
    artifact = train(change(shop_copy, "epochs: 3", "epochs: 1"))
    assert cached(shop_copy, "samples-*/*") == samples
    history = artifact.training["tasks"]["products"]["validation_ndcg@10"]
    assert len(history) == 2  # untrained, and after one epoch


def test_a_new_task_is_sampled_in_the_same_process(shop_copy: Path) -> None:
    project = change(
        shop_copy,
        "tasks:\n",
        "tasks:\n  soon: {recommend: products, goal: purchase, horizon: 2d, size: 4}\n",
    )
    artifact = train(project)
    assert "load" not in artifact.training["seconds"]
    assert list(artifact.training["tasks"]) == ["soon", "products", "coupons", "ads"]
    answer = open_engine(shop_copy, store=MemoryStore()).recommend("mia")
    shown = [item.id for task in ("soon", "products") for item in answer.lists[task].items]
    assert len(shown) == len(set(shown)) == 14


def test_another_cut_shares_the_samples_of_the_weeks_that_both_have(shop_copy: Path) -> None:
    before = cached(shop_copy, "samples-*/*")
    train(load_project(shop_copy), until="2024-05-06")
    after = cached(shop_copy, "samples-*/*")
    assert {name: after[name] for name in before} == before
    assert len(after) > len(before)


def test_worker_processes_make_the_samples_that_this_one_makes(
    shop_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = prepare(load_project(shop_copy))
    mine = {path.name: read_arrays(path) for path in sorted(workspace.samples.iterdir())}
    for path in workspace.samples.iterdir():
        path.unlink()
    monkeypatch.setattr(harvest, "FEW_EVENTS", 0)
    seen: list[tuple[str, float]] = []
    fit(workspace, progress=lambda what, part: seen.append((what, part)))
    theirs = {path.name: read_arrays(path) for path in sorted(workspace.samples.iterdir())}
    assert mine.keys() == theirs.keys()
    for name, arrays in mine.items():
        for key, array in arrays.items():
            np.testing.assert_allclose(
                array.astype(np.float64), theirs[name][key], rtol=2e-3, atol=2e-3
            )
    shares = [part for what, part in seen if what == "make training samples"]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_a_dry_run_reckons_and_writes_nothing(shop_copy: Path) -> None:
    before = sorted(str(path) for path in shop_copy.rglob("*"))
    found = plan(load_project(shop_copy))
    assert (found["users"], found["items"], found["llm_calls"]) == (40, 60 + 3 + 58, 0)
    assert set(found["seconds"]) == {"load", "encode", "samples", "train"}
    assert all(value >= 0 for value in found["seconds"].values())
    assert sorted(str(path) for path in shop_copy.rglob("*")) == before


def test_a_stage_that_comes_twice_adds_up() -> None:
    timer = Timer()
    for _ in range(2):
        with timer.time("one"):
            pass
    with pytest.raises(ZeroDivisionError), timer.time("two"):
        _ = 1 / 0
    assert list(timer.seconds) == ["one", "two"]


@pytest.mark.parametrize("text", ["soon", "2024-13-01", ""])
def test_a_time_that_is_none_is_a_mistake(text: str) -> None:
    with pytest.raises(UsageError, match=f"`{text}` is no time; write ISO 8601"):
        parse_time(text)
