"""Views, carts and buys: three tasks from one profile, measured on the held-out buy.

    python -m benchmarks.multibehaviour FOLDER [--json] [--quick] [--shared]
        [--keep DIR]

`FOLDER` holds `{view,cart,buy}.train.txt` and `buy.test.txt`, a user and that user's items a line.
The ordinary pipeline runs on them: one training buy per user (drawn at random) is what the ranker
learns to find, then signals are fitted on all training files and every user is asked once. All
items are ranked but those that the user bought in training. `--quick` takes a tenth of the users.
`--shared` holds out a cart and a view per user as well and trains all three tasks in one network.
`--keep DIR` keeps the project that is written, with its training samples.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import polars as pl
from benchmarks.behaviours import (
    ACTIONS,
    GOAL,
    Behaviors,
    FilesError,
    Rules,
    events_of,
    read_behaviors,
)
from benchmarks.leave_out import TEST, write_project
from numpy.typing import NDArray

from recprism.data.times import to_micros
from recprism.engine import Engine
from recprism.engine.ranking import Ranked, main_numbers
from recprism.evaluate.bootstrap import DRAWS, Interval, mean_with_interval, paired_difference
from recprism.evaluate.machine import describe_machine, peak_memory_mb
from recprism.evaluate.metrics import Standing, ndcg, recall, standing_by_score
from recprism.model import Model
from recprism.pipeline import fit, prepare
from recprism.project import load_project

K = 10
SEED = 0
QUICK_SHARE = 0.1
SECTIONS: Mapping[str, Any] = {
    "tasks": {
        "buy": {"recommend": "items", "goal": "buy", "horizon": "1d", "repeat": "never"},
        "cart": {"recommend": "items", "goal": "cart", "horizon": "1d", "repeat": "never"},
        "view": {"recommend": "items", "goal": "view", "horizon": "1d", "repeat": "never"},
    },
    "content": {"encoder": "none"},
    "signals": {"refit": True},
    "ranker": {"epochs": 12},
}
"""The project beside its sources. One list per user is little to learn from in five passes;
validation gains until the fourth to eighth of twelve. The training files are all known when the
test is asked, so the signals are fitted anew on them, as every project does by default."""
METRICS = {f"hr@{K}": recall, f"ndcg@{K}": ndcg}
CAVEATS = (
    "Views and carts of a test item stay in the training files, so most of the test asks which of "
    "the things already looked at is bought; the rule shows what that alone is worth.",
    "The clean test ranks only what a user never touched, for users whose test item is one.",
    "The files have no times; the order view, cart, buy is assumed, the order within each is not.",
    "Items are numbered anew: in files of this kind the numbers tell who bought first.",
)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    start = perf_counter()
    try:
        behaviors = read_behaviors(options.folder, SEED)
    except (FilesError, UnicodeDecodeError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if options.quick:
        behaviors = behaviors.of_users(QUICK_SHARE, SEED)
    validated = ACTIONS if options.shared else (GOAL,)
    if options.keep is not None:
        result = measure(behaviors, options.keep, validated)
    else:
        with tempfile.TemporaryDirectory() as folder:
            result = measure(behaviors, Path(folder) / "project", validated)
    result |= {
        "seconds": round(perf_counter() - start, 1),
        "peak_mb": round(peak_memory_mb(), 1),
        "sizes": sizes_of(behaviors),
        "seed": SEED,
        "draws": DRAWS,
        "quick": bool(options.quick),
        "shared": bool(options.shared),
        "machine": describe_machine(),
        "caveats": list(CAVEATS),
    }
    sys.stdout.write((json.dumps(result, indent=2) if options.json else as_text(result)) + "\n")
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.multibehaviour",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the files are")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--quick", action="store_true", help="a tenth of the users")
    parser.add_argument("--shared", action="store_true", help="train all three tasks")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the project here")
    return parser.parse_args(arguments)


def measure(behaviors: Behaviors, folder: Path, validated: Sequence[str]) -> dict[str, Any]:
    """Train by the ordinary pipeline in `folder`, ask everyone once, and score model and rules.

    One event per user of each action in `validated` is held out for the ranker to learn from.
    """
    start = perf_counter()
    model = train_in(folder, behaviors, validated)
    trained = perf_counter()
    everyone = score_users(model, behaviors)
    asked = perf_counter()
    return {
        "test": summary(everyone["all"]),
        "clean": summary(everyone["clean"]),
        "valid": {
            task: {
                f"ndcg@{K}": round(max(found[f"validation_ndcg@{K}"]), 4),
                "lists": found["validation_lists"],
                "training_lists": found["lists"],
            }
            for task, found in model.training["tasks"].items()
        },
        "train_s": round(trained - start, 1),
        "ms_per_list": round((asked - trained) * 1000.0 / max(1, len(behaviors.test)), 2),
    }


def train_in(folder: Path, behaviors: Behaviors, validated: Sequence[str]) -> Model:
    """Write the project and learn from everything before the test."""
    items = np.arange(behaviors.n_items)
    table = pl.DataFrame({"id": items}).select(pl.format("i{}", "id").alias("id"))
    events = events_of(behaviors, SEED, validated)
    project = load_project(write_project(folder, events, table, SECTIONS))
    return fit(prepare(project), to_micros(TEST))


@dataclass
class Scores:
    """Values of one metric set over the same users, by what ranked: lists of [hr@k, ndcg@k]."""

    users: list[int] = field(default_factory=list)
    values: dict[str, list[list[float]]] = field(default_factory=dict)

    def add(self, user: int, standings: Mapping[str, Standing]) -> None:
        self.users.append(user)
        for name, standing in standings.items():
            found = [metric(standing, K) for metric in METRICS.values()]
            self.values.setdefault(name, []).append(found)


def score_users(model: Model, behaviors: Behaviors) -> dict[str, Scores]:
    """Everyone with a test item, asked once: `all` ranks all items but those bought, `clean` what
    was never touched, for users whose test item is one."""
    engine, rules = Engine(model), Rules(behaviors)
    everyone, clean = Scores(), Scores()
    for user, item in behaviors.test.tolist():
        ranked = engine.rank_all(f"u{user}", GOAL, at=TEST)
        number = _numbers(ranked)
        of_signals = _by_signal(model, ranked, number == item)
        everyone.add(
            user,
            {
                "model": _in_list(number, item),
                "rule": rules.by_conversion(user, item),
                "popular": rules.by_popularity(user, item),
                **of_signals,
            },
        )
        touched = rules.touched(user)
        if item not in touched:
            new = ~np.isin(number, touched)
            clean.add(
                user,
                {
                    "model": _in_list(number[new], item),
                    "rule": rules.by_conversion(user, item),
                    "popular": rules.by_popularity(user, item, clean=True),
                    **_by_signal(model, ranked, number == item, new),
                },
            )
    return {"all": everyone, "clean": clean}


def _numbers(ranked: Ranked) -> NDArray[np.int64]:
    """Item numbers of a ranked list, as the files were numbered anew."""
    ids, start = ranked.plan.kind.ids, ranked.plan.kind.start
    return np.array([int(ids[i - start][1:]) for i in ranked.candidates.item.tolist()], np.int64)


def _in_list(numbers: NDArray[np.int64], item: int) -> Standing:
    """Where `item` stands in a list in the order returned."""
    return standing_by_score(-np.arange(len(numbers)), numbers == item, n_true=1)


def _by_signal(
    model: Model,
    ranked: Ranked,
    is_true: NDArray[np.bool_],
    keep: NDArray[np.bool_] | None = None,
) -> dict[str, Standing]:
    """Where the test item stands by the main number of each signal, within the shortlist."""
    rows = np.ones(len(is_true), bool) if keep is None else keep
    return {
        f"signal:{name}": standing_by_score(number[rows], is_true[rows], n_true=1)
        for name, number in main_numbers(model.snapshot, ranked.columns).items()
    }


def summary(scores: Scores) -> dict[str, Any]:
    """Metrics with intervals by what ranked, the model's lead over the rule, and how many users."""
    if not scores.users:
        return {"users": 0}
    out: dict[str, Any] = {"users": len(scores.users)}
    arrays = {name: np.array(values) for name, values in scores.values.items()}
    for name, values in arrays.items():
        out[name] = {
            metric: _interval(mean_with_interval(values[:, i], scores.users))
            for i, metric in enumerate(METRICS)
        }
    out["model_minus_rule"] = {
        metric: _interval(
            paired_difference(arrays["model"][:, i], arrays["rule"][:, i], scores.users)
        )
        for i, metric in enumerate(METRICS)
    }
    return out


def _interval(found: Interval) -> dict[str, float]:
    return {name: round(getattr(found, name), 4) for name in ("value", "low", "high")}


def sizes_of(behaviors: Behaviors) -> dict[str, int]:
    """Users, items, events of each action, test items."""
    counts = {action: len(pairs) for action, pairs in behaviors.train.items()}
    n = {"users": behaviors.n_users, "items": behaviors.n_items}
    return {**n, **counts, "test": len(behaviors.test)}


def as_text(result: Mapping[str, Any]) -> str:
    """The tables, then what was measured on what."""
    lines = []
    for name in ("test", "clean"):
        found = result[name]
        lines.append(f"{name}  {found['users']} users  {'  '.join(METRICS)}  with 95 % intervals")
        lines += [
            f"  {who:<18} " + "  ".join(_text(row[metric]) for metric in METRICS)
            for who, row in found.items()
            if who != "users"
        ]
    for key, value in result.items():
        if isinstance(value, int | float):
            lines.append(f"{key}: {value}")
    for key in ("valid", "sizes", "machine"):
        lines.append(f"{key}: " + ", ".join(f"{k} {v}" for k, v in result[key].items()))
    return "\n".join([*lines, *result["caveats"]])


def _text(interval: Mapping[str, float]) -> str:
    return f"{interval['value']:.4f} [{interval['low']:.4f}, {interval['high']:.4f}]"


if __name__ == "__main__":
    sys.exit(main())
