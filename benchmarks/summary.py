"""The summary of `make bench`: what was reached, what the bar is, and what is known beside it.

    python -m benchmarks.summary [bench/results.json] [--markdown]

Reads the results that `benchmarks.everything` wrote, so that a table in a document can be made, or
compared, from a run.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.bars import MEASURES, Measure, find, value_of

RESULTS = Path("bench/results.json")
HEADS = ("measure", "reached", "bar", "beside it")


def rows_of(parts: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row per measure of the parts that have a result, in the order of `MEASURES`."""
    return [
        _row(measure, parts[measure.part]["result"])
        for measure in MEASURES
        if "result" in parts.get(measure.part, {})
    ]


def _row(measure: Measure, result: Mapping[str, Any]) -> dict[str, Any]:
    found = find(result, measure.path)
    bounds = found if isinstance(found, Mapping) else {}
    bar, beside = measure.bar_in(result), measure.beside
    return {
        "part": measure.part,
        "measure": measure.name,
        "reached": {
            "value": value_of(found),
            "low": bounds.get("low"),
            "high": bounds.get("high"),
        },
        "bar": None if bar is None else bar.to_dict(),
        "beside": None if beside is None else beside.to_dict(),
        "digits": measure.digits,
    }


def cells(row: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """A row as text, by `HEADS`."""
    digits, reached = row["digits"], row["reached"]
    if reached["value"] is None:
        text = "not measured"
    else:
        text = f"{reached['value']:.{digits}f}"
        if reached["low"] is not None:
            text += f" [{reached['low']:.{digits}f}, {reached['high']:.{digits}f}]"
    return (row["measure"], text, _known(row["bar"], digits), _known(row["beside"], digits))


def _known(known: Mapping[str, Any] | None, digits: int) -> str:
    return "" if known is None else f"{known['value']:.{digits}f} ({known['name']})"


def as_text(document: Mapping[str, Any]) -> str:
    """The summary in columns, and notes: what was not measured, where bars are from, caveats."""
    table = [HEADS, *map(cells, document["summary"])]
    widths = [max(len(row[column]) for row in table) for column in range(len(HEADS))]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in table]
    return "\n".join([*lines, "", *_notes(document), ""])


def as_markdown(document: Mapping[str, Any]) -> str:
    """The same as a Markdown table."""
    rows = (HEADS, ("---",) * len(HEADS), *map(cells, document["summary"]))
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, "", *(f"* {note}" for note in _notes(document)), ""])


def _notes(document: Mapping[str, Any]) -> list[str]:
    """What must stand beside the numbers, the caveats of all parts included."""
    quick = ["A quick run: it shows that everything runs, its numbers mean nothing."]
    states = [
        f"{name}: {part['state']}, {part['reason']}"
        for name, part in document["parts"].items()
        if part["state"] != "measured"
    ]
    known = [row[key] for row in document["summary"] for key in ("bar", "beside") if row[key]]
    sources = dict.fromkeys(f"{one['name']}: {one['source']}" for one in known)
    caveats = dict.fromkeys(
        caveat
        for part in document["parts"].values()
        for caveat in part.get("result", {}).get("caveats", ())
    )
    return [*(quick if document["quick"] else []), *states, *sources, *caveats]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.summary",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, nargs="?", default=RESULTS, help="results of a run")
    parser.add_argument("--markdown", action="store_true", help="as a Markdown table")
    options = parser.parse_args(arguments)
    try:
        document = json.loads(options.file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"`{options.file}` cannot be read: {error}. Run `make bench` first.\n")
        return 2
    sys.stdout.write(as_markdown(document) if options.markdown else as_text(document))
    return 0


if __name__ == "__main__":
    sys.exit(main())
