"""Second opinions: the model is heard as far as labelled texts show that it helps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from recprism.content.label_choice import Answer
from recprism.content.label_model import learn
from recprism.content.label_second import FEWEST, TRUST_TEXTS, Trust, consult, measure_trust
from recprism.content.projection import unit
from recprism.content.taxonomy import Meanings

NAMES = ("fruit", "tools", "toys")
SIZE = 8


class Knowing:
    """Knows the label that each text ends with, or always something else."""

    def __init__(self, *, is_right: bool = True, is_silent: bool = False) -> None:
        self.is_right, self.is_silent = is_right, is_silent
        self.asked: list[str] = []

    def choose(self, texts: Sequence[str], options: Sequence[Sequence[str]]) -> list[Answer]:
        self.asked += texts
        if self.is_silent:
            return [None] * len(texts)
        return [
            [0.9 if (option == text.split()[-1]) is self.is_right else 0.05 for option in own]
            for text, own in zip(texts, options, strict=True)
        ]


class World:
    """Texts around three points, so close together that many waver."""

    def __init__(self, n: int = 400, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        points = np.eye(len(NAMES), SIZE, dtype=np.float32)
        self.meanings = Meanings(NAMES, points, np.arange(len(NAMES), dtype=np.int32))
        self.label = rng.integers(0, len(NAMES), n)
        noise = rng.normal(0, 0.6, (n, SIZE)).astype(np.float32)
        self.vectors = unit(points[self.label] + noise)
        self.texts = [f"text {row} {NAMES[label]}" for row, label in enumerate(self.label)]
        self.targets = self.label[:, None] == np.arange(len(NAMES))


@pytest.fixture(scope="module")
def taught() -> World:
    return World()


@pytest.fixture(scope="module")
def asked() -> World:
    return World(seed=1)


def test_who_helps_is_heard_and_labels_get_better(taught: World, asked: World) -> None:
    model = learn(taught.meanings, taught.vectors, taught.targets)
    chooser = Knowing()
    trust = measure_trust(
        taught.meanings, taught.vectors, taught.targets, taught.texts, model, chooser
    )
    assert trust.measured == "helps"
    assert trust.weight > 0
    assert FEWEST <= trust.asked == trust.answered == len(chooser.asked) <= TRUST_TEXTS
    second = consult(model, asked.vectors, asked.texts, chooser, trust)
    before = model.probabilities(asked.vectors).argmax(axis=1) == asked.label
    after = second.probabilities.argmax(axis=1) == asked.label
    assert after.sum() > before.sum()
    assert 0 < second.asked < len(asked.texts)
    assert ((second.opinion >= 0).sum(), second.asked) == (second.answered, second.answered)
    assert second.to_dict()["unanswered"] == 0


def test_who_does_not_help_is_not_asked_again(taught: World, asked: World) -> None:
    model = learn(taught.meanings, taught.vectors, taught.targets)
    chooser = Knowing(is_right=False)
    trust = measure_trust(
        taught.meanings, taught.vectors, taught.targets, taught.texts, model, chooser
    )
    assert (trust.measured, trust.weight) == ("does not help", 0.0)
    chooser.asked.clear()
    second = consult(model, asked.vectors, asked.texts, chooser, trust)
    assert chooser.asked == []
    np.testing.assert_array_equal(second.probabilities, model.probabilities(asked.vectors))
    assert (second.opinion == -1).all()


def test_where_few_labels_can_tell_only_people_hear_it(taught: World, asked: World) -> None:
    few = slice(0, 6)
    shown = taught.meanings, taught.vectors[few], taught.targets[few]
    model, chooser = learn(*shown), Knowing()
    trust = measure_trust(*shown, taught.texts[few], model, chooser)
    assert trust == Trust(0.0, "too few labelled texts")
    assert chooser.asked == []
    second = consult(model, asked.vectors, asked.texts, chooser, trust)
    np.testing.assert_array_equal(second.probabilities, model.probabilities(asked.vectors))
    assert (second.opinion >= 0).sum() == second.asked == second.answered > 0


def test_silence_shows_nothing_and_is_told(taught: World, asked: World) -> None:
    model = learn(taught.meanings, taught.vectors, taught.targets)
    chooser = Knowing(is_silent=True)
    trust = measure_trust(
        taught.meanings, taught.vectors, taught.targets, taught.texts, model, chooser
    )
    assert (trust.measured, trust.answered) == ("too few labelled texts", 0)
    second = consult(model, asked.vectors, asked.texts, chooser, trust)
    assert second.to_dict()["unanswered"] == trust.asked + second.asked > 0


def test_several_labels_are_heard_apart(taught: World, asked: World) -> None:
    model = learn(taught.meanings, taught.vectors, taught.targets, is_multi=True)
    chooser = Knowing()
    trust = measure_trust(
        taught.meanings, taught.vectors, taught.targets, taught.texts, model, chooser
    )
    assert trust.measured == "helps"
    second = consult(model, asked.vectors, asked.texts, chooser, replace(trust))
    before, after = (
        model.given(shares)[np.arange(len(asked.label)), asked.label].sum()
        for shares in (model.probabilities(asked.vectors), second.probabilities)
    )
    assert after >= before
    assert ((second.probabilities >= 0) & (second.probabilities <= 1)).all()


def test_without_a_chooser_labels_are_the_encoders(taught: World, asked: World) -> None:
    model = learn(taught.meanings, taught.vectors, taught.targets)
    second = consult(model, asked.vectors, asked.texts, None, Trust(1.0, "helps"))
    np.testing.assert_array_equal(second.probabilities, model.probabilities(asked.vectors))
    assert (second.asked, second.answered) == (0, 0)
