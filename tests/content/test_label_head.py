"""The head against its plain twin, and what sharpening and holding out must keep."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.reference.plain_labels import plain_log_odds

from recprism.content.label_head import COOLING, FOLDS, WAYS, Way, fit_head, held_out_scores
from recprism.content.label_model import calibrate, learn, sigmoid, softmax
from recprism.content.projection import unit
from recprism.content.taxonomy import Meanings
from recprism.data.dataset import FloatArray

SIZE = 12


def cloud(
    k: int, each: int, seed: int, noise: float = 0.4
) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """Names [k, SIZE], texts around them [k * each, SIZE], and which label each carries."""
    rng = np.random.default_rng(seed)
    names = unit(rng.normal(size=(k, SIZE)).astype(np.float32))
    label = np.repeat(np.arange(k), each)
    texts = names[label] + noise * rng.normal(size=(len(label), SIZE)).astype(np.float32)
    return names, unit(texts.astype(np.float32)), label[:, None] == np.arange(k)


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 6), st.integers(2, 9), st.integers(0, 99), st.sampled_from([10.0, 300.0]))
def test_the_discriminant_is_its_plain_twin(k: int, each: int, seed: int, shrink: float) -> None:
    names, texts, targets = cloud(k, each, seed)
    weights, bias = fit_head(names, texts, targets, Way(shrink, sharpen=False))
    found = (texts @ weights.T + bias) * COOLING
    twin = plain_log_odds(
        names.astype(float),
        texts.astype(float),
        targets.argmax(axis=1),
        shrink,
        texts.astype(float),
    )
    # Up to a constant per text, which no choice depends on.
    np.testing.assert_allclose(
        found - found.mean(axis=1, keepdims=True),
        twin - twin.mean(axis=1, keepdims=True),
        rtol=1e-2,
        atol=2e-2,
    )


def test_sharpening_makes_what_was_learned_from_likelier() -> None:
    names, texts, targets = cloud(5, 40, seed=1)

    def loss(way: Way) -> float:
        weights, bias = fit_head(names, texts, targets, way)
        return -float(np.log(softmax((texts @ weights.T + bias).astype(float))[targets]).mean())

    assert loss(Way(300.0, sharpen=True)) < loss(Way(300.0, sharpen=False))


@pytest.mark.parametrize("way", WAYS)
def test_several_labels_are_found_each_for_itself(way: Way) -> None:
    names, texts, targets = cloud(4, 60, seed=2, noise=0.2)
    mixed = unit(texts[:60] + texts[60:120])  # of the first and the second label
    texts, both = np.concatenate([texts, mixed]), np.zeros((60, 4), np.bool_)
    both[:, :2] = True
    targets = np.concatenate([targets, both])
    weights, bias = fit_head(names, texts, targets, way, is_multi=True)
    odds = (texts @ weights.T + bias).astype(float)
    assert ((sigmoid(odds) > 0.5) == targets).mean() > 0.9


def test_a_label_without_a_text_is_known_by_its_name() -> None:
    names, texts, targets = cloud(4, 30, seed=3, noise=0.1)
    seen = targets.argmax(axis=1) != 3
    weights, bias = fit_head(names, texts[seen], targets[seen], WAYS[0])
    odds = texts[~seen] @ weights.T + bias
    assert (odds.argmax(axis=1) == 3).mean() > 0.9


@pytest.mark.parametrize("all_folds", [True, False])
def test_held_out_texts_are_scored_once_by_heads_that_did_not_see_them(all_folds: bool) -> None:
    names, texts, targets = cloud(3, 20, seed=4)
    scores, rows = held_out_scores(names, texts, targets, WAYS[0], all_folds=all_folds)
    assert sorted(rows.tolist()) == list(range(60))  # cheap enough for all folds either way
    assert scores.shape == (60, 3)
    kept = np.ones(60, np.bool_)
    kept[rows[: 60 // FOLDS]] = False
    weights, bias = fit_head(names, texts[kept], targets[kept], WAYS[0])
    np.testing.assert_allclose(scores[: 60 // FOLDS], texts[~kept] @ weights.T + bias, rtol=1e-4)


def test_confidence_of_a_head_is_how_often_it_is_right() -> None:
    names, texts, targets = cloud(6, 400, seed=5, noise=0.8)
    even = np.arange(len(texts)) % 2 == 0
    meanings = Meanings(tuple("abcdef"), names, np.arange(6, dtype=np.int32))
    model = learn(meanings, texts[even], targets[even])
    label, sure = model.best(texts[~even])
    right = targets[~even][np.arange(len(label)), label]
    assert model.basis == "head"
    assert 0.3 < right.mean() < 0.9  # neither hopeless nor trivial
    assert abs(sure.mean() - right.mean()) < 0.05


def test_overconfident_scores_are_cooled_and_modest_ones_sharpened() -> None:
    rng = np.random.default_rng(6)
    scores = rng.normal(size=(3000, 4))
    shares = softmax(scores)
    label = (rng.random((3000, 1)) > shares.cumsum(axis=1)).sum(axis=1).clip(0, 3)
    targets = label[:, None] == np.arange(4)
    for factor in (0.5, 1.0, 4.0):
        scale, shift = calibrate(scores * factor, targets, is_multi=False)
        assert scale == pytest.approx(1 / factor, rel=0.15)
        assert shift == 0.0
        one = rng.random((3000, 4)) < sigmoid(scores - 1.0)
        scale, shift = calibrate(scores * factor, one, is_multi=True)
        assert scale == pytest.approx(1 / factor, rel=0.15)
        assert shift == pytest.approx(-1.0, abs=0.1)


def test_nothing_true_or_everything_true_still_gives_a_curve() -> None:
    scores = np.random.default_rng(7).normal(size=(50, 3))
    for truth in (np.zeros((50, 3), np.bool_), np.ones((50, 3), np.bool_)):
        scale, shift = calibrate(scores, truth, is_multi=True)
        assert np.isfinite([scale, shift]).all()
        assert scale > 0
