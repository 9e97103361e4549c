"""A first project file from tables, with a reason for every choice.

In come paths of files and folders, out goes the text of a `recprism.yaml` that loads, and the list
of choices. It is meant to be read and mended by a person, so it never guesses in silence: what is
left out is listed too. A language model may say what odd names of columns mean; nothing needs it.
"""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from recprism.data.columns import Profiled, profile
from recprism.data.hints import as_name
from recprism.data.meanings import Understood, understand, unused
from recprism.data.roles import Choice, Roles, assign_roles
from recprism.data.sections import events_section, kind_section, settings, tasks, users_section
from recprism.data.sources import KNOWN_SUFFIXES, Table, open_table
from recprism.errors import DataError
from recprism.llm import Door
from recprism.project import ProjectFile, to_yaml
from recprism.project.schema import Source


@dataclass(frozen=True)
class Inferred:
    """The text of a project file, and why it says what it says."""

    yaml: str
    choices: list[Choice]


def infer_project(
    paths: Sequence[Path], name: str, *, base: Path | None = None, door: Door | None = None
) -> Inferred:
    """A project file named `name` for the tables at `paths` (files, or folders of them).

    Sources are written relative to `base`, the directory of the project to be; absolute without it.
    The role `configure` of `door` is asked what columns with odd names hold; where it fails, or
    what it says leads nowhere, the rules decide alone and one choice tells so. Raises DataError for
    a table that cannot be read or is empty, and when the tables hold neither events nor texts of
    items.
    """
    tables = [
        profile(table, path.stem, _written(path, base))
        for given in paths
        for path, table in _open_all(given)
    ]
    if door is None:
        return _infer(paths, name, Understood(tables, [], {}))
    understood = understand(tables, door)
    try:
        return _infer(paths, name, understood)
    except (DataError, ValidationError):
        note = unused("with what it said no project came out")
        return _infer(paths, name, Understood(tables, [note], {}))


def _infer(paths: Sequence[Path], name: str, understood: Understood) -> Inferred:
    tables = understood.tables
    roles = assign_roles(tables)
    roles.choices[:0] = understood.choices
    spec: dict[str, Any] = {"project": as_name(name, "project")}
    if roles.users is not None:
        spec["users"] = users_section(roles.users, roles)
    spec["items"] = {kind.name: kind_section(kind, roles) for kind in roles.kinds.values()}
    spec["events"] = [
        events_section(n, log, kind, roles)
        for n, (log, kind) in enumerate(zip(roles.logs, roles.log_kinds, strict=True))
    ]
    spec["links"] = _link_sections(roles)
    spec["tasks"] = tasks(spec, roles)
    if not spec["tasks"]:
        raise _nothing_found(paths, tables)
    spec |= settings(roles)
    for table in tables:
        if table.source not in roles.used:
            roles.note(table.source, "left out", _why_left_out(table))
    header = _header(roles, understood.lines)
    return Inferred(to_yaml(ProjectFile.model_validate(spec), header), roles.choices)


def _open_all(path: Path) -> Iterator[tuple[Path, Table]]:
    """The tables at a path: a file; the files of a folder, or the folder where they are parts.

    Parts have the same columns and the same names but for digits: `2024-01.csv`, `2024-02.csv`.
    """
    if not path.is_dir():
        yield path, open_table(Source(source=str(path)), Path())
        return
    files = sorted(f for f in path.iterdir() if f.suffix.lower() in KNOWN_SUFFIXES)
    folders = sorted(f for f in path.iterdir() if f.is_dir() and not f.name.startswith("."))
    opened = [(file, open_table(Source(source=str(file)), Path())) for file in files]
    looks = {(re.sub(r"[\d\W_]+", "", file.stem), *sorted(table.columns)) for file, table in opened}
    if len(opened) > 1 and len(looks) == 1:
        yield path, open_table(Source(source=str(path)), Path())
    else:
        yield from opened
    for folder in folders:
        yield from _open_all(folder)


def _written(path: Path, base: Path | None) -> str:
    """The path as the project file says it, with `/` on every system."""
    if base is None:
        return path.resolve().as_posix()
    return Path(os.path.relpath(path.resolve(), base.resolve())).as_posix()


def _link_sections(roles: Roles) -> dict[str, Any]:
    return {
        as_name(pair.table.name, "links"): {
            "source": pair.table.source,
            "from": {"kind": pair.kinds[0], "column": pair.columns[0].name},
            "to": {"kind": pair.kinds[1], "column": pair.columns[1].name},
        }
        for pair in roles.pairs
    }


def _why_left_out(table: Profiled) -> str:
    if table.key is not None:
        return f"nothing refers to its key `{table.key.name}` in a way that makes it a kind"
    lacks = "neither a column of times nor one that names its rows"
    return f"it has {lacks}" if not table.times else "it has times, but no users and items beside"


def _nothing_found(paths: Sequence[Path], tables: Sequence[Profiled]) -> DataError:
    found = "; ".join(
        f"`{table.name}` with {', '.join(f'`{name}`' for name in table.columns)}"
        for table in tables
    )
    return DataError(
        ", ".join(str(path) for path in paths) or "no path",
        f"neither events (a user, an item, a time) nor items with texts; found: {found or 'none'}.",
        "Name columns such as `user_id`, `item_id` and `time`, or write the project file by hand.",
    )


def _header(roles: Roles, described: Mapping[str, str]) -> str:
    """The choices as a comment, what, then why; then what a language model said of columns."""
    lines = ["Inferred from tables; mend what is wrong, then run `recprism check`.", ""]
    for choice in roles.choices:
        text = f"{choice.what}: {choice.chosen} ({choice.why})"
        lines += textwrap.wrap(text, 96, subsequent_indent="    ", break_long_words=False)
    if described:
        lines += ["", "Columns with odd names in the words of the language model, unchecked:"]
    lines += [f"{' '.join(name.split())}: {line}" for name, line in described.items()]
    return "\n".join(lines)
