"""Axes between languages: wishes lose them, and with them the language they are said in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from benchmarks.llm_languages import TEXTS
from tests.content.conftest import catalog_of, kind_table

from recprism.content.encoder import Encoder
from recprism.content.languages import NUMBERS_PER_AXIS, language_axes, phrases, without
from recprism.content.projection import unit
from recprism.content.vectors import Content, build_content, encode_queries
from recprism.data.dataset import FloatArray

SAID = {
    "en": ["how do I grow tomatoes", "the train leaves at noon", "my sister sings well"],
    "zh": ["怎样种西红柿", "火车中午出发", "我妹妹唱歌很好听"],
    "de": ["wie baue ich Tomaten an", "der Zug fährt mittags ab", "meine Schwester singt gut"],
    "nl": ["hoe kweek ik tomaten", "de trein vertrekt om twaalf uur", "mijn zus zingt goed"],
}
"""Dutch is none of the languages that the phrases are in."""
SHELF = [
    "tin of soup",
    "oak table",
    "tennis ball",
    "wool scarf",
    "tea pot",
    "blue pen",
    "lamp",
    "kite",
]


class Short:
    """Vectors of the bytes of a text, `size` numbers."""

    version = "1"

    def __init__(self, size: int) -> None:
        self.size, self.name = size, f"short-{size}"

    def encode(self, texts: Sequence[str], *, is_query: bool = False) -> FloatArray:
        del is_query
        rows = [
            np.bincount(np.frombuffer(t.encode(), np.uint8) % self.size, minlength=self.size)
            for t in texts
        ]
        return unit(np.array(rows, np.float32).reshape(len(texts), self.size))


def test_phrases_are_the_same_in_every_language_and_of_no_benchmark() -> None:
    said = phrases()
    assert {"en", "zh", "es", "de"} <= set(said)
    assert {len(texts) for texts in said.values()} == {16}
    assert all(text.strip() == text and text for texts in said.values() for text in texts)
    shown = "\n".join(file.read_text(encoding="utf-8") for file in sorted(TEXTS.iterdir()))
    assert not [text for texts in said.values() for text in texts if text in shown]


def test_axes_are_orthonormal_and_one_less_than_languages(encoder: Encoder) -> None:
    axes = language_axes(encoder)
    assert axes.shape == (len(phrases()) - 1, encoder.size)
    assert axes @ axes.T == pytest.approx(np.eye(len(axes)), abs=1e-4)


def test_without_an_axis_nothing_is_left_along_it() -> None:
    axes = np.array([[1.0, 0.0, 0.0]], np.float32)
    vectors = np.array([[3.0, 4.0, 5.0], [0.0, 1.0, 0.0]], np.float32)
    assert without(axes, vectors).tolist() == [[0.0, 4.0, 5.0], [0.0, 1.0, 0.0]]
    assert (without(axes[:0], vectors) == vectors).all()


def test_short_vectors_keep_their_numbers() -> None:
    assert language_axes(Short(NUMBERS_PER_AXIS - 1)).shape == (0, NUMBERS_PER_AXIS - 1)
    assert language_axes(Short(2 * NUMBERS_PER_AXIS)).shape[0] == 2


def test_one_sentence_in_several_languages_comes_together(encoder: Encoder) -> None:
    raw = np.stack([encoder.encode(texts, is_query=True) for texts in SAID.values()])
    raw -= raw.mean(axis=(0, 1))
    plain, bare = unit(raw), unit(without(language_axes(encoder), raw))

    def alike(vectors: FloatArray) -> float:
        return float(np.mean(np.einsum("asd,bsd->abs", vectors, vectors)))

    assert alike(bare) > alike(plain) + 0.05


def test_wishes_lose_the_axes_and_items_keep_their_vectors(
    encoder: Encoder, tmp_path: Path
) -> None:
    content = build_content(catalog_of(kind_table("things", 0, SHELF)), encoder, size=4)
    wishes = encode_queries(content, encoder, ["eine Lampe", "一盏灯"], cache=tmp_path)
    assert np.abs(wishes @ content.languages.T).max() < 1e-5
    assert np.linalg.norm(wishes, axis=1) == pytest.approx([1, 1], abs=1e-5)
    assert np.abs(content.wide @ content.languages.T).max() > 1e-3


def test_artifacts_from_before_have_no_axes(encoder: Encoder) -> None:
    content = build_content(catalog_of(kind_table("things", 0, SHELF)), encoder, size=4)
    arrays = content.to_arrays()
    del arrays["languages"]
    old = Content.from_arrays(arrays)
    assert old.languages.shape == (0, encoder.size)
    assert encode_queries(old, encoder, ["eine Lampe"]).any()
