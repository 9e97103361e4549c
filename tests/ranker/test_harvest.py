"""Samples of many snapshots are made once, kept, and made again when they must be."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recprism.errors import ArtifactError
from recprism.ranker import harvest as harvest_module
from recprism.ranker.features import FeatureSpec
from recprism.ranker.harvest import (
    LIFE_WEEKS,
    MOST_A_DAY,
    WEEK_US,
    Mode,
    Part,
    fit_or_load,
    harvest,
    load_part,
    open_ground,
)
from recprism.ranker.occasions import goal_days, weekly_occasions
from recprism.ranker.samples import Samples, Sampling, make_samples
from recprism.testing.signals import CUT, SignalShop, plant_events

PARTS = [Part("products", CUT, "weekly"), Part("coupons", CUT, "days")]


def same(one: Samples, two: Samples) -> bool:
    first, second = one.to_arrays(), two.to_arrays()
    return all(np.array_equal(first[name], second[name]) for name in first)


def test_parts_are_the_samples_of_their_snapshot(
    shop: SignalShop, spec: FeatureSpec, tmp_path: Path
) -> None:
    told: list[float] = []
    harvest(shop.prepared, tmp_path, PARTS, lambda _, done: told.append(done))
    config = shop.ground.project.ranker
    sampling = Sampling(config.shortlist, config.negatives, only_hits=True, seed=config.seed)
    weekly = make_samples(
        spec,
        shop.snapshot,
        shop.log,
        [shop.plans["products"]],
        weekly_occasions(shop.log, CUT),
        sampling,
    )
    assert same(load_part(tmp_path, PARTS[0]), weekly["products"])
    whole = Sampling(config.shortlist, None, only_hits=False, seed=config.seed)
    days = goal_days(shop.log, shop.plans["coupons"], CUT, CUT + LIFE_WEEKS * WEEK_US)
    daily = make_samples(spec, shop.snapshot, shop.log, [shop.plans["coupons"]], days, whole)
    assert same(load_part(tmp_path, PARTS[1]), daily["coupons"])
    assert told[-1] == 1.0


def test_what_was_made_is_kept_and_what_is_damaged_is_made_again(
    shop: SignalShop, tmp_path: Path
) -> None:
    harvest(shop.prepared, tmp_path, PARTS)
    before = {part: (tmp_path / part.file).stat().st_mtime_ns for part in PARTS}
    good = load_part(tmp_path, PARTS[0])
    (tmp_path / PARTS[0].file).unlink()  # what is mapped must not be written over
    (tmp_path / PARTS[0].file).write_bytes(b"not an array")
    harvest(shop.prepared, tmp_path, PARTS)
    assert same(load_part(tmp_path, PARTS[0]), good)
    assert (tmp_path / PARTS[1].file).stat().st_mtime_ns == before[PARTS[1]]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(p.file for p in PARTS)


def test_a_missing_part_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=PARTS[0].file):
        load_part(tmp_path, PARTS[0])


@pytest.mark.parametrize(
    ("mode", "task"),
    [
        ("weekly", "products"),
        ("weekly", "ads"),
        ("whole", "products"),
        ("whole", "coupons"),
        ("days", "coupons"),
    ],
)
def test_every_mode_asks_at_or_after_its_snapshot_and_before_its_span_ends(
    shop: SignalShop, tmp_path: Path, mode: Mode, task: str
) -> None:
    part = Part(task, CUT, mode)
    harvest(shop.prepared, tmp_path, [part])
    samples = load_part(tmp_path, part)
    assert len(samples) > 0
    assert int(samples.time.min()) >= CUT
    assert int(samples.time.max()) < CUT + LIFE_WEEKS * WEEK_US
    if mode == "whole":
        assert (samples.time == CUT).all()
        assert (samples.weight >= 1).all()
        assert (samples.hits == 0).any()
    if mode == "weekly":
        assert (samples.time == CUT).all()
        assert (samples.weight >= 1).all()
    if (mode, task) == ("weekly", "products"):
        assert (samples.hits > 0).all()


def test_a_changed_setting_is_seen_by_the_same_process(shop: SignalShop, tmp_path: Path) -> None:
    prepared = tmp_path / "prepared"
    shutil.copytree(shop.prepared, prepared)
    first, _ = open_ground(str(prepared))
    assert open_ground(str(prepared))[0] is first
    spec = first.project
    changed = spec.model_copy(update={"ranker": spec.ranker.model_copy(update={"seed": 99})})
    (prepared / "project.json").write_text(changed.model_dump_json(by_alias=True), "utf-8")
    assert open_ground(str(prepared))[0].project.ranker.seed == 99
    one, two = (tmp_path / name for name in ("one", "two"))
    harvest(shop.prepared, one, PARTS[:1])
    harvest(prepared, two, PARTS[:1])
    assert not same(load_part(one, PARTS[0]), load_part(two, PARTS[0]))


def test_parts_of_other_tasks_times_and_modes_have_files_of_their_own() -> None:
    part = PARTS[0]
    others = [
        replace(part, task="ads"),
        replace(part, at=CUT + WEEK_US),
        replace(part, mode="whole"),
    ]
    assert len({part.file, *(other.file for other in others)}) == 4


def test_pieces_of_the_users_are_put_together_again(
    shop: SignalShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    harvest(shop.prepared, whole, PARTS[:1])
    monkeypatch.setattr("recprism.ranker.harvest.SHARD_USERS", 7)
    harvest(shop.prepared, pieces, PARTS[:1])
    assert len(weekly_occasions(shop.log, CUT)) > 2 * 7
    assert same(load_part(whole, PARTS[0]), load_part(pieces, PARTS[0]))
    assert not list(pieces.glob("*shard*"))


def test_a_run_killed_between_pieces_leaves_nothing_that_passes_for_the_whole(
    shop: SignalShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    harvest(shop.prepared, whole, PARTS[:1])
    monkeypatch.setattr("recprism.ranker.harvest.SHARD_USERS", 7)
    with monkeypatch.context() as killed:
        killed.setattr("recprism.ranker.harvest._join_shards", _die)
        with pytest.raises(KeyboardInterrupt):
            harvest(shop.prepared, broken, PARTS[:1])
    assert not (broken / PARTS[0].file).exists()
    harvest(shop.prepared, broken, PARTS[:1])
    assert same(load_part(whole, PARTS[0]), load_part(broken, PARTS[0]))


def _die(folder: Path, part: Part) -> None:
    raise KeyboardInterrupt(folder, part)


def test_a_kept_snapshot_is_not_taken_for_one_a_microsecond_later(
    shop: SignalShop, tmp_path: Path
) -> None:
    planted = plant_events(shop.log, range(shop.log.n_users), [0, 58], 0, CUT)
    later = fit_or_load(shop.ground, planted, CUT + 1, tmp_path, keep=True)
    first = fit_or_load(shop.ground, planted, CUT, tmp_path, keep=True)
    assert (later.at, first.at) == (CUT + 1, CUT)
    wanted = shop.snapshot.to_arrays()
    for name, array in first.to_arrays().items():
        np.testing.assert_array_equal(array, wanted[name])


def test_of_many_users_with_a_goal_on_a_day_some_are_drawn(
    shop: SignalShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = Part("coupons", CUT, "days")
    harvest(shop.prepared, tmp_path / "all", [part])
    everything = load_part(tmp_path / "all", part)
    assert int(np.unique(everything.time, return_counts=True)[1].max()) in range(2, MOST_A_DAY)
    monkeypatch.setattr(harvest_module, "MOST_A_DAY", 1)
    harvest(shop.prepared, tmp_path / "some", [part])
    drawn = load_part(tmp_path / "some", part)
    assert sorted(drawn.time.tolist()) == np.unique(everything.time).tolist()
    assert set(zip(drawn.user, drawn.time, strict=True)) <= set(
        zip(everything.user, everything.time, strict=True)
    )
