"""LightGBM's LambdaMART (Burges, 2010) on the candidate lists and columns of RecPrism's ranker.

It sees what our network sees and answers the question whether a ready-made ranker would do as well
on the same signals. An item that the candidates do not hold is a miss. The setting is chosen by
NDCG@10 on the users that are held out of training.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from benchmarks.peers.program import Options, arguments, installed
from benchmarks.peers.protocol import MISS, Answers, answers, ndcg
from numpy.typing import NDArray

GRID = [{"num_leaves": leaves, "trees": trees} for leaves in (15, 63) for trees in (100, 300)]
FIXED: dict[str, Any] = {
    "objective": "lambdarank",
    "learning_rate": 0.05,
    "min_data_in_leaf": 50,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "feature_fraction": 0.8,
    "lambdarank_truncation_level": 15,
    "num_threads": 1,
    "deterministic": True,
    "verbosity": -1,
}


def main() -> int:
    options = arguments(__doc__)
    run(options.split, options).save(options.answers)
    return 0


def run(folder: Path, options: Options) -> Answers:
    import lightgbm

    parts = {part: _load(folder, part) for part in ("train", "valid")}
    train, tried = parts["train"], []
    best: tuple[float, dict[str, Any], Any, dict[str, Any], float] | None = None
    for setting in GRID[: 1 if options.quick else None]:
        start = perf_counter()
        model = lightgbm.train(
            {**FIXED, "num_leaves": setting["num_leaves"], "seed": options.seed},
            _dataset(train),
            num_boost_round=setting["trees"],
        )
        seconds = perf_counter() - start
        valid = _ask(model, parts["valid"])
        tried.append({**setting, "valid": round(ndcg(valid), 4), "train_s": round(seconds, 2)})
        if best is None or ndcg(valid) > best[0]:
            best = (ndcg(valid), setting, model, valid, seconds)
    if best is None:
        raise ValueError("there is no setting")
    _, setting, model, valid, seconds = best
    made = json.loads((folder / "times.json").read_text(encoding="utf-8"))
    test = _ask_all(model, folder)
    n = max(1, len(test["users"]))
    test["ms"] += made["test_s"] * 1000.0 / n
    settings = {**setting, **FIXED, "tried": tried, "fit_s": round(seconds, 2)}
    total = seconds + made["signals_s"] + made["train_s"]
    versions = installed("lightgbm", "numpy")
    return answers(valid, test, total, settings, versions)


def _load(folder: Path, part: str) -> dict[str, NDArray[Any]]:
    """All lists of a part, one after another."""
    found: list[dict[str, NDArray[Any]]] = []
    for path in sorted(folder.glob(f"{part}-*.npz")):
        with np.load(path) as arrays:
            found.append(dict(arrays))
    joined = {
        name: np.concatenate([arrays[name] for arrays in found])
        for name in found[0]
        if name != "offsets"
    }
    sizes = np.concatenate([np.diff(arrays["offsets"]) for arrays in found])
    return joined | {"offsets": np.concatenate([[0], np.cumsum(sizes)])}


def _dataset(lists: dict[str, NDArray[Any]]) -> Any:
    """Lists as LightGBM takes them; codes are categories."""
    import lightgbm

    table, first = _table(lists), lists["numbers"].shape[1]
    return lightgbm.Dataset(
        table,
        lists["label"],
        group=np.diff(lists["offsets"]),
        categorical_feature=list(range(first, table.shape[1])),
    )


def _table(lists: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Numbers and codes side by side, [rows, columns]."""
    return np.concatenate([lists["numbers"], lists["codes"]], axis=1, dtype=np.float32)


def _ask(model: Any, lists: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """Where the wanted item stands in each list; users without a list, or without it, miss."""
    asked, start = lists["asked"], perf_counter()
    above = dict.fromkeys(asked.tolist(), MISS)
    tied = dict.fromkeys(asked.tolist(), 0)
    scores = model.predict(_table(lists)) if len(lists["numbers"]) else np.zeros(0)
    for row, user in enumerate(lists["user"].tolist()):
        own = slice(lists["offsets"][row], lists["offsets"][row + 1])
        hit = np.flatnonzero(lists["label"][own])
        if len(hit):
            score = scores[own]
            above[user] = int((score > score[hit[0]]).sum())
            tied[user] = int((score == score[hit[0]]).sum()) - 1
    return {
        "above": np.array(list(above.values()), np.int64),
        "tied": np.array(list(tied.values()), np.int64),
        "users": asked,
        "ms": (perf_counter() - start) * 1000.0 / max(1, len(asked)),
    }


def _ask_all(model: Any, folder: Path) -> dict[str, Any]:
    """Ask for the test, one file at a time."""
    found = []
    for path in sorted(folder.glob("test-*.npz")):
        with np.load(path) as arrays:
            found.append(_ask(model, dict(arrays)))
    sizes = [len(part["users"]) for part in found]
    joined: dict[str, Any] = {
        name: np.concatenate([part[name] for part in found]) for name in ("above", "tied", "users")
    }
    return joined | {"ms": float(np.average([part["ms"] for part in found], weights=sizes))}


if __name__ == "__main__":
    sys.exit(main())
