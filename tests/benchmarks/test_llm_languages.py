"""Whether lists for one wish in several languages are compared rightly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from benchmarks.llm_languages import LANGUAGES, as_text, measure_languages, overlaps

from recprism.content.projection import unit
from recprism.data.dataset import FloatArray


class Bytes:
    """Vectors of the bytes of a text."""

    name, version, size = "bytes", "1", 16

    def encode(self, texts: Sequence[str], *, is_query: bool = False) -> FloatArray:
        del is_query
        rows = [np.bincount(np.frombuffer(t.encode(), np.uint8) % 16, minlength=16) for t in texts]
        return unit(np.array(rows, np.float32).reshape(len(texts), 16))


def test_overlap_is_the_share_of_items_in_common() -> None:
    lists = {"a": np.array([[1, 2], [3, 4]]), "b": np.array([[2, 1], [4, 5]])}
    assert overlaps(lists) == {"mean": 0.75, "a-b": 0.75}


def test_every_pair_of_languages_is_compared() -> None:
    found = measure_languages(Bytes())
    assert found["items"] >= 100
    assert found["wishes"] >= 20
    for row in found["overlap@10"].values():
        assert len(row) == 1 + len(LANGUAGES) * (len(LANGUAGES) - 1) // 2
        assert all(0 <= share <= 1 for share in row.values())
    assert len(as_text(found)) == 4
