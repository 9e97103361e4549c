"""`recprism artifacts list|use|unpin`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recprism.cli.options import AsJson, Directory
from recprism.cli.output import table, write, write_json

if TYPE_CHECKING:
    from recprism.artifact import ArtifactShelf

app = typer.Typer(help="List artifacts, roll back, and go on.", no_args_is_help=True)

Required = Annotated[Path, typer.Argument(metavar="DIR", help="The project directory.")]


@app.command("list")
def list_(directory: Directory = Path(), as_json: AsJson = False) -> None:
    """List the artifacts of a project, oldest first."""
    from recprism.artifact import read_manifest
    from recprism.errors import ArtifactError, NotTrained

    shelf = _shelf(directory)
    try:
        serving = shelf.current().name
    except (NotTrained, ArtifactError):
        serving = None
    rows = []
    for artifact_id in shelf.ids():
        try:
            until, problem = read_manifest(shelf.path(artifact_id)).get("until"), None
        except ArtifactError as error:
            until, problem = None, str(error)
        rows.append(
            {
                "id": artifact_id,
                "serving": artifact_id == serving,
                "pinned": artifact_id == shelf.pinned(),
                "until": until,
                "problem": problem,
            }
        )
    if as_json:
        write_json(rows)
        return
    marks = [(r["id"], _state(r), r["until"] or "all data", r["problem"] or "") for r in rows]
    write(table(["artifact", "state", "until", "problem"], marks) if rows else "No artifacts yet.")


@app.command("use")
def use(
    directory: Required,
    artifact_id: Annotated[str, typer.Argument(metavar="ID", help="The artifact's id.")],
    as_json: AsJson = False,
) -> None:
    """Serve this artifact until `artifacts unpin`, also after further trainings."""
    _shelf(directory).use(artifact_id)
    if as_json:
        write_json({"serving": artifact_id, "pinned": artifact_id})
    else:
        write(f"Serving `{artifact_id}` until `recprism artifacts unpin {directory}`.")


@app.command("unpin")
def unpin(directory: Directory = Path(), as_json: AsJson = False) -> None:
    """Serve the newest artifact again."""
    shelf = _shelf(directory)
    shelf.unpin()
    serving = shelf.current().name
    if as_json:
        write_json({"serving": serving, "pinned": None})
    else:
        write(f"Serving `{serving}`, the newest.")


def _shelf(directory: Path) -> ArtifactShelf:
    from recprism.artifact import ArtifactShelf
    from recprism.project.document import find_file

    # Rolling back must work while the project file is broken: it only has to be there.
    return ArtifactShelf.of(find_file(directory).parent)


def _state(row: dict[str, object]) -> str:
    if not row["serving"]:
        return ""
    return "serving, pinned" if row["pinned"] else "serving"
