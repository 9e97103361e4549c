"""Arguments and options that several commands share, each written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="The project directory.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON document instead of text.")]
At = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Ask as of this moment: ISO 8601, on the clock of the sources unless it has a zone.",
    ),
]
User = Annotated[str, typer.Option(metavar="ID", help="The user's id.")]
Item = Annotated[str, typer.Option(metavar="ID", help="The item's id.")]
KindName = Annotated[str, typer.Option(metavar="K", help="The kind of item, such as `products`.")]
