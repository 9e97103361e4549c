"""What training will do and what it did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

from recprism.cli.output import plain, table
from recprism.cli.views.cleaning import cleaning_view


def plan_table(plan: Mapping[str, Any]) -> Table:
    """The estimates of `train --dry-run`."""
    rows = [(key, value) for key, value in plan.items() if not isinstance(value, Mapping)]
    rows += [
        (f"{key}: {part}", value)
        for key, parts in plan.items()
        if isinstance(parts, Mapping)
        for part, value in parts.items()
    ]
    return table(["estimate", "value"], rows)


def training_view(
    training: Mapping[str, Any], report: Sequence[Mapping[str, Any]]
) -> Iterator[Table | str]:
    """The cleaning report, what each task and trained signal learned from, where seconds went."""
    yield from cleaning_view(report)
    tasks = [
        (
            name,
            learned["lists"],
            learned["validation_lists"],
            f"{max(learned['validation_ndcg@10']):.4f}" if learned["validation_ndcg@10"] else "",
            f"{learned['calibration']} over {learned['calibration_positives']} hits",
        )
        for name, learned in training["tasks"].items()
    ]
    if tasks:
        columns = ["task", "lists", "validation lists", "validation ndcg@10", "calibration"]
        yield table(columns, tasks)
    signals = [
        (
            name,
            learned["positions"],
            learned["best_epoch"],
            f"{learned['ndcg@10'][learned['best_epoch']]:.4f}" if learned["held_out"] else "",
            f"{learned['train_s']:.1f}",
        )
        for name, learned in training.get("signals", {}).items()
        if "positions" in learned
    ]
    if signals:
        yield table(["signal", "events", "best pass", "validation ndcg@10", "seconds"], signals)
    for row in training.get("labels", ()):
        if "llm" in row:
            yield plain(_second_opinion(row))
    asked = training.get("signals", {}).get("llm")
    if asked is not None:
        yield plain(_asked(asked))
    if training.get("note"):
        yield plain(training["note"])
    seconds = ", ".join(f"{stage} {took:.1f} s" for stage, took in training["seconds"].items())
    yield f"{sum(training['seconds'].values()):.1f} s: {seconds}"


def _second_opinion(row: Mapping[str, Any]) -> str:
    """What the language model did for a label, in one sentence."""
    asked = row["llm"]
    without = f", {asked['unanswered']:,} without an answer" if asked["unanswered"] else ""
    effect = {
        "helps": f"it helps, and counts with a weight of {asked['weight']}",
        "does not help": "it does not surely help, and changes nothing",
        "too few labelled texts": "too few labelled texts show whether it helps, so it changes "
        "nothing and `recprism classify` shows where it disagrees",
    }[asked["measured"]]
    return (
        f"`{row['kind']}.{row['label']}`: the language model was asked {asked['asked']:,} times"
        f"{without}; {effect}."
    )


def _asked(account: Mapping[str, Any]) -> str:
    """What the language model was asked, and how well its student follows."""
    said = f"The language model was asked about {account['asked']} users"
    if account["asked"]:
        follows = f"its student follows it with a rank correlation of {account['follows']:.2f}"
        said += f" and {account['pairs']} pairs; {follows}"
    return said + (f" ({account['why']})." if account["why"] else ".")
