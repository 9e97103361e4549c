"""The cleaning report as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

from recprism.cli.output import table
from recprism.data.report import RULES


def cleaning_view(report: Sequence[Mapping[str, Any]]) -> Iterator[Table]:
    """How many rows each source had and kept, then every rule that met any, with examples."""
    counts: dict[str, dict[str, int]] = {}
    for row in report:
        if row["rule"] in ("rows-read", "rows-kept"):
            counts.setdefault(row["source"], {})[row["rule"]] = row["count"]
    if counts:
        rows = [(name, c.get("rows-read", 0), c.get("rows-kept", 0)) for name, c in counts.items()]
        yield table(["source", "rows read", "rows kept"], rows)
    met = [
        (
            row["source"],
            RULES.get(row["rule"], row["rule"]),
            row["count"],
            f"{row['share']:.2%}",
            ", ".join(str(example) for example in row["examples"]),
        )
        for row in report
        if row["rule"] not in ("rows-read", "rows-kept")
    ]
    if met:
        yield table(["source", "cleaning", "rows", "share", "examples"], met)
