"""`recprism events add`"""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recprism.cli.faults import USER_MISTAKE
from recprism.cli.options import AsJson
from recprism.cli.output import note, write, write_json

if TYPE_CHECKING:
    from recprism.project import Project

app = typer.Typer(help="Add events to the store.", no_args_is_help=True)

_SHOWN = 20
"""So many bad rows are told to a person; `--json` has all."""


@app.command("add")
def add(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The project directory.")],
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A `.jsonl`, `.csv` or `.parquet` file.")
    ],
    as_json: AsJson = False,
) -> None:
    """Add the events of a file; bad rows are listed, the rest is kept."""
    from recprism.project import load_project
    from recprism.store import open_project_store
    from recprism.store.files import add_file

    project = load_project(directory)
    with closing(open_project_store(project)) as store:
        result = add_file(store, file, _now(project))
    if as_json:
        write_json(result.to_dict())
    else:
        for bad in result.rejected[:_SHOWN]:
            note(f"{file}:{bad.line}: {bad.error}.")
        if len(result.rejected) > _SHOWN:
            note(f"{len(result.rejected) - _SHOWN:,} more rows were refused.")
        write(
            f"Added {result.accepted:,} events; {result.duplicates:,} were known, "
            f"{len(result.rejected):,} refused."
        )
    if result.rejected and not (result.accepted or result.duplicates):
        raise typer.Exit(USER_MISTAKE)


def _now(project: Project) -> datetime:
    """The present on the clock of the sources, as an engine that opens now would have it."""
    from recprism.artifact import ArtifactShelf
    from recprism.data.saved import open_events
    from recprism.data.times import from_micros
    from recprism.errors import NotTrained

    if project.spec.clock == "data":
        try:
            folder = ArtifactShelf.of(project.path).current()
            time = open_events(folder).time
            if len(time):
                return from_micros(int(time.max()))
        except NotTrained:
            pass
    return datetime.now(UTC).replace(tzinfo=None)
