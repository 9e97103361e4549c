"""Likeness of texts and labels, against cosines worked out one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recprism.content.encoder import open_encoder
from recprism.content.vectors import encode_query
from recprism.data.dataset import DAY_US
from recprism.profiles.state import UserState
from recprism.signals.content import COLUMNS
from recprism.signals.interface import Bound, Signal
from recprism.signals.shelves import PER_CONTENT
from recprism.testing.shops import MILK, MILKS, shop_products
from recprism.testing.signals import SignalShop, bind_signal, every_item, first_events


@pytest.fixture(scope="module")
def content(shop: SignalShop) -> Signal:
    return shop.snapshot.signals["content"]


def bound_to(shop: SignalShop, content: Signal, user: UserState) -> Bound:
    return bind_signal(content, shop.snapshot, user, shop.plans["products"].goal)


def test_similarity_is_the_cosine_to_the_decayed_past(shop: SignalShop, content: Signal) -> None:
    user, vectors = shop.states()["regular"], shop.ground.content.item
    decay = shop.ground.project.signals.content.decay_days
    past = np.zeros(vectors.shape[1])
    for item, time in zip(user.item, user.time, strict=True):
        past += np.exp(-((user.at - time) / DAY_US) / decay) * vectors[item]
    wanted = vectors @ past / np.linalg.norm(past)
    score = bound_to(shop, content, user).score(every_item(shop))
    np.testing.assert_allclose(score[:, COLUMNS.index("similarity")], wanted, atol=1e-5)


def test_labels_count_by_their_share_of_the_past(shop: SignalShop, content: Signal) -> None:
    user, departments = shop.states()["regular"], shop.ground.labels.codes["department"]
    decay = shop.ground.project.signals.content.decay_days
    worth = np.exp(-((user.at - user.time) / DAY_US) / decay)
    wanted = [
        worth[departments[user.item] == departments[item]].sum() / worth.sum()
        if departments[item]
        else 0.0
        for item in every_item(shop)
    ]
    score = bound_to(shop, content, user).score(every_item(shop))
    np.testing.assert_allclose(score[:, COLUMNS.index("coarse")], wanted, atol=1e-5)


def test_while_an_item_is_looked_at_its_like_come_first(shop: SignalShop, content: Signal) -> None:
    kind = shop.catalog.kinds["products"]
    best = bound_to(shop, content, shop.states()["viewer"]).retrieve(kind.start, kind.stop, 3)
    assert {kind.ids[item - kind.start] for item in best} == set(MILKS)


def test_a_wish_in_words_finds_what_it_names(shop: SignalShop, content: Signal) -> None:
    encoder = open_encoder(shop.ground.project.content.encoder)
    wish = encode_query(shop.ground.content, encoder, "a bar of soap")
    user = replace(shop.states()["stranger"], wish=wish)
    bound, kind = bound_to(shop, content, user), shop.catalog.kinds["products"]
    best = bound.retrieve(kind.start, kind.stop, 3)
    names = [shop_products()[kind.ids[item - kind.start]][0] for item in best]
    assert names[0] == "soap"
    score = bound.score(best)[:, COLUMNS.index("wish")]
    assert (np.diff(score) <= 1e-6).all()
    clue = bound.clue(best[:1])
    assert clue is not None
    assert clue.facts == {"wish": True}


def test_items_with_the_same_words_do_not_crowd_out_others(
    shop: SignalShop, content: Signal
) -> None:
    rows = shop.ground.content.row
    for kind in shop.catalog.kinds.values():
        bound = bound_to(shop, content, shop.states()["regular"])
        best = bound.retrieve(kind.start, kind.stop, 10_000)
        assert np.bincount(rows[best]).max(initial=0) <= PER_CONTENT


def test_somebody_without_past_and_wish_is_like_nothing(shop: SignalShop, content: Signal) -> None:
    bound = bound_to(shop, content, shop.states()["stranger"])
    assert not bound.score(every_item(shop)).any()
    assert len(bound.retrieve(0, 60, 10)) == 0
    assert bound.clue(every_item(shop)[:1]) is None


def test_evidence_is_the_nearest_past_item(shop: SignalShop, content: Signal) -> None:
    user = first_events(shop.states()["regular"], 1)
    user = replace(user, item=np.array([shop.item(MILK)], np.int32))
    clue = bound_to(shop, content, user).clue(np.array([shop.item(MILKS[1])], np.int32))
    assert clue is not None
    assert (clue.items, clue.events) == ((shop.item(MILK),), 1)
