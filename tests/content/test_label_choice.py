from __future__ import annotations

from collections.abc import Sequence

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
