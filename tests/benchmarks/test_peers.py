"""Peers on the same split: the protocol by hand, files by example, the command by its rows."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.peers import environments, movielens
from benchmarks.peers.__main__ import PEERS, main
from benchmarks.peers.candidates import main as write_candidates
from benchmarks.peers.protocol import MISS, Answers, Split, answers, ask, gains, ndcg, places
from benchmarks.peers.table import as_text, own_row, row_of, with_ratios
from benchmarks.sequence_files import BadFile, read_items, read_sequences

INTER = """user_id:token\titem_id:token\trating:float\ttimestamp:float
1\t10\t3\t300
2\t10\t5\t100
1\t20\t3\t100
1\t30\t1\t200
2\t20\t4\t90
2\t30\t4\t95
3\t30\t2\t7
3\t10\t2\t7
3\t20\t2\t7
3\t40\t2\t3
"""
ITEM = """item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq
10\tToy Story\t1995\tAnimation Comedy
20\tHeat\t1995\tAction
30\tAlien\t\tAction Horror
40\tLost\t1990\t
"""


@pytest.fixture
def films(tmp_path: Path) -> Path:
    folder = tmp_path / "films"
    folder.mkdir()
    (folder / "ml.inter").write_text(INTER, encoding="utf-8")
    (folder / "ml.item").write_text(ITEM, encoding="utf-8")
    return folder


@pytest.fixture
def split() -> Split:
    return Split.of([list("abcd"), list("ba"), list("cabac"), list("dbc")])


def test_a_split_holds_out_the_last_two_and_keeps_short_users_for_training(split: Split) -> None:
    assert split.n_items == 4
    assert split.tested.tolist() == [0, 2, 3]
    assert [split.training(user).tolist() for user in range(4)] == [[0, 1], [1, 0], [2, 0, 1], [3]]
    assert split.wanted(split.tested, "valid").tolist() == [2, 0, 1]
    assert split.wanted(split.tested, "test").tolist() == [3, 2, 2]
    assert split.history(0, "valid").tolist() == [0, 1]
    assert split.history(0, "test").tolist() == [0, 1, 2]


def test_pairs_are_distinct_and_those_of_the_test_are_not_learned_from(split: Split) -> None:
    def pairs(part: str | None) -> list[list[int]]:
        _, indices, indptr = split.matrix(part)
        return [indices[a:b].tolist() for a, b in pairwise(indptr)]

    assert pairs(None) == [[0, 1], [0, 1], [0, 1, 2], [3]]
    assert pairs("valid") == [[0, 1], [], [0, 1, 2], [3]]
    assert pairs("test") == [[0, 1, 2], [], [0, 1, 2], [1, 3]]


def test_a_split_is_what_the_sequence_benchmark_tests(tmp_path: Path, split: Split) -> None:
    file = tmp_path / "few.txt"
    file.write_text("u a b c d\nv b a\nw c a b a c\nx d b c\n", encoding="utf-8")
    sequences = read_sequences(file)
    Split.of(sequences.items).save(tmp_path / "split.npz")
    found = Split.load(tmp_path / "split.npz")
    assert found.item.tolist() == split.item.tolist()
    for part, wanted in (("test", sequences.last()), ("valid", sequences.last_but_one(None))):
        assert [sequences.users[user] for user in found.tested] == list(wanted)
        assert ["abcd"[item] for item in found.wanted(found.tested, part)] == [*wanted.values()]


@pytest.mark.parametrize(
    ("scores", "history", "expected"),
    [
        ([0.9, 0.5, 0.7, 0.1], [], (2, 0)),
        ([0.9, 0.5, 0.7, 0.1], [0], (1, 0)),  # what is known already is no competition
        ([0.9, 0.5, 0.7, 0.1], [0, 2], (0, 0)),
        ([0.5, 0.5, 0.7, 0.5], [], (1, 2)),  # two beside it
        ([0.5, 0.5, 0.7, 0.5], [3], (1, 1)),
        ([0.9, 0.5, 0.7, 0.1], [1], (MISS, 0)),  # it was in the history
        ([0.9, -math.inf, 0.7, 0.1], [], (MISS, 0)),  # the peer does not know it
        ([math.nan, 0.5, math.inf, 0.1], [], (0, 0)),  # others without a number stand below
    ],
)
def test_places(scores: list[float], history: list[int], expected: tuple[int, int]) -> None:
    above, tied = places(np.array([scores], np.float32), np.array([1]), [np.array(history, int)])
    assert (int(above[0]), int(tied[0])) == expected


@pytest.mark.parametrize(
    ("above", "tied", "hit", "gain"),
    [
        (0, 0, 1.0, 1.0),
        (1, 0, 1.0, 1 / math.log2(3)),
        (2, 0, 0.0, 0.0),
        (MISS, 0, 0.0, 0.0),
        (0, 1, 1.0, (1 + 1 / math.log2(3)) / 2),
        (1, 2, 1 / 3, 1 / math.log2(3) / 3),  # places 2, 3 or 4, of which only the first counts
        (0, 3, 0.5, (1 + 1 / math.log2(3)) / 4),
    ],
)
def test_gains_are_means_over_the_orders_of_ties(
    above: int, tied: int, hit: float, gain: float
) -> None:
    found = gains(np.array([above]), np.array([tied]), 2)
    assert found[0][0] == pytest.approx(hit)
    assert found[1][0] == pytest.approx(gain)


def constant(split: Split, part: str) -> dict[str, Any]:
    """What a peer that always prefers the items d, c, b, a finds."""
    order = np.arange(split.n_items, dtype=np.float32)
    return ask(split, lambda users, _: np.tile(order, (len(users), 1)), part)


def test_asking_everyone_by_hand(split: Split) -> None:
    test, valid, users = constant(split, "test"), constant(split, "valid"), split.tested
    # u wants d, the best; w wants c, which it had; x has d and b and wants c.
    assert test["above"].tolist() == [0, MISS, 0]
    # u has a and b and wants c behind d; w had a; x has d and wants b behind c.
    assert valid["above"].tolist() == [1, MISS, 1]
    assert ndcg(valid) == pytest.approx(2 / math.log2(3) / 3)
    first = ask(split, lambda some, _: np.zeros((len(some), 4), np.float32), "test", users[:1])
    assert first["users"].tolist() == [0]


def made(split: Split) -> Answers:
    return answers(constant(split, "valid"), constant(split, "test"), 2.0, {"K": 1}, {"numpy": "1"})


def test_answers_survive_their_file(split: Split, tmp_path: Path) -> None:
    written = made(split)
    written.save(tmp_path / "answers.json")
    assert Answers.load(tmp_path / "answers.json") == written


def test_rows_have_intervals_costs_and_ratios_to_ours(split: Split) -> None:
    row = row_of(made(split), 100.0, 3.0, 0)
    test = row["test"]["recall@10"]
    assert test["value"] == pytest.approx(2 / 3)
    assert 0 <= test["low"] <= test["value"] <= test["high"] <= 1
    half = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9, "users": 9}
    plain = {"recall@10": half, "ndcg@10": {**half, "value": 0.0}}
    none = dict.fromkeys(plain, dict.fromkeys(half))  # no user is held out
    intervals = {"test": plain, "valid": none}
    result = {"intervals": intervals, "train_s": 4.0, "ms_per_list": 0.5, "machine": {}}
    rows = with_ratios(
        {"recprism": own_row(result, 50.0, 9.0), "other": row, "bad": {"error": "x"}}, "recprism"
    )
    ratios = rows["other"]["ratios"]
    assert ratios["recall@10"] == pytest.approx(4 / 3, abs=1e-3)
    assert ratios["ndcg@10"] is None  # nothing to divide by
    assert (ratios["train_s"], ratios["peak_mb"]) == (0.5, 2.0)
    assert "ratios" not in rows["bad"]
    assert "ratios" not in with_ratios({"other": row}, "recprism")["other"]
    told = {"peers": rows, "sizes": {"users": 4}, "machine": {}, "seed": 0, "caveats": ["Mind."]}
    text = as_text(told)
    assert "not measured: x" in text
    assert "0.6667 [" in text


def test_movielens_becomes_a_sequence_file(films: Path, tmp_path: Path) -> None:
    found = movielens.convert(films, tmp_path / "out")
    lines = found.sequences.read_text(encoding="utf-8").splitlines()
    # User 3 rated three films in one second: they stay in the order of the file.
    assert lines == ["1 20 30 10", "2 20 30 10", "3 40 30 10 20"]
    assert (found.users, found.tied) == (3, 1)
    items = read_items(found.items, read_sequences(found.sequences))
    rows = {row["id"]: row for row in items.iter_rows(named=True)}
    assert rows["10"]["title"] == "Toy Story"
    assert rows["10"]["attributes"] == "Animation, Comedy, 1995"
    assert rows["30"]["attributes"] == "Action, Horror"
    assert rows["40"]["attributes"] == "1990"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("ml.inter", None, "needs one `*.inter` file, found 0"),
        ("ml.item", None, "needs one `*.item` file, found 0"),
        ("ml.inter", "user_id:token\titem_id:token\n1\t2\n", "no column `rating`"),
        ("ml.inter", "", "no column `user_id`, found nothing"),
        ("ml.inter", INTER + "1\t2\n", "row 12: 2 fields, the header has 4"),
        ("ml.inter", INTER.replace("\t300", "\tnoon"), "`noon` is no timestamp"),
    ],
)
def test_a_broken_movielens_folder_is_named(
    name: str, text: str | None, said: str, films: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (films / name).unlink()
    if text is not None:
        (films / name).write_text(text, encoding="utf-8")
    assert main(["--movielens", str(films)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_movielens_file_that_is_no_text_is_named(films: Path, tmp_path: Path) -> None:
    (films / "ml.item").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(BadFile, match=r"ml\.item` cannot be read: .*utf-8"):
        movielens.convert(films, tmp_path / "out")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name either a sequence FILE or `--movielens FOLDER`."),
        (["x.txt", "--movielens", "y"], "Name either a sequence FILE"),
        (["x.txt"], "`x.txt` cannot be read: No such file"),
        (
            ["x.txt", "--only", "als", "magic"],
            "There is no peer `magic`; known are recprism, popular",
        ),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(said)
    assert captured.err.count("\n") == 1


def test_candidates_are_the_lists_of_our_ranker(rings: Path, tmp_path: Path) -> None:
    assert write_candidates([str(rings), str(tmp_path / "lists")]) == 0
    parts: dict[str, dict[str, Any]] = {}
    for part in ("train", "valid", "test"):
        with np.load(tmp_path / "lists" / f"{part}-000.npz") as found:
            parts[part] = dict(found)
    train, valid, test = (parts[name]["asked"].tolist() for name in ("train", "valid", "test"))
    assert sorted(train + valid) == test == list(range(60))
    assert 0 < len(valid) < 30
    for lists in parts.values():
        assert len(lists["numbers"]) == len(lists["codes"]) == lists["offsets"][-1]
        assert np.isfinite(lists["numbers"].astype(np.float32)).all()
        of_list = np.add.reduceat(lists["label"], lists["offsets"][:-1])
        assert set(of_list.tolist()) <= {0, 1}
    # Whoever goes around the ring is found by what follows.
    assert parts["test"]["label"].sum() > 50
    times = json.loads((tmp_path / "lists" / "times.json").read_text(encoding="utf-8"))
    assert set(times) == {"signals_s", "train_s", "valid_s", "test_s"}


@pytest.fixture
def rings(tmp_path: Path) -> Path:
    """60 users who go around a ring of 30 items, each from a place of their own."""
    rng, lines = np.random.default_rng(0), []
    for user in range(60):
        start, length = int(rng.integers(30)), int(rng.integers(9, 14))
        lines.append(" ".join([f"u{user}", *(f"i{(start + k) % 30}" for k in range(length))]))
    file = tmp_path / "rings.txt"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


@pytest.mark.parametrize("name", PEERS)
def test_a_quick_run_gives_a_row(
    name: str, rings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = environments.default_folder()
    if environments.python_of(folder, PEERS[name].environment) is None:
        pytest.skip(f"no environment `{PEERS[name].environment}` of the peers on this machine")
    assert main([str(rings), "--quick", "--json", "--only", name, "--seconds", "60"]) == 0
    result = json.loads(capsys.readouterr().out)
    row = result["peers"][name]
    assert result["sizes"]["tested"] == row["test"]["users"] == 60
    assert 0 <= row["test"]["recall@10"]["value"] <= 1
    assert row["train_s"] >= 0
    assert row["peak_mb"] > 0
    assert row["ms_per_list"] > 0
    assert row["versions"]["numpy"]


def test_a_peer_without_an_environment_is_told_in_its_row(
    rings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder", encoding="utf-8")
    assert main([str(rings), "--only", "als", "--environments", str(blocked)]) == 1
    assert "not measured: The environment `neighbours` cannot be made" in capsys.readouterr().out


def test_requirements_are_pinned_and_name_no_gpu_build() -> None:
    for peer in PEERS.values():
        lines = environments.requirements(peer.environment).splitlines()
        assert all("==" in line for line in lines)
        assert not [line for line in lines if "nvidia" in line or "+cu" in line]
