"""`recprism classify`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recprism.cli.options import AsJson, Directory, KindName
from recprism.cli.output import write_json


def classify(
    *,
    directory: Directory = Path(),
    kind: KindName,
    text: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Label this text; else all items of K.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Label a text, or the items of a kind, with a confidence."""
    from recprism.engine import open_engine

    found = open_engine(directory).classify(kind, text)
    if as_json:
        write_json(found)
