"""An explanation as text and tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from recprism.cli.output import moment, plain, table


def explanation_view(explanation: Mapping[str, Any]) -> Iterator[Table | str]:
    """The reason with its evidence, then what leaving out each event behind it would change."""
    place = "not in the list" if explanation["rank"] is None else f"place {explanation['rank']}"
    task = plain(explanation["task"])
    yield f"{plain(explanation['title'])} ({plain(explanation['item'])}): {place} of `{task}`"
    if explanation["note"]:
        yield f"  {plain(explanation['note'])}"
    if explanation["reason"] is not None:
        yield f"  {plain(explanation['reason']['text'])}"
        evidence = [
            (e["signal"], f"{e['share']:.0%}", e["events"], ", ".join(e["items"]))
            for e in explanation["reason"]["evidence"]
        ]
        yield table(["signal", "share", "events", "items"], evidence)
    if explanation["formula"] is not None:
        yield _formula(explanation)
    if explanation["changes"]:
        changes = [
            (
                moment(change["without"]["time"]),
                change["without"]["action"],
                f"{change['without']['title']} ({change['without']['item']})",
                "off the list" if change["rank"] is None else f"place {change['rank']}",
            )
            for change in explanation["changes"]
        ]
        yield table(["without the event of", "action", "item", "it would stand at"], changes)


def _formula(explanation: Mapping[str, Any]) -> str:
    """The expression, its value, and the values of its names."""
    formula = explanation["formula"]
    values = (
        f"{name} {'unknown' if value is None else f'{value:.6g}'}"
        for name, value in formula["values"].items()
    )
    score = f"{explanation['score']:.6g}"
    return plain(f"  score {score} = {formula['expression']}  ({', '.join(values)})")
