from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from recprism.content.cache import VectorCache, encode_texts, text_key
from recprism.content.encoder import Encoder
from recprism.data.dataset import FloatArray
from recprism.errors import DiskFull


class Counting:
    """The real encoder, which also remembers what it was asked."""

    name, version = "counting", "1"

    def __init__(self, encoder: Encoder) -> None:
        self._encoder, self.size = encoder, encoder.size
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str], *, is_query: bool = False) -> FloatArray:
        self.asked.extend(texts)
        return self._encoder.encode(texts, is_query=is_query)


@pytest.fixture
def counting(encoder: Encoder) -> Counting:
    return Counting(encoder)


def test_a_repeated_text_is_encoded_once(counting: Counting) -> None:
    vectors = encode_texts(counting, ["milk", "bread", "milk"])
    assert sorted(counting.asked) == ["bread", "milk"]
    assert np.array_equal(vectors[0], vectors[2])
    assert vectors.dtype == np.float16


def test_a_second_run_encodes_only_what_is_new(counting: Counting, tmp_path: Path) -> None:
    cold = encode_texts(counting, ["milk", "bread"], cache=tmp_path)
    counting.asked.clear()
    warm = encode_texts(counting, ["bread", "milk", "tea"], cache=tmp_path)
    assert counting.asked == ["tea"]
    assert np.array_equal(warm[:2], cold[::-1])


def test_queries_and_passages_are_kept_apart(counting: Counting, tmp_path: Path) -> None:
    passage = encode_texts(counting, ["milk"], cache=tmp_path)
    query = encode_texts(counting, ["milk"], is_query=True, cache=tmp_path)
    assert counting.asked == ["milk", "milk"]
    assert not np.array_equal(passage, query)


def test_another_version_does_not_read_old_vectors(counting: Counting, tmp_path: Path) -> None:
    encode_texts(counting, ["milk"], cache=tmp_path)
    counting.version = "2"
    encode_texts(counting, ["milk"], cache=tmp_path)
    assert counting.asked == ["milk", "milk"]


def test_progress_counts_to_the_number_of_new_texts(counting: Counting, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    texts = [f"text {n}" for n in range(70)]

    def tell(done: int, total: int) -> None:
        told.append((done, total))

    encode_texts(counting, texts, cache=tmp_path, progress=tell)
    assert told == [(0, 70), (32, 70), (64, 70), (70, 70)]
    encode_texts(counting, texts, cache=tmp_path, progress=tell)
    assert len(told) == 4


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[:0],
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:-3] + bytes(3),
        lambda whole: whole[::-1],
    ],
    ids=["empty", "cut", "changed", "reversed"],
)
def test_a_damaged_file_is_reported_and_rebuilt(
    counting: Counting,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[bytes], bytes],
) -> None:
    cold = encode_texts(counting, ["milk"], cache=tmp_path)
    (file,) = tmp_path.rglob("*.safetensors")
    file.write_bytes(damage(file.read_bytes()))
    with caplog.at_level(logging.WARNING):
        again = encode_texts(counting, ["milk"], cache=tmp_path)
    assert np.array_equal(cold, again)
    assert counting.asked == ["milk", "milk"]
    assert f"`{file}` is damaged" in caplog.text
    assert len(VectorCache(tmp_path, counting)) == 1


def test_a_full_disk_is_named_and_leaves_no_partial_file(
    counting: Counting, small_disk: Path
) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(small_disk).free - 24 * 1024))
    texts = [f"text number {n}" for n in range(60)]
    with pytest.raises(DiskFull, match=r"filled while writing `.*counting-1-passage.*safetensors`"):
        encode_texts(counting, texts, cache=small_disk)
    assert [p for p in small_disk.rglob("*") if p.is_file()] == [filler]


def test_a_folder_that_is_a_file_is_an_error_of_the_system(
    counting: Counting, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(OSError, match="cache"):
        encode_texts(counting, ["milk"], cache=tmp_path / "cache")


def test_keys_tell_texts_apart_and_stand_lone_surrogates() -> None:
    keys = {text_key(text) for text in ["", "a", "A", "\ud800", "a "]}
    assert len(keys) == 5
    assert all(len(key) == 16 for key in keys)
