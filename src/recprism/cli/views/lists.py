"""An answer's lists with their reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from recprism.cli.output import moment, plain, table


def answer_view(answer: Mapping[str, Any]) -> Iterator[Table | str]:
    """A heading and one table per list; `answer` is the document of `recommend --json`."""
    who = "a user without id" if answer["user"] is None else f"`{plain(answer['user'])}`"
    cold = ", of whom nothing is known yet" if answer["cold"] else ""
    yield f"Lists for {who}{cold}, as of {moment(answer['at'])}\n"
    if answer["llm"] not in ("off", "used"):
        yield f"Reasons are in plain words: the language model says `{answer['llm']}`.\n"
    for task, ranked in answer["lists"].items():
        short = f" ({plain(ranked['short_because'])})" if ranked.get("short_because") else ""
        order = ", in the language model's order" if ranked.get("composed") else ""
        yield f"{plain(task)}{order}{short}"
        yield _list_table(ranked)


def _list_table(ranked: Mapping[str, Any]) -> Table:
    goal, items = ranked["goal"], ranked["items"]
    with_slots = any(item["slot"] for item in items)
    with_also = any(item.get("also") for item in items)
    columns = ["#", ranked["kind"], "score" if goal is None else f"P({goal})"]
    columns += ["slot"] * with_slots + ["also in"] * with_also + ["because"]
    rows = []
    for place, item in enumerate(items, start=1):
        chance = item["score"] if goal is None else item["probability"].get(goal, item["score"])
        row: list[object] = [place, f"{item['title']} ({item['id']})", f"{chance:.3f}"]
        row += [item["slot"] or ""] * with_slots + [item.get("also") or ""] * with_also
        rows.append([*row, item["reason"]["text"]])
    return table(columns, rows)
