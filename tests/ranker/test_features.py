"""What the network sees: named, finite, and the same in training as in serving."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recprism.data.dataset import DAY_US
from recprism.data.times import OPEN_END, OPEN_START
from recprism.engine.later import FromLog
from recprism.engine.states import States
from recprism.model import Model
from recprism.ranker.features import (
    FAR_DAYS,
    OFFER,
    RELATIVE_VIEWS,
    USER,
    VIEWS,
    Features,
    FeatureSpec,
    make_features,
)
from recprism.ranker.occasions import Occasions, goal_days, weekly_occasions
from recprism.ranker.samples import Sampling, make_samples
from recprism.signals.plan import TaskPlan
from recprism.signals.registry import SIGNALS
from recprism.signals.shortlist import Binder, Shortlist, make_shortlist
from recprism.store import MemoryStore
from recprism.testing.signals import CUT, SignalShop

LIMIT = 40
TASKS = ("products", "coupons", "ads")


def made(shop: SignalShop, spec: FeatureSpec, state: str, task: str) -> tuple[Shortlist, Features]:
    plan = shop.plans[task]
    binder = Binder(shop.snapshot, shop.states()[state])
    shortlist = make_shortlist(binder, plan, LIMIT)
    return shortlist, make_features(spec, binder, shortlist, plan)


def column(spec: FeatureSpec, features: Features, name: str) -> np.ndarray:
    return np.asarray(features.numbers[:, spec.numbers.index(name)])


def test_every_number_has_a_name_of_its_own(spec: FeatureSpec) -> None:
    assert len(set(spec.numbers)) == len(spec.numbers)
    assert [name for name in spec.numbers if name.startswith("content:")] == [
        f"content:{i}" for i in range(spec.content_size)
    ]


def test_every_number_of_a_signal_is_known_to_be_its_own(spec: FeatureSpec) -> None:
    for place, (name, signal) in enumerate(spec.signals.items()):
        mine = [number for number in spec.numbers if f":{name}." in number]
        expected = len(VIEWS) * len(signal.columns) + 2 * len(RELATIVE_VIEWS)
        assert len(mine) == expected == int((spec.signal_of == place).sum())
    others = [n for n, s in zip(spec.numbers, spec.signal_of, strict=True) if s == -1]
    assert len(others) == len(USER) + len(OFFER) + spec.content_size


def test_no_raw_taste_coordinate_is_among_them(spec: FeatureSpec) -> None:
    """A refit rotates the factors, and the ranker outlives the refit."""
    of_taste = {name.split(".")[1] for name in spec.numbers if ":taste." in name}
    assert of_taste == set(SIGNALS["taste"].columns)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("state", ["regular", "single", "idle", "stranger", "viewer"])
def test_numbers_are_finite_and_codes_in_range_for_everybody(
    shop: SignalShop, spec: FeatureSpec, state: str, task: str
) -> None:
    shortlist, features = made(shop, spec, state, task)
    assert features.numbers.shape == (len(shortlist), len(spec.numbers))
    assert features.codes.shape == (len(shortlist), len(spec.codes))
    assert np.isfinite(features.numbers).all()
    assert (features.codes >= 0).all()
    assert (features.codes < np.array(list(spec.codes.values()))).all()


def test_numbers_stand_where_their_names_say(shop: SignalShop, spec: FeatureSpec) -> None:
    shortlist, features = made(shop, spec, "regular", "coupons")
    for view, name in enumerate(VIEWS):
        for place, signal_column in enumerate(shop.snapshot.columns):
            np.testing.assert_array_equal(
                column(spec, features, f"{name}:{signal_column}"),
                shortlist.columns[:, view, place],
            )
    item = shortlist.candidates.item
    np.testing.assert_array_equal(
        column(spec, features, "content:0"), shop.ground.content.item[item, 0]
    )


def test_a_share_is_that_of_the_lists_largest_and_ranks_fall(
    shop: SignalShop, spec: FeatureSpec
) -> None:
    _, features = made(shop, spec, "regular", "products")
    strength = column(spec, features, "max:repeat.strength")
    part = column(spec, features, "part_max:repeat.strength")
    rank = column(spec, features, "rank_max:repeat.strength")
    np.testing.assert_allclose(part, strength / strength.max(), rtol=1e-6)
    order = np.argsort(-strength, kind="stable")
    had = strength[order] > 0
    wanted = 1 / np.log2(2 + np.arange(len(order)))
    np.testing.assert_allclose(rank[order][had], wanted[had], rtol=1e-6)
    assert not rank[order][~had].any()


def test_counts_of_the_past_are_those_of_the_events(shop: SignalShop, spec: FeatureSpec) -> None:
    _, features = made(shop, spec, "regular", "products")
    user, plan = shop.states()["regular"], shop.plans["products"]
    of_kind = (user.item >= plan.kind.start) & (user.item < plan.kind.stop)
    wanted = {
        "events": len(user.item),
        "items": len(set(user.item.tolist())),
        "goals": int(of_kind.sum()),
        "idle_days": (user.at - int(user.time.max())) / DAY_US,
        "days": len({time // DAY_US for time in user.time.tolist()}),
    }
    for name, count in wanted.items():
        found = column(spec, features, f"user:{name}")
        np.testing.assert_allclose(found, np.log1p(count), rtol=1e-5)
    _, cold = made(shop, spec, "stranger", "products")
    assert not column(spec, cold, "user:events").any()


def open_since_ever(plan: TaskPlan) -> TaskPlan:
    """The plan with offers that have neither a first nor a last day."""
    assert plan.kind.offers is not None
    n = plan.kind.offers.n_groups
    offers = replace(
        plan.kind.offers,
        starts=np.full(n, OPEN_START, np.int64),
        ends=np.full(n, OPEN_END, np.int64),
    )
    return replace(plan, kind=replace(plan.kind, offers=offers))


def test_days_left_and_open_are_those_of_the_offer(shop: SignalShop, spec: FeatureSpec) -> None:
    shortlist, features = made(shop, spec, "regular", "coupons")
    offers = shop.plans["coupons"].kind.offers
    assert offers is not None
    group = shortlist.candidates.group
    for name, days in (
        ("days_left", (offers.ends[group] - CUT) / DAY_US),
        ("days_open", (CUT - offers.starts[group]) / DAY_US),
    ):
        np.testing.assert_allclose(
            column(spec, features, f"offer:{name}"), np.log1p(days), rtol=1e-5
        )


def test_an_offer_without_ends_is_open_for_long(shop: SignalShop, spec: FeatureSpec) -> None:
    plan = open_since_ever(shop.plans["coupons"])
    binder = Binder(shop.snapshot, shop.states()["regular"])
    shortlist = make_shortlist(binder, plan, LIMIT)
    features = make_features(spec, binder, shortlist, plan)
    for name in ("days_left", "days_open"):
        found = column(spec, features, f"offer:{name}")
        np.testing.assert_allclose(found, np.log1p(FAR_DAYS), rtol=1e-6)


def test_codes_are_labels_placements_and_labels_of_the_offer(
    shop: SignalShop, spec: FeatureSpec
) -> None:
    names = list(spec.codes)
    shortlist, features = made(shop, spec, "regular", "ads")
    offers = shop.plans["ads"].kind.offers
    assert offers is not None
    assert offers.placement is not None
    placed = offers.placement[shortlist.candidates.offer_row]
    for place, name in enumerate(offers.placement_values):
        np.testing.assert_array_equal(
            features.codes[:, names.index(f"ads/{name}")], 1 + placed[:, place]
        )
    department = shop.ground.labels.codes["department"][shortlist.candidates.item]
    np.testing.assert_array_equal(features.codes[:, names.index("department")], department)
    assert not features.codes[:, names.index("coupons/campaign_type")].any()
    _, of_coupons = made(shop, spec, "regular", "coupons")
    assert of_coupons.codes[:, names.index("coupons/campaign_type")].all()


def serving(shop: SignalShop) -> tuple[Model, States]:
    """A model trained until `CUT` without rankers, and the states its engine would build."""
    ground = shop.ground
    model = Model(
        ground.project,
        ground.catalog,
        shop.log.until(CUT),
        ground.content,
        ground.labels,
        shop.snapshot,
        {},
        {},
        CUT,
    )
    return model, States(model, [FromLog(ground.catalog, shop.log, CUT)], MemoryStore())


def asked(shop: SignalShop, task: str) -> Occasions:
    """Occasions at the snapshot, and for coupons on later days too."""
    if task == "coupons":
        return goal_days(shop.log, shop.plans[task], CUT, CUT + 14 * DAY_US)
    return weekly_occasions(shop.log, CUT)


@pytest.mark.parametrize("task", TASKS)
def test_training_and_serving_see_the_same_of_an_occasion(
    shop: SignalShop, spec: FeatureSpec, task: str
) -> None:
    plan, occasions = shop.plans[task], asked(shop, task)
    sampling = Sampling(shortlist=LIMIT, negatives=None, only_hits=False, seed=0)
    samples = make_samples(spec, shop.snapshot, shop.log, [plan], occasions, sampling)[task]
    model, states = serving(shop)
    assert len(samples) > 3
    for i, (user_idx, at) in enumerate(zip(samples.user, samples.time, strict=True)):
        state = states.of(shop.catalog.users.ids[user_idx], int(at))
        binder = Binder(model.snapshot, state)
        shortlist = make_shortlist(binder, plan, LIMIT)
        features = make_features(model.features, binder, shortlist, plan)
        rows = slice(samples.offsets[i], samples.offsets[i + 1])
        np.testing.assert_array_equal(samples.numbers[rows], features.numbers.astype(np.float16))
        np.testing.assert_array_equal(samples.codes[rows], features.codes)
