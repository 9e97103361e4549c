"""`recprism classify`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recprism.cli.options import AsJson, Directory, KindName
from recprism.cli.output import table, write, write_json


def classify(
    *,
    directory: Directory = Path(),
    kind: KindName,
    text: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Label this text; else the items of K without a label."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Label a text, or the items of a kind that lack a label, with a confidence."""
    from recprism.engine import open_engine

    found = open_engine(directory).classify(kind, text)
    if as_json:
        write_json(found)
    else:
        rows = [
            (item["id"] or "", item["text"], name, label["value"], f"{label['confidence']:.2f}")
            for item in found["items"]
            for name, label in item["labels"].items()
        ]
        write(table(["id", "text", "label", "value", "confidence"], rows))
