"""No number at a moment uses what came after it, and training cannot be fed a snapshot that did."""

from __future__ import annotations

import numpy as np
import pytest

from recprism.data.dataset import DAY_US, EventLog
from recprism.profiles.state import state_from_log
from recprism.ranker.features import FeatureSpec
from recprism.ranker.occasions import Occasions, goal_days, goal_events, weekly_occasions
from recprism.ranker.samples import Samples, Sampling, make_samples
from recprism.signals.shortlist import Binder
from recprism.signals.snapshot import Snapshot, fit_snapshot
from recprism.testing.signals import CUT, SignalShop, plant_events

WHOLE = Sampling(shortlist=60, negatives=None, only_hits=False, seed=0)
WEEK_US = 7 * DAY_US


def weekly(shop: SignalShop, spec: FeatureSpec, log: EventLog) -> dict[str, Samples]:
    """Whole lists of all tasks at `CUT`, everything fitted from `log` as training does."""
    snapshot = fit_snapshot(shop.ground, log, CUT)
    occasions = weekly_occasions(log, CUT)
    return make_samples(spec, snapshot, log, list(shop.plans.values()), occasions, WHOLE)


def test_an_event_from_the_future_changes_outcomes_and_no_number(
    shop: SignalShop, spec: FeatureSpec
) -> None:
    crowd = range(shop.log.n_users)
    planted = plant_events(shop.log, crowd, [0, 3, 58, 59], 0, CUT)
    before, after = weekly(shop, spec, shop.log), weekly(shop, spec, planted)
    for task in shop.plans:
        np.testing.assert_array_equal(before[task].numbers, after[task].numbers)
        np.testing.assert_array_equal(before[task].codes, after[task].codes)
        np.testing.assert_array_equal(before[task].offsets, after[task].offsets)
    assert (after["products"].hits > before["products"].hits).any()
    assert after["products"].label.sum() > before["products"].label.sum()


def test_an_event_just_before_the_snapshot_does_change_numbers(
    shop: SignalShop, spec: FeatureSpec
) -> None:
    planted = plant_events(shop.log, range(shop.log.n_users), [0, 3], 0, CUT - 1)
    before, after = weekly(shop, spec, shop.log), weekly(shop, spec, planted)
    for task in shop.plans:
        assert not np.array_equal(before[task].numbers, after[task].numbers)


@pytest.fixture
def one_day(shop: SignalShop) -> Occasions:
    """One redemption at least a day after the snapshot."""
    days = goal_days(shop.log, shop.plans["coupons"], CUT + DAY_US, CUT + 2 * WEEK_US)
    return days.take(np.arange(len(days)) == 0)


def test_between_snapshot_and_occasion_only_the_users_own_events_count(
    shop: SignalShop, spec: FeatureSpec, one_day: Occasions
) -> None:
    user, time = int(one_day.user[0]), int(one_day.time[0])
    others = [other for other in range(shop.log.n_users) if other != user]
    plan = shop.plans["coupons"]

    def numbers(log: EventLog) -> np.ndarray:
        made = make_samples(spec, shop.snapshot, log, [plan], one_day, WHOLE)
        return np.asarray(made["coupons"].numbers)

    honest = numbers(shop.log)
    of_others = plant_events(shop.log, others, [0, 1, 58], 0, time - 1)
    own_later = plant_events(shop.log, [user], [0, 1, 58], 0, time)
    own_before = plant_events(shop.log, [user], [0, 1, 58], 0, time - 1)
    np.testing.assert_array_equal(numbers(of_others), honest)
    np.testing.assert_array_equal(numbers(own_later), honest)
    assert not np.array_equal(numbers(own_before), honest)


def taste_of_label_week(shop: SignalShop, snapshot: Snapshot) -> dict[int, np.ndarray]:
    """Each user's taste scores at `CUT` on what was bought in the week that followed."""
    goals = goal_events(shop.log.between(CUT, CUT + WEEK_US), shop.plans["products"])
    goal, found = shop.plans["products"].goal, {}
    for user in np.unique(goals.user).tolist():
        binder = Binder(snapshot, state_from_log(shop.log, user, CUT))
        bought = goals.item[goals.span(user)]
        found[user] = binder.bind(goal)["taste"].score(bought)[:, 0]
    return found


def test_taste_over_a_label_week_differs_between_an_honest_and_a_leaky_snapshot(
    shop: SignalShop,
) -> None:
    leaky = fit_snapshot(shop.ground, shop.log, CUT + WEEK_US)
    honest, seen = (taste_of_label_week(shop, s) for s in (shop.snapshot, leaky))
    assert honest.keys() == seen.keys()
    differing = [user for user in honest if not np.allclose(honest[user], seen[user])]
    assert len(differing) > len(honest) / 2


def test_training_uses_the_honest_snapshot_and_refuses_the_leaky_one(
    shop: SignalShop, spec: FeatureSpec
) -> None:
    plan, occasions = shop.plans["products"], weekly_occasions(shop.log, CUT)
    made = make_samples(spec, shop.snapshot, shop.log, [plan], occasions, WHOLE)["products"]
    column = spec.numbers.index("own:taste.score")
    honest = taste_of_label_week(shop, shop.snapshot)
    for i, user in enumerate(made.user.tolist()):
        rows = slice(made.offsets[i], made.offsets[i + 1])
        hits = made.numbers[rows][made.label[rows] == 1, column]
        wanted = np.unique(honest.get(user, np.zeros(0, np.float32)).astype(np.float16))
        assert set(hits.tolist()) <= set(wanted.tolist())
    leaky = fit_snapshot(shop.ground, shop.log, CUT + WEEK_US)
    with pytest.raises(ValueError, match="leak the future"):
        make_samples(spec, leaky, shop.log, [plan], occasions, WHOLE)
