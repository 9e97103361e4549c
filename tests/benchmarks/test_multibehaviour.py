"""Views, carts and buys: the files, the split, the rules by hand, and the whole thing in small."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from benchmarks.behaviours import (
    GOAL,
    Behaviors,
    FilesError,
    Rules,
    events_of,
    read_behaviors,
)
from benchmarks.leave_out import TEST, VALID
from benchmarks.multibehaviour import main

from recprism.evaluate.metrics import Standing

TINY = {
    "view.train": ["0 0 1 2", "1 0 1 3", "2 2 3"],
    "cart.train": ["0 1", "1 3", "2 3"],
    "buy.train": ["0 0 4", "1 0 1", "2 2"],
    "buy.test": ["0 1", "1 4", "2 3"],
}


def write(folder: Path, files: dict[str, list[str]]) -> Path:
    for name, lines in files.items():
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def behaviors(tmp_path: Path) -> Behaviors:
    return read_behaviors(write(tmp_path, TINY), seed=0)


def numbered_anew() -> dict[int, int]:
    """The number of each item of `TINY` after the draw."""
    return dict(enumerate(np.random.default_rng(0).permutation(5).tolist()))


def test_the_rule_ranks_what_was_touched_by_buys_over_five_plus_views_and_carts(
    behaviors: Behaviors,
) -> None:
    of, rules = numbered_anew(), Rules(behaviors)
    # views 2 2 2 2 0, carts 0 1 0 2 0, buys 2 1 1 0 1
    wanted = {0: 2 / 7, 1: 1 / 8, 2: 1 / 7, 3: 0 / 9, 4: 1 / 5}
    for item, value in wanted.items():
        assert rules.conversion[of[item]] == pytest.approx(value)
    assert rules.touched(0).tolist() == sorted(of[i] for i in (0, 1, 2, 4))
    # User 0 touched 1 and 2 without buying; 2 converts better.
    assert standing(rules.by_conversion(0, of[1])) == ([1], [1], 1)
    # User 1 never touched 4: the rule does not rank it.
    assert standing(rules.by_conversion(1, of[4])) == ([], [], 1)


def test_popularity_ranks_all_but_what_was_bought_and_shares_ties(
    behaviors: Behaviors,
) -> None:
    of, rules = numbered_anew(), Rules(behaviors)
    # User 0 bought 0 and 4; left are 1 and 2 with one buy each, and 3 with none.
    assert standing(rules.by_popularity(0, of[1])) == ([0], [2], 1)
    # User 1 touched 0, 1 and 3; never touched are 2 and 4, one buy each.
    assert standing(rules.by_popularity(1, of[4], clean=True)) == ([0], [2], 1)


def standing(found: Standing) -> tuple[list[int], list[int], int]:
    return found.above.tolist(), found.tied.tolist(), found.n_true


def test_one_event_per_user_validates_and_its_touches_stay(behaviors: Behaviors) -> None:
    events = events_of(behaviors, 0, ("buy",))
    late = events.filter(pl.col("time") == VALID)
    assert late["action"].unique().to_list() == [GOAL]
    assert sorted(late["user"]) == ["u0", "u1"], "user 2 has a single buy, which stays"
    assert len(events.filter(pl.col("time") == TEST)) == len(behaviors.test)
    for action, pairs in behaviors.train.items():
        kept = events.filter(pl.col("action") == action, pl.col("time") != TEST)
        assert len(kept) == len(pairs)
        assert kept.select("user", "item").n_unique() == len(pairs)
    known = events.filter(pl.col("time") < VALID)
    held = late.select("user", "item").join(
        known.filter(pl.col("action") == GOAL), on=["user", "item"]
    )
    assert held.is_empty()


def test_another_seed_holds_out_others_and_the_same_seed_the_same(tmp_path: Path) -> None:
    files = {name: [f"{u} " + " ".join(map(str, range(9))) for u in range(9)] for name in TINY}
    write(tmp_path, files | {"buy.test": [f"{u} 9" for u in range(9)]})
    found = read_behaviors(tmp_path, seed=0)
    one, same, other = (events_of(found, seed, ("buy",)) for seed in (1, 1, 2))
    assert one.equals(same)
    assert not one.equals(other)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"buy.test": None}, r"buy\.test\.txt` is missing; .*`cart\.train\.txt`.* are needed"),
        ({"view.train": ["0 1", "", "1 2"]}, r"view\.train\.txt`, line 2: empty; expected a user"),
        ({"cart.train": ["0 1", "1 x2"]}, r"line 2: found `x2`, expected whole numbers"),
        ({"cart.train": ["0 -1"]}, r"found `-1`, expected whole numbers"),
        ({"buy.test": ["0 1 2"]}, r"holds out several items of one user"),
        ({"buy.test": []}, r"line 1: empty"),
        ({"buy.test": ["0"]}, r"holds no user; nothing can be measured"),
    ],
)
def test_faulty_files_give_one_sentence(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    files: dict[str, list[str] | None],
    words: str,
) -> None:
    write(tmp_path, TINY)
    for name, lines in files.items():
        (tmp_path / f"{name}.txt").unlink()
        if lines is not None:
            write(tmp_path, {name: lines})
    with pytest.raises(FilesError, match=words):
        read_behaviors(tmp_path, seed=0)
    assert main([str(tmp_path), "--json"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("as_json", [True, False], ids=["shared, JSON", "text"])
def test_everything_in_small(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    """Who views an item of the better half and did not buy it yet buys it next."""
    rng, lines = np.random.default_rng(0), {name: [] for name in TINY}  # type: ignore[var-annotated]
    for user in range(60):
        good, bad = rng.permutation(20)[:6], 20 + rng.permutation(20)[:4]
        lines["view.train"].append(" ".join(map(str, [user, *good[:5], *bad])))
        lines["cart.train"].append(f"{user} {good[0]} {bad[0]} {good[3]}")
        lines["buy.train"].append(" ".join(map(str, [user, *good[1:4]])))
        lines["buy.test"].append(f"{user} {good[0] if user % 6 else good[5]}")
    write(tmp_path, lines)
    assert main([str(tmp_path), *(["--json", "--shared"] if as_json else [])]) == 0
    printed = capsys.readouterr().out
    if not as_json:
        assert all(word in printed for word in ("rule", "popular", "clean", "peak_mb", "machine"))
        return
    found = json.loads(printed)
    assert found["sizes"]["users"] == found["test"]["users"] == 60
    assert found["clean"]["users"] == 10
    assert found["test"]["model"]["hr@10"]["value"] > found["test"]["popular"]["hr@10"]["value"]
    assert found["clean"]["rule"]["hr@10"]["value"] == 0.0
    assert set(found["valid"]) == {"buy", "cart", "view"}
    assert {"seconds", "peak_mb", "seed", "machine", "caveats", "model_minus_rule"} <= {
        *found,
        *found["test"],
    }
