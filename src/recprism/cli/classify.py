"""`recprism classify`"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from recprism.cli.options import AsJson, Directory, KindName
from recprism.cli.output import table, write, write_json
from recprism.errors import UsageError


def classify(
    *,
    directory: Directory = Path(),
    kind: KindName,
    text: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Label this text; else the items of K without a label."),
    ] = None,
    propose: Annotated[
        int | None,
        typer.Option(metavar="N", help="Propose at most N labels for the items of K instead."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Label a text, or the items of a kind that lack a label, with a confidence.

    For items it also lists what a person should look at; `--propose` makes up labels.
    """
    from recprism.engine import open_engine

    if text is not None and propose is not None:
        raise UsageError("`--text` and `--propose` exclude each other; give one of them.")
    engine = open_engine(directory)
    found = engine.classify(kind, text) if propose is None else engine.propose_labels(kind, propose)
    if as_json:
        write_json(found)
    elif propose is not None:
        write(_proposals(found))
    else:
        write(_labels(found), *_review(found))


def _labels(found: Mapping[str, Any]) -> Any:
    rows = [
        (item["id"] or "", item["text"], name, label["value"], _share(label), label["source"])
        for item in found["items"]
        for name, label in item["labels"].items()
    ]
    return table(["id", "text", "label", "value", "confidence", "source"], rows)


def _review(found: Mapping[str, Any]) -> list[Any]:
    rows = [
        (
            row["id"],
            row["text"],
            row["label"],
            row["given"] or "",
            f"{row['suggested']} ({row['confidence']:.2f})",
            row["why"],
        )
        for row in found.get("review", ())
    ]
    columns = ["id", "text", "label", "given", "suggested", "why"]
    return ["To look at:", table(columns, rows)] if rows else []


def _proposals(found: Mapping[str, Any]) -> Any:
    rows = [(row["name"], row["items"], "; ".join(row["examples"])) for row in found["labels"]]
    return table(["name", "items", "examples"], rows)


def _share(label: Mapping[str, Any]) -> str:
    return f"{label['confidence']:.2f}"
