"""An evaluation as tables with verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from recprism.cli.output import moment, plain, table


def evaluation_view(evaluation: Mapping[str, Any]) -> Iterator[Table | str]:
    """Per task one table and the verdict; `evaluation` is the document of `evaluate --json`."""
    if evaluation.get("note"):
        yield plain(" ".join(evaluation["note"].split())) + "\n"
    for name, task in evaluation["tasks"].items():
        since = ", ".join(moment(time) for time in task["until"])
        yield f"{plain(name)}: {task['model']['n']} lists, learned from what came before {since}"
        yield _task_table(task)
        yield f"{plain(task['verdict'])}\n"
    yield from _sharing(evaluation["tasks"])
    yield from _gates(evaluation)
    yield from _composing(evaluation["tasks"])
    for name, reason in evaluation["skipped"].items():
        yield f"`{plain(name)}` was not measured: {plain(reason)}"
    yield _circumstances(evaluation)


def _task_table(task: Mapping[str, Any]) -> Table:
    rules = {f"baseline: {rule}": found for rule, found in task["baselines"].items()}
    rules |= {f"signal: {signal}": found for signal, found in task["signals"].items()}
    if task["single"] is not None:
        rules["model, each task alone"] = task["single"]
    rules["model"] = task["model"]
    rows = [(rule, _number(found["value"]), _interval(found)) for rule, found in rules.items()]
    return table(["rule", task["metric"], "95 % interval"], rows)


def _sharing(tasks: Mapping[str, Any]) -> Iterator[Table | str]:
    """What learning together does to each task, where that was measured."""
    rows = [
        (name, *(_number(task[rule]["value"]) for rule in ("model", "single")), *_gap(task))
        for name, task in tasks.items()
        if task["sharing"] is not None
    ]
    if rows:
        yield "Does learning together help?"
        yield table(["task", "together", "each alone", "difference", "so learning together"], rows)


def _composing(tasks: Mapping[str, Any]) -> Iterator[Table | str]:
    """What a language model's order does to each task, where one composes."""
    rows = []
    for name, task in tasks.items():
        found = task.get("composition")
        if found is not None:
            orders = (_number(found[rule]["value"]) for rule in ("own", "composed"))
            gap = _difference(found["composed_minus_own"])
            ordered = f"{found['ordered']} of {found['own']['n']}"
            rows.append((name, *orders, gap, found["composing"], ordered))
    if rows:
        yield "Does a language model's order help?"
        head = ["task", "the ranker's", "the model's", "difference", "so composing"]
        yield table([*head, "lists ordered by it"], rows)


def _gap(task: Mapping[str, Any]) -> tuple[str, str]:
    return _difference(task["model_minus"]["single"]), task["sharing"]


def _difference(gap: Mapping[str, Any]) -> str:
    return "none" if gap["value"] is None else f"{gap['value']:+.4f} ({_interval(gap)})"


def _gates(evaluation: Mapping[str, Any]) -> Iterator[Table | str]:
    """The mean weight of every expert for every task, where the network has experts."""
    gates = evaluation["gates"]
    if not gates:
        return
    names = dict.fromkeys(name for levels in gates.values() for level in levels for name in level)
    layers = max(map(len, gates.values()))
    for layer in range(layers):
        where = f", layer {layer + 1}" if layers > 1 else ""
        yield f"Which expert serves which task{where} (mean weight on validation lists)"
        rows = [
            (expert, *(_weight(levels[layer].get(expert)) for levels in gates.values()))
            for expert in names
        ]
        yield table(["expert", *gates], rows)


def _weight(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _circumstances(evaluation: Mapping[str, Any]) -> str:
    machine = ", ".join(f"{key} {value}" for key, value in evaluation["machine"].items() if value)
    sizes = ", ".join(f"{count} {what}" for what, count in evaluation["sizes"].items())
    seconds = evaluation["seconds"].get("total")
    took = "" if seconds is None else f"{seconds:.0f} s; "
    return f"{took}peak {evaluation['peak_mb'] or 0:.0f} MB; {sizes}; {machine}"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"


def _interval(found: Mapping[str, Any]) -> str:
    if found["low"] is None or found["high"] is None:
        return ""
    return f"{found['low']:.3f} to {found['high']:.3f}"
