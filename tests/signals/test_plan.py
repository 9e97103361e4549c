"""Tasks compiled against the small shop."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from recprism.errors import UnknownName
from recprism.lists.eligibility import eligible, every_item
from recprism.profiles.state import state_from_log
from recprism.project.schema import Task
from recprism.signals.interface import Goal
from recprism.signals.plan import compile_task
from recprism.testing.shops import MILK, MILK_BUYER
from recprism.testing.signals import CUT, SignalShop


def test_a_goal_counts_on_the_item_that_the_link_leads_to(shop: SignalShop) -> None:
    products, ads = shop.catalog.kinds["products"], shop.plans["ads"]
    purchase = list(shop.catalog.actions).index("purchase")
    assert ads.goal == Goal(purchase, products.start, products.stop)
    assert ads.links is ads.kind.links["promotes"]
    for row, stands_for in enumerate(ads.underlying):
        assert products.ids[stands_for - products.start] == ads.kind.ids[row]


def test_a_goal_without_a_link_counts_on_the_item_itself(shop: SignalShop) -> None:
    coupons = shop.plans["coupons"]
    redeem = list(shop.catalog.actions).index("redeem")
    assert coupons.goal == Goal(redeem, coupons.kind.start, coupons.kind.stop)
    assert coupons.underlying.tolist() == list(range(coupons.kind.start, coupons.kind.stop))
    assert coupons.horizon_us == timedelta(days=1) // timedelta(microseconds=1)
    assert coupons.has_goal


def test_a_task_without_a_goal_has_none(shop: SignalShop) -> None:
    tasks = {"ideas": Task(recommend="products")}
    project = shop.ground.project.model_copy(update={"tasks": tasks})
    assert not compile_task("ideas", project, shop.catalog).has_goal


def test_an_unknown_task_names_the_known_ones(shop: SignalShop) -> None:
    with pytest.raises(UnknownName, match="`coupon`; known: `ads`, `coupons`, `products`"):
        compile_task("coupon", shop.ground.project, shop.catalog)


def test_what_a_coupon_links_to_depends_on_its_campaign(shop: SignalShop) -> None:
    plan = shop.plans["coupons"]
    coupon = plan.kind.start + plan.kind.ids.index("c-home")
    covered = {}
    for user in (MILK_BUYER, "u10"):
        state = state_from_log(shop.log, shop.user(user), CUT)
        candidates = eligible(plan.kind, state.user_idx, CUT, state.context)
        assert candidates is not None
        assert plan.links is not None
        mine = candidates.take(candidates.item == coupon)
        covered[user] = set(plan.links.targets.of(int(plan.link_rows(mine)[0])))
    assert {len(products) for products in covered.values()} == {4, 8}
    assert covered[MILK_BUYER].isdisjoint(covered["u10"])


def test_what_was_bought_is_not_admitted_where_it_must_never_repeat(shop: SignalShop) -> None:
    task = shop.ground.project.tasks["products"].model_copy(update={"repeat": "never"})
    project = shop.ground.project.model_copy(update={"tasks": {"new": task}})
    plan = compile_task("new", project, shop.catalog)
    user = state_from_log(shop.log, shop.user(MILK_BUYER), CUT)
    admitted = plan.admit(every_item(plan.kind), user).item
    assert shop.item(MILK) not in admitted
    bought = np.unique(user.item[user.item < plan.kind.stop])
    assert len(admitted) == len(plan.kind) - len(bought)
