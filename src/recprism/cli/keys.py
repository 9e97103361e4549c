"""`recprism keys create|list|revoke`"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recprism.cli.options import AsJson, Directory
from recprism.cli.output import moment, note, table, write, write_json
from recprism.errors import UsageError

if TYPE_CHECKING:
    from recprism.store import Store

app = typer.Typer(help="Keys to the service.", no_args_is_help=True)

Required = Annotated[Path, typer.Argument(metavar="DIR", help="The project directory.")]


class Role(StrEnum):
    """What a key may do; each may also do what those before it may."""

    READER = "reader"
    WRITER = "writer"
    ADMIN = "admin"


@app.command("create")
def create(
    *,
    directory: Directory = Path(),
    role: Annotated[
        Role,
        typer.Option(metavar="reader|writer|admin", help="What the key may do."),
    ],
    name: Annotated[str, typer.Option(metavar="TEXT", help="For whom or what the key is.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a key, which is shown this once."""
    from recprism.serve.keys import make_key, row_of

    written, stored = make_key(role.value, name)
    store = _store(directory)
    store.add_key(stored)
    store.close()
    if as_json:
        write_json({**row_of(stored), "key": written})
    else:
        note("Keep this key now; only a hash of it is stored.")
        write(written)


@app.command("list")
def list_(directory: Directory = Path(), as_json: AsJson = False) -> None:
    """List the keys, revoked ones too."""
    from recprism.serve.keys import row_of

    store = _store(directory)
    rows = [row_of(key) for key in store.keys()]  # noqa: SIM118
    store.close()
    if as_json:
        write_json(rows)
        return
    cells = [
        (
            *(row["id"], row["role"], row["name"], moment(row["created"])),
            "never" if row["last_used"] is None else moment(row["last_used"]),
            "" if row["revoked"] is None else f"revoked {moment(row['revoked'])}",
        )
        for row in rows
    ]
    heads = ["id", "role", "name", "created", "last used", "state"]
    write(table(heads, cells) if rows else "No keys yet.")


@app.command("revoke")
def revoke(
    directory: Required,
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id.")],
    as_json: AsJson = False,
) -> None:
    """Let a key open nothing any more."""
    store = _store(directory)
    was_open = store.revoke_key(key_id, datetime.now(UTC).replace(tzinfo=None))
    store.close()
    if not was_open:
        raise UsageError(
            f"There is no key `{key_id}` that still opens. "
            f"`recprism keys list {directory}` shows all."
        )
    write_json({"revoked": key_id}) if as_json else write(f"The key `{key_id}` is revoked.")


def _store(directory: Path) -> Store:
    from recprism.project import load_project
    from recprism.store import open_project_store

    return open_project_store(load_project(directory))
