from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recprism.content.label_choice import (
    OPTIONS,
    Answer,
    ask,
    choose_between,
    fit_weight,
    wavering,
)


class Echo:
    """Knows one answer and remembers what it was asked."""

    def __init__(self, answer: str, said: Sequence[float] | None = None) -> None:
        self.answer, self.said = answer, said
        self.asked: list[tuple[str, list[str]]] = []

    def choose(self, texts: Sequence[str], options: Sequence[Sequence[str]]) -> list[Answer]:
        self.asked += [(text, list(own)) for text, own in zip(texts, options, strict=True)]
        likely = [[0.9 if option == self.answer else 0.1 for option in own] for own in options]
        return [self.said or own for own in likely]


SHARES = np.array([[0.9, 0.05, 0.05], [0.4, 0.35, 0.25], [0.45, 0.2, 0.35]])
NAMES = ["milk", "bread", "tea"]


def test_only_texts_that_waver_are_asked_about_the_closest_first() -> None:
    assert wavering(SHARES, 0.3).tolist() == [1, 2]
    chooser = Echo("bread")
    found, asked = choose_between(SHARES, ["x", "y", "z"], NAMES, chooser)
    assert [text for text, _ in chooser.asked] == ["y", "z"]
    assert chooser.asked[0][1] == ["milk", "bread", "tea"]
    assert asked.tolist() == [1, 2]
    assert found.argmax(axis=1).tolist() == [0, 1, 1]
    assert found[0].tolist() == SHARES[0].tolist()


def test_no_more_are_asked_about_than_allowed() -> None:
    chooser = Echo("bread")
    _, asked = choose_between(SHARES, ["x", "y", "z"], NAMES, chooser, most=1)
    assert asked.tolist() == [1]
    assert len(chooser.asked) == 1


@pytest.mark.parametrize("said", [[1.0], [np.nan, 1.0, 1.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
def test_an_answer_that_is_none_changes_nothing(said: list[float]) -> None:
    found, _ = choose_between(SHARES, ["x", "y", "z"], NAMES, Echo("", said))
    np.testing.assert_array_equal(found, SHARES)


@given(st.integers(2, 12), st.integers(0, 99))
def test_shares_stay_shares_and_others_keep_theirs(k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(k), size=8)
    names = [f"n{number}" for number in range(k)]
    found, asked = choose_between(shares, ["text"] * 8, names, Echo(names[-1]))
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    for row in range(8):
        best = np.argsort(-shares[row])[:OPTIONS]
        offered = best[: OPTIONS if row in asked else 0]
        others = np.setdiff1d(np.arange(k), offered)
        np.testing.assert_array_equal(found[row, others], shares[row, others])


def test_several_labels_waver_about_their_cut_and_move_apart() -> None:
    shares = np.array([[0.9, 0.9, 0.1], [0.9, 0.55, 0.1], [0.02, 0.01, 0.44]])
    assert wavering(shares, 0.3, cut=0.5).tolist() == [1, 2]
    found, asked = choose_between(shares, ["x", "y", "z"], NAMES, Echo("bread"), cut=0.5)
    assert asked.tolist() == [1, 2]
    assert found[1, 1] > shares[1, 1]
    assert found[1, 0] < shares[1, 0]
    assert ((found > 0) & (found < 1)).all()


def test_an_answer_counts_no_more_than_a_hundred_to_one() -> None:
    shares = np.array([[0.5, 0.4, 0.1]])
    found, _ = choose_between(shares, ["x"], NAMES, Echo("tea", [0.0, 0.0, 1.0]))
    assert found[0, 2] / found[0, 0] == pytest.approx(100 * 0.1 / 0.5)


class Teller:
    """Is right about a share of the texts; their number is their text."""

    def __init__(self, truth: np.ndarray[Any, Any], right: float) -> None:
        rng = np.random.default_rng(0)
        wrong = (truth + rng.integers(1, len(NAMES), len(truth))) % len(NAMES)
        self.says = np.where(rng.random(len(truth)) < right, truth, wrong)

    def choose(self, texts: Sequence[str], options: Sequence[Sequence[str]]) -> list[Answer]:
        said = [NAMES[self.says[int(text)]] for text in texts]
        return [
            [0.9 if option == name else 0.05 for option in own]
            for name, own in zip(said, options, strict=True)
        ]


@pytest.mark.parametrize(("right", "helps"), [(0.95, True), (0.33, False), (0.0, False)])
def test_a_model_counts_as_much_as_it_surely_helps(right: float, helps: bool) -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, len(NAMES), 200)
    shares = rng.dirichlet(np.full(len(NAMES), 20.0), 200)
    targets = truth[:, None] == np.arange(len(NAMES))
    texts = [str(row) for row in range(200)]
    opinions = ask(Teller(truth, right), shares, wavering(shares), texts, NAMES)
    weight = fit_weight(opinions, shares, targets, best_only)
    assert (weight > 0) is helps
    before, after = (best_only(p) for p in (shares, opinions.weigh(shares, weight)))
    assert (after & targets).sum() >= (before & targets).sum()


def best_only(shares: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(shares == shares.max(axis=1, keepdims=True))


def test_what_was_not_answered_has_no_opinion() -> None:
    class Silent:
        def choose(self, texts: Sequence[str], options: Sequence[Sequence[str]]) -> list[Answer]:
            assert len(options) == len(texts)
            return [None, *[[1.0] * len(own) for own in options[1:]]]

    said = ask(Silent(), SHARES, np.array([1, 2]), ["x", "y", "z"], NAMES)
    assert said.answered.tolist() == [False, True]
    assert said.best(3).tolist() == [-1, -1, 0]
    np.testing.assert_array_equal(said.weigh(SHARES, 1.0)[1], SHARES[1])
