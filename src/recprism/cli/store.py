"""`recprism store migrate|backup|restore`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recprism.cli.options import AsJson, Directory
from recprism.cli.output import write, write_json

if TYPE_CHECKING:
    from recprism.store.database import Database

app = typer.Typer(help="Care for the store of live events.", no_args_is_help=True)

Required = Annotated[Path, typer.Argument(metavar="DIR", help="The project directory.")]


@app.command("migrate")
def migrate(directory: Directory = Path(), as_json: AsJson = False) -> None:
    """Bring the store of an earlier version up to date; nothing is lost."""
    from recprism.store.migrating import migrate

    database = _database(directory)
    found, now = migrate(database)
    if as_json:
        write_json({"store": database.name, "found": found, "version": now})
    elif not now:
        write(f"`{database.name}` holds nothing yet; the first event makes it.")
    else:
        changed = f"has version {now}, was {found}" if found < now else f"is at version {now}"
        write(f"`{database.name}` {changed}.")


@app.command("backup")
def backup(
    directory: Required,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write the backup.")],
    as_json: AsJson = False,
) -> None:
    """Copy the store to a file, while it is in use."""
    from recprism.store.backup import back_up

    database = _database(directory)
    size = back_up(database, file)
    if as_json:
        write_json({"store": database.name, "file": str(file), "bytes": size})
    else:
        write(f"Copied `{database.name}` to `{file}` ({size:,} bytes).")


@app.command("restore")
def restore(
    directory: Required,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")],
    as_json: AsJson = False,
) -> None:
    """Put a backup in the place of the store, while no server runs."""
    from recprism.store.backup import restore

    database = _database(directory)
    restore(database, file)
    if as_json:
        write_json({"store": database.name, "file": str(file)})
    else:
        write(f"`{database.name}` is what `{file}` was.")


def _database(directory: Path) -> Database:
    from recprism.project import load_project
    from recprism.store import project_database

    return project_database(load_project(directory))
