"""A snapshot knows what was before it, nothing else, and comes back from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recprism.artifact import read_arrays, write_arrays
from recprism.signals.registry import active_signals
from recprism.signals.shortlist import Binder, make_shortlist
from recprism.signals.snapshot import Snapshot, fit_snapshot, fold_in_all, naming_label
from recprism.testing.signals import CUT, SignalShop, plant_events


def equal(one: Snapshot, two: Snapshot) -> bool:
    """Whether all fitted arrays agree to the last bit."""
    first, second = one.to_arrays(), two.to_arrays()
    assert first.keys() == second.keys()
    return all(np.array_equal(array, second[name]) for name, array in first.items())


def test_events_at_or_after_the_snapshot_change_no_array(shop: SignalShop) -> None:
    assert equal(shop.snapshot, shop.leaked_to)
    assert equal(shop.snapshot, fit_snapshot(shop.ground, shop.log.until(CUT), CUT))


def test_an_event_before_the_snapshot_does_change_it(shop: SignalShop) -> None:
    planted = plant_events(shop.log, range(shop.log.n_users), [0, 58, 59], 0, CUT - 1)
    assert not equal(shop.snapshot, fit_snapshot(shop.ground, planted, CUT))


def test_the_same_seed_gives_the_same_arrays(shop: SignalShop) -> None:
    assert equal(shop.snapshot, fit_snapshot(shop.ground, shop.log, CUT))


def test_arrays_come_back_from_a_file_with_the_same_shortlists(
    shop: SignalShop, tmp_path: Path
) -> None:
    path = tmp_path / "snapshot.safetensors"
    write_arrays(path, shop.snapshot.to_arrays())
    names = shop.snapshot.segments.names
    opened = Snapshot.from_arrays(read_arrays(path), names, shop.ground)
    assert equal(shop.snapshot, opened)
    assert (opened.at, opened.segments.names) == (CUT, names)
    for user in shop.states().values():
        for plan in shop.plans.values():
            one, two = (make_shortlist(Binder(s, user), plan, 30) for s in (shop.snapshot, opened))
            np.testing.assert_array_equal(one.candidates.item, two.candidates.item)
            np.testing.assert_array_equal(one.columns, two.columns)


def test_columns_are_named_in_the_order_of_the_registry(shop: SignalShop) -> None:
    wanted = [
        f"{name}.{column}"
        for name, s in active_signals(shop.ground.project).items()
        for column in s.columns
    ]
    assert shop.snapshot.columns == wanted


def test_quotas_are_those_of_the_project_file(shop: SignalShop) -> None:
    config = shop.ground.project.signals
    assert shop.snapshot.quota == {
        n: getattr(config, n).candidates for n in active_signals(shop.ground.project)
    }


def test_segments_follow_taste_and_a_known_user_without_taste_keeps_the_one_fitted(
    shop: SignalShop,
) -> None:
    taste = fold_in_all(shop.snapshot.taste, shop.log.until(CUT), CUT)
    nothing = np.zeros_like(taste[0])
    segments = shop.snapshot.segments
    assert shop.snapshot.segment_of(nothing, 3) == segments.of_user[3]
    assert shop.snapshot.segment_of(nothing, -1) == -1
    assert shop.snapshot.segment_of(taste[3], -1) == segments.assign(taste[3])


def test_segments_are_named_by_the_coarsest_label(shop: SignalShop) -> None:
    values = shop.ground.labels.values
    assert naming_label(shop.ground.labels) == min(values, key=lambda name: len(values[name]))


@pytest.mark.parametrize("n_events", [0, 1])
def test_a_snapshot_of_next_to_nothing_still_serves(shop: SignalShop, n_events: int) -> None:
    first = np.zeros(len(shop.log), bool)
    first[:n_events] = True
    snapshot = fit_snapshot(shop.ground, shop.log.take(first), CUT)
    for user in shop.states().values():
        for plan in shop.plans.values():
            shortlist = make_shortlist(Binder(snapshot, user), plan, 30)
            assert np.isfinite(shortlist.columns).all()
            if plan.name == "products":
                assert len(shortlist) == 30
