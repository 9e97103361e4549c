from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from recprism.content.encoder import Encoder
from recprism.content.label_model import HEAD_FROM, learn
from recprism.content.labels import UNKNOWN_LABEL, Guess, label_texts, learn_labels, tag_texts
from recprism.content.projection import unit
from recprism.content.taxonomy import Meanings, Taxonomy
from recprism.data.dataset import FloatArray
from recprism.errors import UnknownName, UsageError


def meanings(vectors: FloatArray) -> Meanings:
    """One label per row."""
    names = tuple(f"label {row}" for row in range(len(vectors)))
    return Meanings(names, vectors, np.arange(len(vectors), dtype=np.int32))


def nothing(vectors: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """No texts to learn from."""
    return vectors[:0], np.zeros((0, len(vectors)), np.bool_)


TOPICS = ["sports", "food", "finance"]
HEADLINES = [
    ("The striker scored twice in the second half", 0),
    ("湖人队在加时赛中获胜", 0),
    ("Wie man Sauerteigbrot backt", 1),
    ("A recipe for lentil soup with cumin", 1),
    ("股市今天大幅下跌", 2),
    ("Die Inflation belastet die Sparer", 2),
]


@pytest.mark.parametrize("names", [TOPICS, ["体育", "美食", "财经"]])
def test_headlines_in_three_languages_get_their_topic(encoder: Encoder, names: list[str]) -> None:
    guesses = label_texts([text for text, _ in HEADLINES], names, encoder, 0.35)
    assert [guess.name for guess in guesses] == [names[row] for _, row in HEADLINES]
    assert all(0.35 <= guess.confidence <= 1 for guess in guesses)


@pytest.mark.parametrize("text", ["asdf qwer zxcv", "ein blauer Stuhl", "", "  \n"])
def test_a_text_of_no_topic_is_unknown_and_says_how_unsure(encoder: Encoder, text: str) -> None:
    names = [*TOPICS, "politics", "technology", "health", "travel", "music"]
    (guess,) = label_texts([text], names, encoder, 0.35)
    assert guess.name == UNKNOWN_LABEL
    assert 0 <= guess.confidence < 0.35


def test_empty_texts_stay_unknown_without_a_threshold(encoder: Encoder) -> None:
    assert label_texts(["", "tennis"], TOPICS, encoder, 0.0)[0] == Guess(UNKNOWN_LABEL, 0.0)


def test_examples_teach_labels_whose_names_say_nothing(encoder: Encoder) -> None:
    names = ["shelf A", "shelf B"]
    examples = {
        "shelf A": ["apples", "pears", "bananas"],
        "shelf B": ["hammer", "screwdriver", "pliers"],
    }
    texts = ["oranges", "a handsaw", "grapes", "wrench"]
    taught = label_texts(texts, names, encoder, 0.2, examples=examples)
    assert [guess.name for guess in taught] == ["shelf A", "shelf B", "shelf A", "shelf B"]
    blind = label_texts(texts, names, encoder, 0.0)
    assert sum(g.confidence for g in taught) > sum(g.confidence for g in blind) + 1


def test_a_label_without_examples_is_known_by_its_name(encoder: Encoder) -> None:
    examples = {"shelf A": ["hammer", "pliers"], "fruit": []}
    (guess,) = label_texts(["apples"], ["shelf A", "fruit"], encoder, 0.1, examples=examples)
    assert guess.name == "fruit"


def test_repeated_names_count_once(encoder: Encoder) -> None:
    assert learn_labels(["a", "b", "a"], encoder).names == ("a", "b")


def test_vectors_are_kept_in_the_cache(encoder: Encoder, tmp_path: Path) -> None:
    told: list[int] = []

    def tell(done: int, total: int) -> None:  # noqa: ARG001
        told.append(total)

    first = label_texts(["tennis"], TOPICS, encoder, 0.1, cache=tmp_path, progress=tell)
    again = label_texts(["tennis"], TOPICS, encoder, 0.1, cache=tmp_path, progress=tell)
    assert first == again
    assert told == [1, 1]


def test_no_texts_have_no_labels(encoder: Encoder) -> None:
    assert label_texts([], TOPICS, encoder, 0.35) == []


@pytest.mark.parametrize(
    ("names", "examples", "error", "message"),
    [
        ([], None, UsageError, r"Found 0 label name\(s\) \[\], at least two"),
        (["milk", "milk"], None, UsageError, r"Found 1 label name\(s\) \['milk'\]"),
        (["milk", "bread"], {"bred": ["rye"]}, UnknownName, "no label `bred`.*`bread`\\?"),
    ],
)
def test_labels_that_cannot_be_told_apart_are_refused(
    encoder: Encoder,
    names: Sequence[str],
    examples: Mapping[str, Sequence[str]] | None,
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        learn_labels(names, encoder, examples=examples)


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 40), st.integers(0, 9999), st.floats(0, 1))
def test_confidence_lies_between_chance_and_certainty(k: int, seed: int, below: float) -> None:
    rng = np.random.default_rng(seed)
    vectors = unit(rng.normal(size=(k, 6)).astype(np.float32))
    model = learn(meanings(vectors), *nothing(vectors))
    texts = np.concatenate([vectors, unit(rng.normal(size=(5, 6)).astype(np.float32))])
    guesses = model.guess(texts, below)
    for row, guess in enumerate(guesses):
        assert 0 <= guess.confidence <= 1
        assert (guess.name == UNKNOWN_LABEL) == (guess.confidence < below or guess.confidence == 0)
        if row < k and guess.name != UNKNOWN_LABEL:
            assert guess.name == f"label {row}"


def test_labels_that_mean_the_same_are_chance() -> None:
    same = np.tile(np.array([[1.0, 0.0]], np.float32), (3, 1))
    (guess,) = learn(meanings(same), *nothing(same)).guess(same[:1], 0.0)
    assert guess == Guess(UNKNOWN_LABEL, 0.0)


FRUIT = ["apples", "pears", "grapes", "plums", "cherries", "peaches", "bananas", "oranges"]
TOOLS = ["hammer", "pliers", "wrench", "handsaw", "chisel", "drill", "spanner", "file"]
BOTH = [f"{fruit} and a {tool}" for fruit, tool in zip(FRUIT, TOOLS, strict=True)]
SHELVES = ["shelf A", "shelf B"]


def test_a_label_is_known_by_what_lies_below_it(encoder: Encoder) -> None:
    parents = {"shampoo": "DEPT 7", "vitamins": "DEPT 7", "fruit": "DEPT 2", "vegetables": "DEPT 2"}
    taxonomy = Taxonomy(["DEPT 2", "DEPT 7"], parents=parents)
    guesses = label_texts(["apples", "hair wash", "carrots"], taxonomy, encoder, 0.3)
    assert [guess.name for guess in guesses] == ["DEPT 2", "DEPT 7", "DEPT 2"]


def test_a_description_says_what_a_name_does_not(encoder: Encoder) -> None:
    taxonomy = Taxonomy(["A", "B"], descriptions={"A": "sports and games", "B": "food and drink"})
    guesses = label_texts(["a football match", "lentil soup"], taxonomy, encoder, 0.3)
    assert [guess.name for guess in guesses] == ["A", "B"]


def test_many_examples_teach_a_head_with_believable_confidence(encoder: Encoder) -> None:
    more = [f"fresh {word}" for word in FRUIT] + [f"{word} juice" for word in FRUIT]
    most = [f"steel {word}" for word in TOOLS] + [f"a new {word}" for word in TOOLS]
    examples = {"shelf A": FRUIT + more, "shelf B": TOOLS + most}
    model = learn_labels(SHELVES, encoder, examples=examples)
    assert model.basis == "head"
    found = label_texts(["lemons", "screwdriver", ""], SHELVES, encoder, 0.5, examples=examples)
    assert [guess.name for guess in found] == ["shelf A", "shelf B", UNKNOWN_LABEL]
    assert found[0].confidence > 0.9


@pytest.mark.parametrize("repeats", [1, 2])  # few and many examples
def test_a_text_may_have_several_labels(encoder: Encoder, repeats: int) -> None:
    fruit = FRUIT + BOTH + [f"ripe {word}" for word in FRUIT] * (repeats - 1)
    tools = TOOLS + BOTH + [f"heavy {word}" for word in TOOLS] * (repeats - 1)
    examples = {"shelf A": fruit, "shelf B": tools}
    assert (len(set(fruit + tools)) >= HEAD_FROM) == (repeats == 2)
    texts = ["apricots and a screwdriver", "lemons", "screwdriver", " "]
    found = tag_texts(texts, SHELVES, encoder, 0.0, examples=examples)
    if repeats == 2:
        assert {guess.name for guess in found[0]} == set(SHELVES)
    assert [guess.name for guess in found[1]] == ["shelf A"]
    assert [guess.name for guess in found[2]] == ["shelf B"]
    assert found[3] == (Guess(UNKNOWN_LABEL, 0.0),)


def test_one_label_per_text_is_one_guess_in_a_row(encoder: Encoder) -> None:
    model = learn_labels(TOPICS, encoder)
    vectors = encoder.encode(["tennis", "股市"], is_query=True)
    assert model.guess_all(vectors, 0.1) == [(guess,) for guess in model.guess(vectors, 0.1)]
