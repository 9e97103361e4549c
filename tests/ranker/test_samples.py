"""Training lists: what serving would have ranked, and what came true."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from recprism.artifact import read_arrays, write_arrays
from recprism.data.dataset import DAY_US
from recprism.profiles.state import state_from_log
from recprism.ranker.features import FeatureSpec
from recprism.ranker.occasions import (
    Occasions,
    goal_days,
    goal_events,
    outcomes,
    weekly_occasions,
)
from recprism.ranker.samples import MOST, MOST_POSITIVES, Samples, Sampling, make_samples
from recprism.signals.shortlist import Binder, make_shortlist
from recprism.testing.signals import CUT, SignalShop, plant_events

WHOLE = Sampling(shortlist=60, negatives=None, only_hits=False, seed=0)
FEW = Sampling(shortlist=60, negatives=5, only_hits=True, seed=0)


def samples_of(shop: SignalShop, spec: FeatureSpec, task: str, sampling: Sampling) -> Samples:
    plans, occasions = [shop.plans[task]], weekly_occasions(shop.log, CUT)
    return make_samples(spec, shop.snapshot, shop.log, plans, occasions, sampling)[task]


def lists_of(samples: Samples) -> list[slice]:
    bounds = samples.offsets.tolist()
    return [slice(lo, hi) for lo, hi in pairwise(bounds)]


def test_an_occasion_before_its_snapshot_is_refused(shop: SignalShop, spec: FeatureSpec) -> None:
    early = Occasions(np.zeros(1, np.int32), np.array([CUT - 1], np.int64))
    with pytest.raises(ValueError, match="an occasion lies before its snapshot"):
        make_samples(spec, shop.snapshot, shop.log, [shop.plans["products"]], early, WHOLE)


@pytest.mark.parametrize("task", ["products", "coupons", "ads"])
def test_a_whole_list_is_the_shortlist_with_what_came_true(
    shop: SignalShop, spec: FeatureSpec, task: str
) -> None:
    plan, goals = shop.plans[task], goal_events(shop.log, shop.plans[task])
    samples = samples_of(shop, spec, task, WHOLE)
    assert len(samples) > 3
    assert samples.label.any()
    assert (samples.weight == 1).all()
    for i, rows in enumerate(lists_of(samples)):
        user_idx = int(samples.user[i])
        state = state_from_log(shop.log, user_idx, CUT)
        shortlist = make_shortlist(Binder(shop.snapshot, state), plan, WHOLE.shortlist)
        reached = outcomes(goals, user_idx, CUT, CUT + plan.horizon_us)
        shown = plan.underlying[shortlist.candidates.item - plan.kind.start]
        assert samples.label[rows].tolist() == [int(item in reached) for item in shown]
        open_to = shortlist.eligible
        findable = (
            reached
            if open_to is None
            else [i for i in reached if i in plan.underlying[open_to - plan.kind.start]]
        )
        assert samples.hits[i] == len(findable)
        assert samples.time[i] == CUT


def test_users_who_may_be_shown_nothing_have_no_list(shop: SignalShop, spec: FeatureSpec) -> None:
    samples = samples_of(shop, spec, "coupons", WHOLE)
    offers = shop.plans["coupons"].kind.offers
    assert offers is not None
    assert offers.audience is not None
    mailed = {user for user in range(len(offers.audience)) if len(offers.audience.of(user))}
    assert set(samples.user.tolist()) <= mailed
    assert len(samples.user) < len(weekly_occasions(shop.log, CUT))


def test_sampling_keeps_positives_and_weights_the_rest_by_the_inverse_rate(
    shop: SignalShop, spec: FeatureSpec
) -> None:
    whole, few = (samples_of(shop, spec, "products", sampling) for sampling in (WHOLE, FEW))
    by_user = {int(user): rows for user, rows in zip(whole.user, lists_of(whole), strict=True)}
    assert len(few) > 3
    for i, rows in enumerate(lists_of(few)):
        everything = by_user[int(few.user[i])]
        positive = few.label[rows] == 1
        assert positive.sum() == whole.label[everything].sum() > 0
        assert (few.weight[rows][positive] == 1).all()
        assert (~positive).sum() == FEW.negatives
        n_negatives = (whole.label[everything] == 0).sum()
        assert few.weight[rows].sum() == pytest.approx(positive.sum() + n_negatives, rel=1e-5)


def test_lists_without_an_outcome_are_left_out_when_asked(
    shop: SignalShop, spec: FeatureSpec
) -> None:
    whole, few = (samples_of(shop, spec, "ads", sampling) for sampling in (WHOLE, FEW))
    goals, horizon = goal_events(shop.log, shop.plans["ads"]), shop.plans["ads"].horizon_us
    with_outcome = {
        user for user in whole.user.tolist() if len(outcomes(goals, user, CUT, CUT + horizon))
    }
    assert set(few.user.tolist()) == with_outcome < set(whole.user.tolist())


def test_very_many_positives_are_sampled_and_weighted_too(
    shop: SignalShop, spec: FeatureSpec
) -> None:
    everything = list(range(MOST_POSITIVES + 10))
    log = plant_events(shop.log, [0], everything, 0, CUT + DAY_US)
    one = Occasions(np.zeros(1, np.int32), np.array([CUT], np.int64))
    samples = make_samples(spec, shop.snapshot, log, [shop.plans["products"]], one, FEW)["products"]
    positive = samples.label == 1
    assert positive.sum() == MOST_POSITIVES
    assert samples.hits[0] >= len(everything)
    assert samples.weight[positive].sum() >= len(everything) - 1e-3


def test_the_same_seed_draws_the_same_negatives(shop: SignalShop, spec: FeatureSpec) -> None:
    one, two = (samples_of(shop, spec, "products", FEW) for _ in range(2))
    other = samples_of(shop, spec, "products", replace(FEW, seed=1))
    np.testing.assert_array_equal(one.numbers, two.numbers)
    assert not np.array_equal(one.numbers, other.numbers)
    np.testing.assert_array_equal(one.hits, other.hits)


def test_tasks_share_the_occasions_and_not_the_lists(shop: SignalShop, spec: FeatureSpec) -> None:
    occasions = weekly_occasions(shop.log, CUT)
    together = make_samples(
        spec, shop.snapshot, shop.log, list(shop.plans.values()), occasions, WHOLE
    )
    for task, samples in together.items():
        np.testing.assert_array_equal(samples.numbers, samples_of(shop, spec, task, WHOLE).numbers)


def test_no_occasions_give_no_lists_of_the_right_width(shop: SignalShop, spec: FeatureSpec) -> None:
    nobody = Occasions(np.zeros(0, np.int32), np.zeros(0, np.int64))
    samples = make_samples(spec, shop.snapshot, shop.log, [shop.plans["ads"]], nobody, WHOLE)["ads"]
    assert len(samples) == 0
    assert samples.numbers.shape == (0, len(spec.numbers))
    assert samples.codes.shape == (0, len(spec.codes))
    joined = Samples.concatenate([samples, samples_of(shop, spec, "ads", FEW), samples])
    assert len(joined) == len(samples_of(shop, spec, "ads", FEW))


def test_numbers_fit_half_precision(shop: SignalShop, spec: FeatureSpec) -> None:
    samples = samples_of(shop, spec, "products", WHOLE)
    assert samples.numbers.dtype == np.float16
    assert np.isfinite(samples.numbers).all()
    assert np.isfinite(np.float16(MOST))


def test_samples_come_back_from_a_file(shop: SignalShop, spec: FeatureSpec, tmp_path: Path) -> None:
    samples = samples_of(shop, spec, "ads", FEW)
    write_arrays(tmp_path / "samples.safetensors", samples.to_arrays())
    again = Samples.from_arrays(read_arrays(tmp_path / "samples.safetensors"))
    for name, array in samples.to_arrays().items():
        np.testing.assert_array_equal(array, again.to_arrays()[name])


def test_lists_can_be_cut_by_time_and_put_together_again(
    shop: SignalShop, spec: FeatureSpec
) -> None:
    plan = shop.plans["coupons"]
    days = goal_days(shop.log, plan, CUT, CUT + 28 * DAY_US)
    samples = make_samples(spec, shop.snapshot, shop.log, [plan], days, WHOLE)["coupons"]
    middle = int(np.median(samples.time))
    early, late = samples.between(0, middle), samples.between(middle, CUT + 99 * DAY_US)
    assert (early.time < middle).all()
    assert (late.time >= middle).all()
    assert len(early) + len(late) == len(samples)
    joined = Samples.concatenate([early, late])
    order = np.argsort(samples.time >= middle, kind="stable")
    np.testing.assert_array_equal(joined.user, samples.user[order])
    spans = lists_of(samples)
    rows = np.concatenate([np.arange(spans[i].start, spans[i].stop) for i in order])
    np.testing.assert_array_equal(joined.numbers, samples.numbers[rows])
    np.testing.assert_array_equal(joined.label, samples.label[rows])
    assert len(samples.between(0, CUT)) == 0
