"""Which candidates reach the ranker, and the numbers they bring."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference import plain_signals as plain

from recprism.data.dataset import UNKNOWN, Offers
from recprism.lists.eligibility import eligible
from recprism.profiles.state import UserState, state_from_log
from recprism.project.schema import Signals
from recprism.signals.plan import TaskPlan
from recprism.signals.shortlist import FEW, Binder, _union, make_shortlist
from recprism.signals.snapshot import Snapshot
from recprism.testing.shops import MILK_BUYER
from recprism.testing.signals import CUT, SignalShop

LIMIT = 300


def narrow(snapshot: Snapshot, quota: int) -> Snapshot:
    """The snapshot with `quota` candidates per signal."""
    sections = {
        name: getattr(snapshot.setting.config, name).model_copy(update={"candidates": quota})
        for name in snapshot.signals
    }
    setting = replace(snapshot.setting, config=Signals.model_construct(**sections))
    return replace(snapshot, setting=setting)


def regular(shop: SignalShop) -> UserState:
    return state_from_log(shop.log, shop.user(MILK_BUYER), CUT)


DISTINCT = st.lists(st.integers(0, 12), max_size=8, unique=True)


@settings(deadline=None)
@given(st.lists(DISTINCT, min_size=1, max_size=4), st.integers(1, 20))
def test_the_union_takes_turns(found: list[list[int]], limit: int) -> None:
    fast = _union([np.array(best, np.int32) for best in found], limit)
    assert fast.tolist() == plain.take_turns(found, limit)


def test_the_union_of_each_signals_best_is_shortlisted(shop: SignalShop) -> None:
    quota, plan = 4, shop.plans["products"]
    snapshot = narrow(shop.snapshot, quota)
    binder = Binder(snapshot, regular(shop))
    limit = quota * len(snapshot.signals)
    shortlist = make_shortlist(binder, plan, limit)
    wanted: set[int] = set()
    for place, bound in enumerate(binder.bind(plan.goal).values()):
        best = bound.retrieve(plan.kind.start, plan.kind.stop, quota)
        wanted |= set(best.tolist())
        chosen = shortlist.candidates.item[shortlist.retrieved[:, place]]
        assert set(chosen) == set(best.tolist())
    assert set(shortlist.candidates.item) == wanted
    assert shortlist.eligible is None


@pytest.mark.parametrize("limit", [1, 5, 12])
def test_no_more_than_the_limit_are_shortlisted_and_everybody_gets_a_turn(
    shop: SignalShop, limit: int
) -> None:
    plan = shop.plans["products"]
    shortlist = make_shortlist(Binder(shop.snapshot, regular(shop)), plan, limit)
    assert len(shortlist) == len(np.unique(shortlist.candidates.item)) == limit
    assert shortlist.retrieved.any(axis=1).all()
    if limit >= len(shop.snapshot.signals):
        assert shortlist.retrieved.any(axis=0).all()


def test_a_small_catalog_is_shortlisted_whole(shop: SignalShop) -> None:
    plan = shop.plans["products"]
    for user in shop.states().values():
        shortlist = make_shortlist(Binder(shop.snapshot, user), plan, LIMIT)
        assert sorted(shortlist.candidates.item) == list(range(plan.kind.start, plan.kind.stop))


@pytest.mark.parametrize("task", ["coupons", "ads"])
def test_only_open_offers_are_shortlisted(shop: SignalShop, task: str) -> None:
    plan, user = shop.plans[task], regular(shop)
    shortlist = make_shortlist(Binder(shop.snapshot, user), plan, LIMIT)
    wanted = eligible(plan.kind, user.user_idx, user.at, user.context)
    assert wanted is not None
    assert shortlist.eligible is not None
    assert len(shortlist) > 0
    np.testing.assert_array_equal(shortlist.candidates.offer_row, wanted.offer_row)
    np.testing.assert_array_equal(shortlist.eligible, np.unique(wanted.item))


def test_a_stranger_gets_no_mailed_coupon(shop: SignalShop) -> None:
    binder = Binder(shop.snapshot, shop.states()["stranger"])
    assert len(make_shortlist(binder, shop.plans["coupons"], LIMIT)) == 0


def test_columns_are_those_of_the_item_and_of_what_it_links_to(shop: SignalShop) -> None:
    plan, binder = shop.plans["coupons"], Binder(shop.snapshot, regular(shop))
    shortlist = make_shortlist(binder, plan, LIMIT)
    bound = binder.bind(plan.goal)
    assert plan.links is not None
    n_columns = len(shop.snapshot.columns)
    assert shortlist.columns.shape == (len(shortlist), 4, n_columns)
    spans, own = [], []
    for item, row in zip(
        shortlist.candidates.item, plan.link_rows(shortlist.candidates), strict=True
    ):
        targets = plan.links.targets.of(int(row))
        spans.append(np.concatenate([b.score(targets) for b in bound.values()], axis=1))
        one = np.array([item], np.int32)
        own.append(np.concatenate([b.score(one) for b in bound.values()], axis=1)[0])
    np.testing.assert_allclose(shortlist.columns[:, 0], own, rtol=1e-5, atol=1e-6)
    gathered = plain.gather_links(spans, n_columns)
    np.testing.assert_allclose(
        shortlist.columns[:, 1:], gathered.transpose(1, 0, 2), rtol=1e-4, atol=1e-5
    )


def test_an_item_without_links_counts_as_linked_to_itself(shop: SignalShop) -> None:
    shortlist = make_shortlist(Binder(shop.snapshot, regular(shop)), shop.plans["products"], 20)
    for view in (1, 2, 3):
        np.testing.assert_array_equal(shortlist.columns[:, view], shortlist.columns[:, 0])


def crowded(plan: TaskPlan, copies: int, only: int | None = None) -> TaskPlan:
    """The plan with every offer row repeated, all of it open to everybody for all time.

    With `only`, every row offers that item.
    """
    offers = plan.kind.offers
    assert offers is not None
    item = np.tile(offers.item, copies)
    if only is not None:
        item = np.full_like(item, only)
    huge = Offers(
        names=offers.names[:1],
        offsets=np.array([0, len(item)], np.int64),
        item=item,
        starts=np.zeros(1, np.int64),
        ends=np.full(1, np.iinfo(np.int64).max),
    )
    return replace(plan, kind=replace(plan.kind, offers=huge))


def test_many_offers_are_cut_to_the_best_of_each_signal(shop: SignalShop) -> None:
    plan = crowded(shop.plans["ads"], copies=2)
    limit = 30
    shortlist = make_shortlist(Binder(shop.snapshot, regular(shop)), plan, limit)
    assert len(shortlist) == limit
    assert shortlist.retrieved.any(axis=1).all()
    assert shortlist.eligible is not None
    assert len(shortlist.eligible) > limit
    # A row per offer: none twice.
    assert len(np.unique(shortlist.candidates.offer_row)) == limit


def test_many_offers_are_cut_by_the_wish_when_there_is_one(shop: SignalShop) -> None:
    plan = crowded(shop.plans["ads"], copies=2)
    wide = shop.ground.content.wide
    target = shop.item("p33")
    wish = wide[shop.ground.content.row[target]]
    user = replace(shop.states()["stranger"], wish=wish)
    shortlist = make_shortlist(Binder(shop.snapshot, user), plan, 10)
    named = shop.snapshot.columns.index("content.wish")
    largest = shortlist.columns[:, 1, named]
    assert largest.max() == pytest.approx(float(wide[shop.ground.content.row[target]] @ wish))


def test_offers_that_no_signal_knows_are_shown_all_the_same(shop: SignalShop) -> None:
    # Every offer is of one ad, and without links nobody ever touched it.
    plan = replace(crowded(shop.plans["ads"], copies=1, only=0), links=None)
    assert plan.kind.offers is not None
    assert len(plan.kind.offers.item) > FEW
    shortlist = make_shortlist(Binder(shop.snapshot, shop.states()["stranger"]), plan, 10)
    assert 0 < len(shortlist) <= 10


def test_popular_items_fill_a_list_that_signals_leave_short(shop: SignalShop) -> None:
    plan, snapshot = shop.plans["products"], narrow(shop.snapshot, 1)
    binder = Binder(snapshot, shop.states()["stranger"])
    few = make_shortlist(binder, plan, 20)
    filled = make_shortlist(binder, plan, 20, wanted=20)
    assert len(few) < 20
    assert len(filled) == len(np.unique(filled.candidates.item)) == 20
    popular = binder.bind(plan.goal)["trend"].retrieve(plan.kind.start, plan.kind.stop, 20)
    assert filled.candidates.item.tolist() == popular.tolist()


def test_signals_that_ignore_the_goal_are_bound_once_for_all_tasks(shop: SignalShop) -> None:
    binder = Binder(shop.snapshot, regular(shop))
    one, two = (binder.bind(shop.plans[task].goal) for task in ("products", "coupons"))
    for name, signal in shop.snapshot.signals.items():
        assert (one[name] is two[name]) == (not signal.with_goal)


def test_a_known_users_own_text_is_a_wish_unless_the_request_has_one(shop: SignalShop) -> None:
    wishes = np.zeros((len(shop.catalog.users), shop.ground.content.wide.shape[1]), np.float32)
    user = regular(shop)
    wishes[user.user_idx, 0] = 1.0
    snapshot = replace(shop.snapshot, setting=replace(shop.snapshot.setting, wishes=wishes))
    written, asked = wishes[user.user_idx], -wishes[user.user_idx]
    assert Binder(snapshot, user).user.wish is not None
    np.testing.assert_array_equal(Binder(snapshot, user).user.wish, written)
    np.testing.assert_array_equal(Binder(snapshot, replace(user, wish=asked)).user.wish, asked)
    for nobody in (replace(user, user_idx=UNKNOWN), replace(user, user_idx=user.user_idx + 1)):
        assert Binder(snapshot, nobody).user.wish is None
