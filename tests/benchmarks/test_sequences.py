"""The sequence benchmark: small files with a known answer, odd files, broken files."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.leave_out import STEP, TEST, VALID, hit_metrics
from benchmarks.sequence_files import BadFile, read_items, read_sequences

from benchmarks import sequences

METRICS = {"recall@5", "ndcg@5", "recall@10", "ndcg@10"}


def run(file: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    assert sequences.main([str(file), "--json", *more]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def numbers(node: Any) -> list[float]:
    """All numbers of a nested result."""
    if isinstance(node, dict):
        return [n for value in node.values() for n in numbers(value)]
    if isinstance(node, list):
        return [n for value in node for n in numbers(value)]
    return [float(node)] if isinstance(node, int | float) else []


@pytest.fixture(scope="module")
def rings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 users who go around a ring of 40 items, each from a place of their own."""
    rng, lines = np.random.default_rng(0), []
    for user in range(200):
        start, length = int(rng.integers(40)), int(rng.integers(9, 14))
        lines.append(" ".join([f"u{user}", *(f"i{(start + k) % 40}" for k in range(length))]))
    file = tmp_path_factory.mktemp("rings") / "rings.txt"
    file.write_text("\n".join(lines) + "\n\n", encoding="utf-8")
    return file


def test_the_next_item_of_a_ring_is_found(rings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(rings, capsys)
    assert set(result["test"]) == set(result["valid"]) == METRICS
    assert result["test"]["recall@10"] > 0.9
    assert result["signals"]["follow"]["recall@10"] > 0.9
    assert set(result["signals"]["follow"]) > METRICS
    events = sum(len(line.split()) - 1 for line in rings.read_text().splitlines() if line)
    assert result["sizes"] == {"users": 200, "items": 40, "events": events, "tested": 200}
    for key in ("train_s", "encode_s", "peak_mb", "ms_per_list", "seed", "machine"):
        assert key in result


@pytest.mark.parametrize(
    "text",
    [
        "1 a b a b a b a b a b a b\n2 b a b a b a b a b a b a\n",  # a catalog of two items
        "1 a b c\n\n2 c b\n3 a\n",
        "é “x” y z\n'q' y z w\n",  # ids are text
    ],
)
def test_odd_files_give_a_result(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "odd.txt"
    file.write_text(text, encoding="utf-8")
    result = run(file, capsys)
    assert all(map(math.isfinite, numbers(result)))
    assert result["sizes"]["users"] == len([line for line in text.splitlines() if line])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read: No such file"),
        ("", "holds no line"),
        ("1 a b\n2 a\n", "no user with three items"),
        ("1 a b\n2\n", "line 2: user `2` has no item"),
        ("1 a b\n2 a\n1 c\n", "line 3: user `1` stands in line 1 too"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_a_sentence(
    text: str | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bad.txt"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    assert sequences.main([str(file)]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("table", "said"),
    [("id\ttitle\n1\tx\n", "needs a column `s3_id`"), ("s3_id\n1\t2\n", "row 2: 2 fields")],
)
def test_a_broken_item_table_is_refused(table: str, said: str, tmp_path: Path) -> None:
    file, items = tmp_path / "s.txt", tmp_path / "items.tsv"
    file.write_text("1 a b c\n", encoding="utf-8")
    items.write_text(table, encoding="utf-8")
    with pytest.raises(BadFile, match=said):
        read_items(items, read_sequences(file))


def test_item_texts_and_labels_come_from_whatever_is_there(tmp_path: Path) -> None:
    file, items = tmp_path / "s.txt", tmp_path / "items.tsv"
    file.write_text("1 a b c\n", encoding="utf-8")
    items.write_text(
        "s3_id\ttitle\tshort_text\tattributes\na\tRed nail\t\tOPI|Nails\nb\t\tsoap\t\nd\t\t\t\n",
        encoding="utf-8",
    )
    table = read_items(items, read_sequences(file))
    rows = {row["id"]: row for row in table.to_dicts()}
    assert set(rows) == {"a", "b", "c", "d"}
    assert rows["a"] == {
        "id": "a",
        "title": "Red nail",
        "attributes": "OPI, Nails",
        "first": "OPI",
        "last": "Nails",
    }
    assert rows["b"]["title"] == "soap"
    assert rows["c"]["title"] is None


def test_times_are_aligned_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "s.txt"
    file.write_text("1 a b c d\n2 a b\n", encoding="utf-8")
    events = read_sequences(file).events().to_dicts()
    times = {(row["user"], row["item"]): row["time"] for row in events}
    assert times["1", "d"] == TEST
    assert times["1", "c"] == VALID
    assert times["1", "a"] == VALID - 2 * STEP
    assert times["2", "b"] == VALID - STEP  # too short to be tested: all of it is training


def test_hits_are_worth_what_hand_work_says() -> None:
    found = hit_metrics(np.array([0, 2, 9, 10, -1]))
    assert found["recall@10"] == pytest.approx(3 / 5)
    assert found["recall@5"] == pytest.approx(2 / 5)
    assert found["ndcg@5"] == pytest.approx((1 + 1 / 2) / 5)
    assert found["ndcg@10"] == pytest.approx((1 + 1 / 2 + 1 / math.log2(11)) / 5)
