"""Taste scores are the factors times the taste vector, and nothing for who has none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recprism.signals.interface import Signal
from recprism.signals.taste import top
from recprism.testing.signals import SignalShop, bind_signal, every_item


@pytest.fixture(scope="module")
def taste(shop: SignalShop) -> Signal:
    return shop.snapshot.signals["taste"]


def test_scores_are_predicted_entries(shop: SignalShop, taste: Signal) -> None:
    user, factors = shop.states()["regular"], shop.snapshot.taste
    vector = factors.fold_in(user.item, user.time, user.at)
    score = bind_signal(taste, shop.snapshot, user, shop.plans["ads"].goal).score(every_item(shop))
    wanted = np.zeros((shop.catalog.n_items, 2))
    for place, item in enumerate(factors.item):
        wanted[item, 1] = factors.factors[place] @ vector
        wanted[item, 0] = wanted[item, 1] / factors.scale[place]
    np.testing.assert_allclose(score, wanted, rtol=1e-4, atol=1e-6)


def test_only_items_with_a_positive_score_are_proposed(shop: SignalShop, taste: Signal) -> None:
    kind = shop.catalog.kinds["products"]
    bound = bind_signal(taste, shop.snapshot, shop.states()["regular"], shop.plans["products"].goal)
    best = bound.retrieve(kind.start, kind.stop, 1000)
    score = bound.score(every_item(shop))[kind.start : kind.stop, 0]
    assert len(best) == int((score > 0).sum())


def test_evidence_for_an_item_is_other_items_of_the_past(shop: SignalShop, taste: Signal) -> None:
    user = shop.states()["regular"]
    bound = bind_signal(taste, shop.snapshot, user, shop.plans["products"].goal)
    best = bound.retrieve(0, 60, 5)
    for item in best:
        clue = bound.clue(best[best == item])
        assert clue is not None
        assert int(item) not in clue.items
        assert set(clue.items) <= set(user.item.tolist())
        assert clue.events == sum(np.count_nonzero(user.item == near) for near in clue.items)


NUMBERS = st.lists(st.integers(-5, 5).map(float), max_size=20)


@settings(deadline=None)
@given(NUMBERS, st.integers(0, 25))
def test_top_agrees_with_sorting(values: list[float], n: int) -> None:
    score = np.array(values, np.float32)
    best = top(score, n)
    assert len(best) == len(set(best.tolist())) == min(n, len(values))
    assert score[best].tolist() == sorted(values, reverse=True)[:n]
