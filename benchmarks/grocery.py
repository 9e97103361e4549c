"""The grocery protocols: three tasks beside their rules, and how long everything takes.

    python -m benchmarks.grocery [--json] [--quick] [--data DIR] [--baselines-only] [--rolling]

`DIR` is a project directory, written from the template when it does not exist. `--baselines-only`
trains nothing. `--rolling` measures the coupons month by month, from May to December, instead of
the three tasks. `--quick` takes only the first time of each task (the last two months when
rolling), and fewer requests.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.model import evaluate_tasks, measure_model
from benchmarks.rules import score_rules
from benchmarks.shop import CAVEATS, DEFAULT_FOLDER, MONTHS, open_shop, rolling_coupons
from benchmarks.text import as_text

from recprism.data.build import load_dataset
from recprism.data.dataset import Dataset
from recprism.evaluate.bootstrap import DRAWS
from recprism.evaluate.machine import describe_machine, peak_memory_mb
from recprism.evaluate.protocol import HoldOut, find_goal, find_hold_out
from recprism.project import Project


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    start = perf_counter()
    project = open_shop(options.data)
    dataset = load_dataset(project)
    loaded_s = perf_counter() - start
    hold_outs = choose(project, dataset, options)
    if options.baselines_only:
        result = {
            "tasks": measure_rules(project, dataset, hold_outs),
            "load_s": round(loaded_s, 2),
            "peak_mb": round(peak_memory_mb(), 1),
        }
    elif options.rolling:
        result = evaluate_tasks(project, hold_outs)
    else:
        result = measure_model(project, dataset, hold_outs, quick=options.quick)
    result |= {
        "seconds": round(perf_counter() - start, 2),
        "sizes": sizes_of(dataset),
        "seed": project.spec.ranker.seed,
        "draws": DRAWS,
        "machine": describe_machine(),
        "caveats": list(CAVEATS),
    }
    if options.json:
        sys.stdout.write(json.dumps(result, indent=2) + "\n")
    else:
        sys.stdout.write(as_text(result))
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.grocery",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--data", type=Path, default=DEFAULT_FOLDER, help="project directory")
    parser.add_argument("--quick", action="store_true", help="a part of everything")
    parser.add_argument("--baselines-only", action="store_true", help="train nothing")
    parser.add_argument("--rolling", action="store_true", help="coupons month by month")
    return parser.parse_args(arguments)


def choose(project: Project, dataset: Dataset, options: argparse.Namespace) -> dict[str, HoldOut]:
    """The hold-outs to measure, by task."""
    if options.rolling:
        return {"coupons": rolling_coupons(MONTHS[-2:] if options.quick else MONTHS)}
    found = {}
    for task in project.spec.tasks:
        goal = find_goal(project.spec, dataset.catalog, task)
        if goal is not None:
            whole = find_hold_out(project.spec, dataset, goal)
            times = whole.until[:1] if options.quick else whole.until
            found[task] = HoldOut(task, times, whole.by_event, whole.k)
    return found


def measure_rules(
    project: Project, dataset: Dataset, hold_outs: Mapping[str, HoldOut]
) -> dict[str, Any]:
    """The simple rules of each task."""
    found = {}
    for task, hold_out in hold_outs.items():
        goal = find_goal(project.spec, dataset.catalog, task)
        if goal is not None:
            found[task] = score_rules(dataset, goal, hold_out).to_dict()
    return found


def sizes_of(dataset: Dataset) -> dict[str, int]:
    """Users, items of each kind, events."""
    items = {name: len(kind) for name, kind in dataset.catalog.kinds.items()}
    return {"users": len(dataset.catalog.users), **items, "events": len(dataset.events)}


if __name__ == "__main__":
    sys.exit(main())
