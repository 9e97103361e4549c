"""The sequence signal passes the kit, learns an order that is there, and says what it read."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import ClassVar

import numpy as np
import pytest
from tests.signals.readings import (
    CASES,
    N_ITEMS,
    SMALL,
    fitted_once,
    histories_from,
    ring,
    scores_after,
    small_shop,
)

from recprism.data.dataset import DAY_US
from recprism.signals.events import (
    GAP_BUCKETS,
    NO_GAP,
    Histories,
    gap_buckets,
    gaps_before,
    nearest_seen,
)
from recprism.signals.interface import Signal
from recprism.signals.item_parts import ItemParts, Whitening, label_table, wide_content
from recprism.signals.reader import Past, Reader, event_codes
from recprism.signals.reading import BoundReading
from recprism.signals.sequence import Sequence
from recprism.signals.transformer import Trained, train_transformer
from recprism.testing.signals import (
    SignalKit,
    SignalShop,
    bind_signal,
)


class TestSequence(SignalKit):
    signal: ClassVar[type[Signal]] = Sequence

    @pytest.fixture
    def signal_shop(self) -> SignalShop:
        return small_shop()

    @pytest.fixture
    def fitted(self, signal_type: type[Signal]) -> Signal:
        return fitted_once(signal_type)


def train(histories: Histories, n_items: int = N_ITEMS, **changed: object) -> Trained:
    config = SMALL.model_copy(update=changed)
    return train_transformer(histories, ItemParts(n_items), config, seed=1)


@cache
def ring_trained() -> Trained:
    return train(ring(200), epochs=30, learning_rate=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize("length", [1, 3, 7, 30])
def test_what_always_comes_next_is_expected_next(length: int) -> None:
    walked = [i % N_ITEMS for i in range(length)]
    assert scores_after(ring_trained(), walked).argmax() == length % N_ITEMS


@pytest.mark.slow
def test_training_gets_better_and_keeps_account_of_it() -> None:
    account = ring_trained().account
    assert account["ndcg@10"][account["best_epoch"]] == max(account["ndcg@10"]) > 0.9
    assert account["held_out"] == 100
    assert account["positions"] == 200 * 7 - 100


def test_the_same_seed_gives_the_same_arrays() -> None:
    one, two = train(ring()), train(ring())
    assert one.arrays.keys() == two.arrays.keys()
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, two.arrays[name])


@pytest.mark.parametrize("case", CASES)
def test_scores_are_numbers_whatever_the_past(case: str) -> None:
    histories, n_items = CASES[case]
    trained = train(histories, n_items)
    assert np.isfinite(trained.account["ndcg@10"]).all()
    for items in ([], [0], [0] * 20):
        scores = scores_after(trained, items)
        assert scores.shape == (n_items,)
        assert np.isfinite(scores).all()


def test_without_anything_to_learn_nothing_is_known() -> None:
    trained = train(histories_from([[0], [1]]))
    assert not Reader(trained.arrays).is_known.any()
    assert not scores_after(trained, [0]).any()


def test_items_are_drawn_when_there_are_more_than_the_negatives() -> None:
    assert np.isfinite(scores_after(train(ring(), negatives=3), [0, 1])).all()


def test_an_item_without_events_is_known_by_its_content_alone() -> None:
    content = np.random.default_rng(0).normal(size=(N_ITEMS + 2, 6)).astype(np.float32)
    content[-1] = 0.0
    trained = train_transformer(ring(), ItemParts(N_ITEMS + 2, content=content), SMALL, seed=0)
    known = Reader(trained.arrays).is_known
    assert known[:-1].all()
    assert not known[-1]


@pytest.mark.parametrize("parts", ["ids", "content labels", "labels", "content", ""])
def test_an_item_is_made_of_what_is_given(parts: str) -> None:
    content = np.eye(N_ITEMS, dtype=np.float32) if "content" in parts else None
    labels = np.arange(1, N_ITEMS + 1, dtype=np.int32)[:, None] if "labels" in parts else None
    made = ItemParts(N_ITEMS, "ids" in parts, content, labels)
    trained = train_transformer(ring(), made, SMALL, seed=0)
    assert (Reader(trained.arrays).is_known == bool(parts)).all()
    assert np.isfinite(scores_after(trained, [0, 1])).all()


def test_the_graph_reads_a_past_alone_as_it_does_beside_longer_ones() -> None:
    reader = Reader(train(ring()).arrays)
    rows = [[1], [1, 2, 3, 4], [5, 6]]
    pasts = [
        Past(np.array(r, np.int32), np.ones(len(r), np.int32), np.arange(len(r)) * DAY_US, 9**15)
        for r in rows
    ]
    alone = np.concatenate([reader.users([past]) for past in pasts])
    np.testing.assert_allclose(reader.users(pasts), alone, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(alone, axis=1), 1.0, rtol=1e-5)


@pytest.mark.slow
def test_the_item_without_which_the_score_falls_most_is_named_first() -> None:
    shop = small_shop()
    signal = fitted_once(Sequence)
    user, goal = shop.states()["regular"], shop.plans["products"].goal
    bound = bind_signal(signal, shop.snapshot, user, goal)
    assert isinstance(bound, BoundReading)
    best = bound.retrieve(0, 60, 1)
    clue = bound.clue(best)
    assert clue is not None
    drops = {}
    for item in set(user.item[-SMALL.max_length :].tolist()) - set(best.tolist()):
        keep = user.item != item
        assert isinstance(signal, Sequence)
        past = Past.of(user, shop.catalog, SMALL.max_length)
        past = past.take(past.item != item)
        assert keep.any()
        vector = signal.reader.users([past])[0]
        drops[item] = float((bound.main(best) - signal.reader.scores(vector, best))[0])
    assert clue.items[0] == max(drops, key=lambda item: drops[item])


def test_the_item_that_is_looked_at_is_the_last_that_is_read() -> None:
    shop = small_shop()
    user = replace(shop.states()["regular"], viewing=3)
    past = Past.of(user, shop.catalog, 5)
    assert len(past.item) == 5
    assert (past.item[-1], past.time[-1]) == (3, user.at)


def test_gaps_double_and_stay_within_the_table() -> None:
    seconds = np.array([-5, 0, 1, 2, 3, 4, 10**12], np.int64)
    found = gap_buckets(seconds * 1_000_000)
    assert found.tolist() == [1, 1, 2, 3, 3, 4, GAP_BUCKETS - 1]
    first = np.array([True, False, True])
    assert gaps_before(np.array([5, 5, 9], np.int64), first).tolist() == [NO_GAP, 1, NO_GAP]


def test_a_gap_that_training_never_saw_is_read_as_the_nearest() -> None:
    assert nearest_seen(np.array([0, 1, 0, 0, 1], bool)).tolist() == [1, 1, 1, 4, 4]
    assert nearest_seen(np.zeros(2, bool)).tolist() == [0, 1]


def test_kinds_and_actions_have_codes_of_their_own() -> None:
    shop = small_shop()
    n, m = shop.catalog.n_items, len(shop.catalog.actions)
    item = np.repeat(np.arange(n, dtype=np.int32), m)
    codes = event_codes(item, np.tile(np.arange(m, dtype=np.int32), n), shop.catalog)
    assert sorted(set(codes.tolist())) == list(range(1, 1 + m * len(shop.catalog.kinds)))


def test_tables_of_items_have_a_row_for_each() -> None:
    setting = small_shop().snapshot.setting
    n = setting.catalog.n_items
    assert label_table(setting).shape == (n, 1 + len(setting.labels.codes))
    content = wide_content(setting.content)
    assert content.shape[0] == n
    assert (content.any(axis=1) == (setting.content.row >= 0)).all()


def test_whitened_content_is_short_finite_and_zero_where_it_was() -> None:
    content = np.random.default_rng(0).normal(size=(300, 200)).astype(np.float32)
    content[0] = 0.0
    white = Whitening.fit(content, 128).apply(content)
    assert white.shape == (300, 128)
    assert not white[0].any()
    np.testing.assert_allclose(np.linalg.norm(white[1:], axis=1), 1.0, rtol=1e-4)
    for same in (np.ones((4, 3), np.float32), np.zeros((4, 3), np.float32)):
        assert np.isfinite(Whitening.fit(same, 2).apply(same)).all()
