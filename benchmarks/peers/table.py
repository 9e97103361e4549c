"""Rows of the peers: metrics with intervals, costs, and all of it as ratios to RecPrism's row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from benchmarks.peers.protocol import Answers, gains

from recprism.evaluate.bootstrap import mean_with_interval

K = 10
METRICS = (f"recall@{K}", f"ndcg@{K}")
COSTS = ("train_s", "peak_mb", "ms_per_list")


def metrics_of(answers: Answers, part: str, seed: int) -> dict[str, Any]:
    """recall and NDCG with their 95 % intervals over users, and how many users were asked."""
    above = np.array(answers.above[part], np.int64)
    found = gains(above, np.array(answers.tied[part], np.int64), K)
    users = np.array(answers.users[part], np.int64)
    row: dict[str, Any] = {"users": len(users)}
    for name, values in zip(METRICS, found, strict=True):
        interval = mean_with_interval(values, users, seed=seed)
        row[name] = {key: interval.to_dict()[key] for key in ("value", "low", "high")}
    return row


def row_of(answers: Answers, peak_mb: float, total_s: float, seed: int) -> dict[str, Any]:
    """What a peer's answers come to. `total_s` is the whole program, loading included."""
    return {
        **{part: metrics_of(answers, part, seed) for part in ("test", "valid")},
        "train_s": round(answers.train_s, 3),
        "peak_mb": round(peak_mb, 1),
        "ms_per_list": round(answers.ms, 3),
        "total_s": round(total_s, 1),
        "settings": answers.settings,
        "versions": answers.versions,
    }


def own_row(result: Mapping[str, Any], peak_mb: float, total_s: float) -> dict[str, Any]:
    """RecPrism's row from the JSON of `benchmarks.sequences`."""
    parts = {}
    for part, found in result["intervals"].items():
        parts[part] = {"users": found[METRICS[0]]["users"]}
        for name in METRICS:
            parts[part][name] = {key: found[name][key] for key in ("value", "low", "high")}
    return {
        **parts,
        "train_s": result["train_s"],
        "peak_mb": round(peak_mb, 1),
        "ms_per_list": result["ms_per_list"],
        "total_s": round(total_s, 1),
        "versions": result["machine"],
    }


def with_ratios(rows: dict[str, dict[str, Any]], own: str) -> dict[str, dict[str, Any]]:
    """Each row with `ratios`: its test metrics and costs divided by those of row `own`."""
    if "error" in rows.get(own, {"error": ""}):
        return rows
    ours = _plain(rows[own])
    return {
        name: row if "error" in row else {**row, "ratios": _divided(_plain(row), ours)}
        for name, row in rows.items()
    }


def _plain(row: Mapping[str, Any]) -> dict[str, float]:
    numbers = {name: float(row["test"][name]["value"]) for name in METRICS}
    return numbers | {name: float(row[name]) for name in COSTS}


def _divided(row: Mapping[str, float], ours: Mapping[str, float]) -> dict[str, float | None]:
    return {name: round(row[name] / ours[name], 4) if ours[name] else None for name in row}


def as_text(result: Mapping[str, Any]) -> str:
    """A line per row, then sizes, seed, machine and caveats."""
    heads = ("", "test recall@10", "test ndcg@10", "valid ndcg@10", "train s", "MB", "ms/list")
    lines = [f"{heads[0]:<16}{heads[1]:>26}{heads[2]:>26}{heads[3]:>15}" + _costs(heads[4:])]
    for name, row in result["peers"].items():
        if "error" in row:
            lines.append(f"{name:<16}not measured: {row['error']}")
            continue
        test = [_bounds(row["test"][metric]) for metric in METRICS]
        valid = _bounds(row["valid"][METRICS[1]]).partition(" ")[0]
        costs = [f"{row[cost]:.4g}" for cost in COSTS]
        lines.append(f"{name:<16}{test[0]:>26}{test[1]:>26}{valid:>15}" + _costs(costs))
        if "ratios" in row:
            ratios = (f"{key} {value}" for key, value in row["ratios"].items())
            lines.append(f"{'':<16}to recprism: {', '.join(ratios)}")
    lines.append("")
    lines += [
        f"{name}: {', '.join(f'{key} {value}' for key, value in result[name].items())}"
        for name in ("sizes", "machine")
    ]
    return "\n".join([*lines, f"seed: {result['seed']}", "", *result["caveats"], ""])


def _costs(values: Any) -> str:
    return "".join(f"{value:>10}" for value in values)


def _bounds(metric: Mapping[str, Any]) -> str:
    if metric["value"] is None:
        return "none"
    return f"{metric['value']:.4f} [{metric['low']:.4f}, {metric['high']:.4f}]"
