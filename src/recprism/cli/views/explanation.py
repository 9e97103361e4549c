"""An explanation as text and a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from recprism.cli.output import plain, table


def explanation_view(explanation: Mapping[str, Any]) -> Iterator[Table | str]:
    """The reason, its evidence, and the new rank without each piece of it."""
    yield f"{plain(explanation['title'])} ({plain(explanation['item'])})"
    yield f"  {plain(explanation['reason']['text'])}"
    evidence = [
        (e["signal"], f"{e['share']:.0%}", e["events"], ", ".join(e["items"]))
        for e in explanation["reason"]["evidence"]
    ]
    yield table(["signal", "share", "events", "items"], evidence, "Evidence")
