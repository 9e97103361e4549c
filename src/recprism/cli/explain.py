"""`recprism explain`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recprism.cli.options import AsJson, At, Directory, Item, User
from recprism.cli.output import write, write_json
from recprism.cli.times import parse_time
from recprism.cli.views.explanation import explanation_view


def explain(
    *,
    directory: Directory = Path(),
    user: User,
    task: Annotated[str, typer.Option(metavar="T", help="The list, such as `products`.")],
    item: Item,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Tell why an item stands where it does, and what would change it."""
    from recprism.engine import open_engine

    moment = None if at is None else parse_time(at)
    found = open_engine(directory).explain(user, task, item, at=moment).to_dict()
    write_json(found) if as_json else write(*explanation_view(found))
