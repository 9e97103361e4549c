"""A benchmark's result as plain lines for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def as_text(result: Mapping[str, Any]) -> str:
    """Tasks with every rule and interval, then times, sizes, machine, seed and caveats."""
    lines = []
    for task, found in result["tasks"].items():
        lines += _task(task, found)
    lines.append("")
    for name, value in result.items():
        if isinstance(value, int | float):
            lines.append(f"{name}: {value}")
    for name in ("recommend_ms", "import_s", "sizes", "machine"):
        if name in result:
            pairs = ", ".join(f"{key} {value}" for key, value in result[name].items())
            lines.append(f"{name}: {pairs}")
    return "\n".join([*lines, "", *result["caveats"], ""])


def _task(task: str, found: Mapping[str, Any]) -> list[str]:
    lines = [f"{task}  {found['metric']}"]
    for rule, interval in found["intervals"].items():
        lines.append(
            f"  {rule:<18} {_number(interval['value'])} "
            f"[{_number(interval['low'])}, {_number(interval['high'])}]  "
            f"{interval['n']} lists, {interval['users']} users"
        )
    if len(found["by_until"]) > 1:
        for time, rules in found["by_until"].items():
            values = "  ".join(f"{rule} {_number(row['value'])}" for rule, row in rules.items())
            lines.append(f"    {time}  {values}  ({rules['personal']['n']} lists)")
    if found.get("verdict"):
        lines.append(f"  {found['verdict']}")
    return lines


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"
