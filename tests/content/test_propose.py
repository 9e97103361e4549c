from __future__ import annotations

import json

import numpy as np
import pytest

from recprism.content.encoder import Encoder
from recprism.content.propose import propose, words_of

TEXTS = [
    "whole milk",
    "low fat milk",
    "goat milk",
    "milk powder",
    "claw hammer",
    "rubber hammer",
    "sledge hammer",
    "small hammer",
    "wool socks",
    "warm socks",
    "cotton socks",
    "long socks",
]


def test_groups_are_named_by_their_own_words(encoder: Encoder) -> None:
    found = propose(TEXTS, encoder.encode(TEXTS), 3)
    assert {label.words[0] for label in found} == {"milk", "hammer", "socks"}
    assert [label.texts for label in found] == [4, 4, 4]
    for label in found:
        assert label.name.startswith(label.words[0])
        assert all(label.words[0] in example for example in label.examples)
    json.dumps([label.to_dict() for label in found])


def test_texts_of_many_items_weigh_more_and_the_largest_comes_first(encoder: Encoder) -> None:
    weights = np.ones(len(TEXTS), np.int64)
    weights[8:] = 3
    found = propose(TEXTS, encoder.encode(TEXTS), 3, weights=weights)
    assert found[0].words[0] == "socks"
    assert [label.items for label in found] == [12, 4, 4]


def test_names_never_repeat_and_no_text_is_lost() -> None:
    rng = np.random.default_rng(0)
    texts = [f"{number}" if number % 2 else "same words" for number in range(40)]
    found = propose(texts, rng.normal(size=(40, 8)).astype(np.float32), 12)
    assert len({label.name for label in found}) == len(found) == 12
    assert sum(label.texts for label in found) == 40


@pytest.mark.parametrize("n", [2, 5, 100])
def test_fewer_texts_than_labels_give_as_many(n: int) -> None:
    vectors = np.eye(5, 8, dtype=np.float32)
    assert len(propose(["a b", "c", "dd", "ee", "ff"], vectors, n)) == min(n, 5)


def test_like_vectors_are_one_group() -> None:
    assert len(propose(["aa", "bb", "cc"], np.ones((3, 4), np.float32), 3)) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Low-Fat MILK, 2 x 500 ml", ["low", "fat", "milk", "ml"]),
        ("新鲜牛奶 500ml", ["ml", "新鲜", "鲜牛", "牛奶"]),
        ("奶", ["奶"]),
        ("", []),
    ],
)
def test_words_are_small_and_unspaced_scripts_are_read_in_pairs(
    text: str, words: list[str]
) -> None:
    assert words_of(text) == words
