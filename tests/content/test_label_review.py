"""What a person should look at: planted mistakes come first, clean data gives little."""

from __future__ import annotations

import numpy as np

from recprism.content.label_model import HEAD_FROM, learn
from recprism.content.label_review import disagreements, undecided
from recprism.content.projection import unit
from recprism.content.taxonomy import Meanings
from recprism.data.dataset import FloatArray, IntArray

SIZE = 16


def cloud(k: int, each: int, noise: float = 0.15) -> tuple[Meanings, FloatArray, IntArray]:
    rng = np.random.default_rng(0)
    names = unit(rng.normal(size=(k, SIZE)).astype(np.float32))
    label = np.repeat(np.arange(k, dtype=np.int32), each)
    noisy = names[label] + noise * rng.normal(size=(len(label), SIZE))
    meanings = Meanings(tuple("abcdefgh"[:k]), names, np.arange(k, dtype=np.int32))
    return meanings, unit(noisy.astype(np.float32)), label


def test_planted_mistakes_come_first_and_say_what_is_right() -> None:
    meanings, vectors, label = cloud(5, 60)
    wrong = [3, 77, 150, 220, 299]
    planted = label.copy()
    planted[wrong] = (label[wrong] + 2) % 5
    found = disagreements(meanings, vectors, planted)
    assert {doubt.row for doubt in found[:5]} == set(wrong)
    for doubt in found[:5]:
        assert doubt.suggested == meanings.names[label[doubt.row]]
        assert doubt.given == meanings.names[planted[doubt.row]]
        assert doubt.confidence > doubt.given_confidence
    leads = [doubt.confidence - doubt.given_confidence for doubt in found]
    assert leads == sorted(leads, reverse=True)


def test_clean_labels_are_hardly_doubted() -> None:
    meanings, vectors, label = cloud(5, 60)
    assert len(disagreements(meanings, vectors, label)) <= 3


def test_too_few_texts_or_one_label_give_nothing_to_judge_by() -> None:
    meanings, vectors, label = cloud(2, HEAD_FROM)
    few = np.arange(0, 2 * HEAD_FROM, 4)
    assert disagreements(meanings, vectors[few], label[few]) == []
    assert disagreements(meanings, vectors[:HEAD_FROM], label[:HEAD_FROM]) == []


def test_texts_between_two_labels_are_undecided() -> None:
    meanings, vectors, _ = cloud(4, 1)
    model = learn(meanings, vectors[:0], np.zeros((0, 4), np.bool_))
    between = unit(meanings.vectors[:1] + meanings.vectors[1:2])
    asked = np.concatenate([meanings.vectors, between])
    (doubt,) = undecided(model, asked)
    assert doubt.row == 4
    assert {doubt.suggested, doubt.given} == {"a", "b"}
