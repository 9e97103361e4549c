"""`recprism similar`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recprism.cli.options import AsJson, Directory, Item, KindName
from recprism.cli.output import table, write, write_json


def similar(
    *,
    directory: Directory = Path(),
    kind: KindName,
    item: Item,
    size: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="How many items.")] = 10,
    as_json: AsJson = False,
) -> None:
    """List the items nearest to one by behavior and content."""
    from recprism.engine import open_engine

    found = open_engine(directory).similar(kind, item, n=size)
    if as_json:
        write_json({"kind": kind, "item": item, "items": found})
    else:
        rows = [(near["id"], near["title"], f"{near['score']:.3f}") for near in found]
        write(table(["id", "title", "similarity"], rows))
