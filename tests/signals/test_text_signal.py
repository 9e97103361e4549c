"""The text signal passes the kit, learns an order from content alone, and knows items to come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.signals.readings import (
    CASES,
    N_ITEMS,
    SMALL_TEXT,
    fitted_once,
    ring,
    scores_after,
    small_shop,
)

from recprism.artifact import read_arrays, write_arrays
from recprism.data.dataset import FloatArray
from recprism.signals.interface import HasAccount, Signal
from recprism.signals.item_parts import ContentMap, ItemParts, Whitening, wide_content
from recprism.signals.reader import Reader
from recprism.signals.sequence import Sequence
from recprism.signals.shelves import PER_CONTENT
from recprism.signals.text import Text
from recprism.signals.transformer import Trained, train_transformer
from recprism.testing.signals import SignalKit, SignalShop, bind_signal, every_item

NEW = 3
"""Items that nobody touched, with the words of the first ones; one more has no words."""


class TestText(SignalKit):
    signal: ClassVar[type[Signal]] = Text

    @pytest.fixture
    def signal_shop(self) -> SignalShop:
        return small_shop()

    @pytest.fixture
    def fitted(self, signal_type: type[Signal]) -> Signal:
        return fitted_once(signal_type)


def words(n: int = N_ITEMS) -> FloatArray:
    """Content of the items of the ring, of the new ones and of the one without, [n + 4, 24]."""
    content = np.random.default_rng(0).normal(size=(n, 24)).astype(np.float32)
    return np.concatenate([content, content[:NEW], np.zeros((1, 24), np.float32)])


def train(content: FloatArray, **changed: Any) -> Trained:
    config = SMALL_TEXT.model_copy(update=changed)
    return train_transformer(ring(200), ItemParts(len(content), False, content), config, seed=1)


@cache
def ring_trained() -> Trained:
    return train(words(), epochs=30, learning_rate=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize("length", [1, 3, 7, 30])
def test_an_order_is_learned_from_content_alone(length: int) -> None:
    scores = scores_after(ring_trained(), [i % N_ITEMS for i in range(length)])
    assert scores[:N_ITEMS].argmax() == length % N_ITEMS


@pytest.mark.slow
def test_an_item_that_nobody_touched_is_expected_where_its_words_are() -> None:
    scores = scores_after(ring_trained(), [N_ITEMS - 1])
    np.testing.assert_allclose(scores[N_ITEMS : N_ITEMS + NEW], scores[:NEW], rtol=1e-4)
    assert set(np.argsort(-scores)[:2].tolist()) == {0, N_ITEMS}


@pytest.mark.slow
def test_an_item_that_nobody_touched_is_read_like_the_one_with_its_words() -> None:
    one, two = (scores_after(ring_trained(), [item]) for item in (0, N_ITEMS))
    np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-3)


def test_an_item_without_words_is_nothing_and_never_a_number_that_is_none() -> None:
    trained = train(words())
    assert not trained.arrays["item"][-1].any()
    assert not Reader(trained.arrays).is_known[-1]
    scores = scores_after(trained, [N_ITEMS + NEW, 0])
    assert np.isfinite(scores).all()
    assert scores[-1] == 0.0


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("known", ["all", "one", "none"])
def test_scores_are_numbers_whatever_the_past(case: str, known: str) -> None:
    histories, n_items = CASES[case]
    content = words(n_items)[:n_items]
    content[{"all": n_items, "one": 1, "none": 0}[known] :] = 0.0
    parts = ItemParts(n_items, False, content)
    trained = train_transformer(histories, parts, SMALL_TEXT, seed=0)
    assert np.isfinite(trained.account["ndcg@10"]).all()
    for items in ([], [0], [0] * 20):
        assert np.isfinite(scores_after(trained, items)).all()


def test_the_same_seed_gives_the_same_arrays() -> None:
    one, two = train(words()), train(words())
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, two.arrays[name])


@pytest.mark.parametrize("hidden", [0, 8])
def test_a_hidden_layer_bends_what_is_learned_of_content(hidden: int) -> None:
    content = words()
    arrays = train(content, content_hidden=hidden).arrays
    learned = ContentMap.from_arrays(arrays)
    assert learned is not None
    assert learned.inner.shape == (learned.weight.shape[0], hidden)
    kept = arrays["item"] * arrays["length"][:, None]
    np.testing.assert_allclose(learned.apply(content), kept, rtol=1e-4, atol=1e-5)


def test_the_kept_vectors_are_those_that_content_gives() -> None:
    signal, setting = fitted_once(Text), small_shop().snapshot.setting
    assert isinstance(signal, Text)
    arrays = signal.to_arrays()
    kept = arrays["item"] * arrays["length"][:, None]
    content = wide_content(setting.content)
    np.testing.assert_allclose(signal.vectors_of(content), kept, rtol=1e-4, atol=1e-5)
    # One that training never saw, between two that it did.
    (new,) = signal.vectors_of(content[:1] + content[1:2])
    assert np.isfinite(new).all()
    assert new.any()


def test_without_content_no_vector_can_be_made() -> None:
    setting = small_shop().snapshot.setting
    trained = train(np.zeros((setting.catalog.n_items, 4), np.float32))
    signal = Text(trained.arrays, setting)
    assert signal.vectors_of(np.ones((2, 4), np.float32)).tolist() == [[0.0] * 16] * 2
    state = small_shop().states()["regular"]
    bound = bind_signal(signal, small_shop().snapshot, state, small_shop().plans["products"].goal)
    assert not bound.score(every_item(small_shop())).any()
    assert len(bound.retrieve(0, 60, 9)) == 0


def test_of_items_with_the_same_words_only_a_few_are_proposed() -> None:
    shop = small_shop()
    setting = shop.snapshot.setting
    row = np.repeat(np.arange(2, dtype=np.int32), [20, shop.catalog.n_items - 20])
    content = replace(setting.content, row=row, item=setting.content.item[row])
    setting = replace(setting, content=content)
    parts = ItemParts(len(row), False, wide_content(content))
    signal = Text(train_transformer(ring(), parts, SMALL_TEXT, seed=0).arrays, setting)
    assert len(set(signal.alike().tolist())) == 2
    state, goal = shop.states()["regular"], shop.plans["products"].goal
    best = bind_signal(signal, shop.snapshot, state, goal).retrieve(0, 60, 60)
    assert np.bincount(best < 20).tolist() == [PER_CONTENT, PER_CONTENT]


@pytest.mark.parametrize("signal", [Sequence, Text])
def test_training_tells_how_far_it_is_and_keeps_account(
    signal: type[Signal], tmp_path: Any
) -> None:
    shop, told = small_shop(), list[tuple[str, float]]()
    snapshot = shop.snapshot
    setting = replace(snapshot.setting, progress=lambda stage, share: told.append((stage, share)))
    fitted = signal.fit(setting, shop.log.until(snapshot.at), snapshot.segments.of_user)
    assert told == [(f"train {signal.name}", share) for share in (1 / 3, 2 / 3, 1.0)]
    write_arrays(tmp_path / "signal.safetensors", fitted.to_arrays())
    again = signal.from_arrays(read_arrays(tmp_path / "signal.safetensors"), setting)
    assert isinstance(fitted, HasAccount)
    assert isinstance(again, HasAccount)
    account: Mapping[str, Any] = again.account
    assert account == fitted.account
    assert len(account["ndcg@10"]) == 4
    assert account["train_s"] > 0


@settings(deadline=None)
@given(
    st.lists(st.lists(st.integers(-9, 9), min_size=3, max_size=3), max_size=9),
    st.integers(1, 5),
)
def test_whitened_rows_are_finite_short_and_independent(rows: list[list[int]], size: int) -> None:
    content = np.array(rows, np.float32).reshape(-1, 3)
    whitening = Whitening.fit(content, size)
    line = np.ones((whitening.axes.shape[1], 4), np.float32)
    learned = ContentMap(whitening, line, line, np.ones((4, 4), np.float32))
    white = whitening.apply(content)
    assert np.isfinite(white).all()
    assert (np.linalg.norm(white, axis=1) <= 1 + 1e-4).all()
    assert not white[~content.any(axis=1)].any()
    single = [learned.apply(content[i : i + 1]) for i in range(len(content))]
    together = learned.apply(content)
    for i, one in enumerate(single):
        np.testing.assert_allclose(one[0], together[i], rtol=1e-2, atol=1e-2)
