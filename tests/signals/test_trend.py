"""Popularity against its plain twin."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from tests.reference import plain_signals as plain

from recprism.data.dataset import DAY_US
from recprism.signals.interface import Signal
from recprism.signals.trend import COLUMNS, WINDOW_DAYS
from recprism.testing.signals import CUT, SignalShop, bind_signal, every_item


@pytest.fixture(scope="module")
def trend(shop: SignalShop) -> Signal:
    return shop.snapshot.signals["trend"]


@pytest.mark.parametrize("segment", [-1, 0, 1])
def test_numbers_agree_with_plain_counting(shop: SignalShop, trend: Signal, segment: int) -> None:
    state, goal = shop.states()["regular"], shop.plans["products"].goal
    items = every_item(shop)
    score = bind_signal(trend, shop.snapshot, state, goal, segment=segment).score(items)
    known, config = shop.log.until(CUT), shop.ground.project.signals.trend
    of_user = shop.snapshot.segments.of_user.tolist()
    wanted = [
        plain.trend_numbers(known, of_user, segment, item, CUT, config.decay_days)
        for item in items.tolist()
    ]
    np.testing.assert_allclose(score, wanted, rtol=1e-4, atol=1e-5)


def test_a_clue_counts_the_buyers_of_the_last_four_weeks(shop: SignalShop, trend: Signal) -> None:
    recent = shop.log.between(CUT - WINDOW_DAYS * DAY_US + 1, CUT)
    buyers = Counter({i: len(set(recent.user[recent.item == i])) for i in range(60)})
    item, count = buyers.most_common(1)[0]
    state, goal = shop.states()["stranger"], shop.plans["products"].goal
    clue = bind_signal(trend, shop.snapshot, state, goal).clue(np.array([item], np.int32))
    assert clue is not None
    assert clue.facts == {"buyers": count, "days": WINDOW_DAYS}
    assert clue.items == (item,)


def test_a_stranger_is_offered_what_sells_best_whatever_was_asked_before(
    shop: SignalShop, trend: Signal
) -> None:
    state, plan = shop.states()["stranger"], shop.plans["products"]
    bound = bind_signal(trend, shop.snapshot, state, plan.goal)
    start, stop = plan.kind.start, plan.kind.stop
    few, many = bound.retrieve(start, stop, 3), bound.retrieve(start, stop, 20)
    assert few.tolist() == many[:3].tolist()
    assert bound.retrieve(start, stop, 5).tolist() == many[:5].tolist()
    recent = bound.score(np.arange(start, stop, dtype=np.int32))[:, COLUMNS.index("recent")]
    assert int(many[0]) == start + int(recent.argmax())


def test_an_item_that_nobody_touched_has_no_popularity(shop: SignalShop, trend: Signal) -> None:
    never = np.array([shop.item("p59")], np.int32)
    state, goal = shop.states()["regular"], shop.plans["products"].goal
    score = bind_signal(trend, shop.snapshot, state, goal).score(never)
    np.testing.assert_array_equal(score[0], [0.0, 0.0, 0.0, 0.0])
