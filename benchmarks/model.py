"""The model beside its rules, and how fast it is: everything through the command line, as users do.

Each command runs in a process of its own, so that peak memory and import times are its own.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.shop import with_hold_outs
from benchmarks.timing import ONE_THREAD, best_of, measure, recprism

from recprism.data.dataset import Dataset
from recprism.data.times import from_micros
from recprism.evaluate.protocol import HoldOut
from recprism.project import Project

_REQUESTS, _QUICK_REQUESTS = 1_000, 100


def measure_model(
    project: Project, dataset: Dataset, hold_outs: Mapping[str, HoldOut], *, quick: bool
) -> dict[str, Any]:
    """Tasks by the protocol, seconds and memory of training, milliseconds of a request."""
    result = evaluate_tasks(project, hold_outs)
    trained = recprism("train", str(project.path), "--json")
    result |= {
        "train_s": round(trained.seconds, 1),
        "peak_mb": round(trained.peak_mb, 1),
        "recommend_ms": time_requests(project, dataset, _QUICK_REQUESTS if quick else _REQUESTS),
        "import_s": time_imports(),
    }
    return result if quick else result | {"demo_s": round(time_demo(), 1)}


def evaluate_tasks(project: Project, hold_outs: Mapping[str, HoldOut]) -> dict[str, Any]:
    """Tasks by the protocol beside their rules, and what evaluating them costs."""
    sections = {task: _section(hold_out) for task, hold_out in hold_outs.items()}
    folder = with_hold_outs(
        project, project.path.with_name(f"{project.path.name}-held-out"), sections
    )
    chosen = [part for task in hold_outs for part in ("--task", task)]
    evaluated = recprism("evaluate", str(folder), *chosen, "--json")
    return {
        "tasks": {task: _task(row) for task, row in json.loads(evaluated.output)["tasks"].items()},
        "evaluate_s": round(evaluated.seconds, 1),
        "evaluate_peak_mb": round(evaluated.peak_mb, 1),
    }


def _section(hold_out: HoldOut) -> dict[str, Any]:
    return {
        "until": [from_micros(time).isoformat() for time in hold_out.until],
        "at": "events" if hold_out.by_event else "until",
        "k": hold_out.k,
    }


def _task(found: Mapping[str, Any]) -> dict[str, Any]:
    """One task of `evaluate --json` in the shape of the benchmark.

    Rules and signals are plain numbers here; `intervals` holds all of them with their bounds.
    """
    signals = {f"signal:{name}": row for name, row in found["signals"].items()}
    intervals = {
        "model": found["model"],
        **({} if found["single"] is None else {"single": found["single"]}),
        **found["baselines"],
        **signals,
    }
    return {
        "metric": found["metric"],
        "model": found["model"],
        "single": found["single"],
        "baselines": {name: row["value"] for name, row in found["baselines"].items()},
        "signals": {name: row["value"] for name, row in found["signals"].items()},
        "intervals": intervals,
        "model_minus": found["model_minus"],
        "by_until": found["by_until"],
        "by_history": found["by_history"],
        "calibration_error": found["calibration"]["error"],
        "ms_per_list": found["ms_per_list"],
        "verdict": found["verdict"],
    }


def time_requests(project: Project, dataset: Dataset, n: int) -> dict[str, Any]:
    """Milliseconds of all lists of one user in a single thread, over `n` random users."""
    users = dataset.catalog.users.ids
    drawn = np.random.default_rng(0).choice(len(users), min(n, len(users)), replace=False)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "users.txt"
        file.write_text("\n".join(users[int(row)] for row in drawn), encoding="utf-8")
        command = [sys.executable, "-m", "benchmarks.latency", str(project.path), str(file)]
        found: dict[str, Any] = json.loads(measure(command, ONE_THREAD).output)
    return found


def time_imports() -> dict[str, float]:
    """Seconds of a process that runs `import recprism` or `recprism --help`, best of three."""
    return {
        "import": round(best_of(3, [sys.executable, "-c", "import recprism"]), 3),
        "help": round(best_of(3, [sys.executable, "-m", "recprism", "--help"]), 3),
    }


def time_demo() -> float:
    """Seconds of what `make demo` does after installation, in a fresh folder, nothing cached."""
    folder = Path(tempfile.mkdtemp()) / "demo"
    try:
        return measure([sys.executable, "-m", "recprism.cli.demo", str(folder)]).seconds
    finally:
        shutil.rmtree(folder.parent)
