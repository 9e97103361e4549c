"""Changes of tasks that need no training: kept beside the artifacts, laid over the project file.

In comes a change to a task, out go the tasks as they are served. The one decision worth knowing:
the project file is its owner's, with comments, maybe under version control or read-only, and
training reads it as a whole. So changes made while serving stand in a file of their own,
`.recprism/tasks.json`, that is replaced in one step and read by every worker, command and artifact;
taking a change back leaves the project file's setting.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from recprism.errors import ProjectError, UnknownName, UsageError, watch_disk
from recprism.project.rules import find_clashes
from recprism.project.schema import ProjectFile, Task

FILE: Final = Path(".recprism") / "tasks.json"
EDITABLE: Final = (
    "size",
    "cap",
    "exclude",
    "repeat",
    "dismissed",
    "diversity",
    "diversity_by",
    "explore",
    "score",
    "slots",
)
"""Settings of a task that training does not look at."""

Edits = Mapping[str, Mapping[str, Any]]
"""Changed settings by task; None is the setting's own default."""


def read_edits(directory: Path) -> dict[str, dict[str, Any]]:
    """The changes of a project, empty where there are none.

    Raises `ProjectError` for a file that is damaged.
    """
    file = directory / FILE
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        hint = "Remove it to go back to the project file's tasks."
        raise ProjectError(file, None, f"it is no JSON ({error}).", hint) from error
    if not isinstance(found, dict) or not all(isinstance(one, dict) for one in found.values()):
        raise ProjectError(file, None, "it is no mapping of tasks to settings.", "Remove it.")
    return found


def edit_task(
    directory: Path, spec: ProjectFile, name: str, changes: Mapping[str, Any], reset: list[str]
) -> dict[str, dict[str, Any]]:
    """Keep changes to the task `name`, and go back to the file's settings of `reset`.

    Returns all changes. Raises `UnknownName`, `UsageError` for a setting that needs training or
    clashes with the project, and Pydantic's `ValidationError` for a value that is none.
    """
    if name not in spec.tasks:
        raise UnknownName("task", name, spec.tasks)
    for setting in (*changes, *reset):
        if setting in EDITABLE:
            continue
        if setting in Task.model_fields:
            raise UsageError(
                f"`{setting}` of a task is learned from. Change it in the project file, and train."
            )
        raise UnknownName("setting", setting, EDITABLE)
    with _locked(directory):
        edits = read_edits(directory)
        own = {**edits.get(name, {}), **changes}
        edits[name] = {key: value for key, value in own.items() if key not in reset}
        if not edits[name]:
            del edits[name]
        apply_edits(spec, {name: edits.get(name, {})})
        _write(directory, edits)
    return edits


def apply_edits(spec: ProjectFile, edits: Edits) -> ProjectFile:
    """The project with its tasks changed; changes of tasks that it does not have are left out.

    Raises `UsageError` for a change that clashes with the project, and `ValidationError`.
    """
    tasks = {name: _changed(task, edits.get(name, {})) for name, task in spec.tasks.items()}
    changed = spec.model_copy(update={"tasks": tasks})
    known = {clash.path for clash in find_clashes(spec)}
    for clash in find_clashes(changed):
        if clash.path not in known:
            raise UsageError(f"{clash.sentence} {clash.hint}".strip())
    return changed


def apply_sound(spec: ProjectFile, edits: Edits) -> tuple[ProjectFile, list[str]]:
    """The project with the changes that fit it, and a sentence for each that does not.

    Training with another project file may have left changes behind that mean nothing any more.
    """
    problems = []
    for name, own in edits.items():
        try:
            spec = apply_edits(spec, {name: own})
        except (UsageError, ValidationError) as error:
            problems.append(f"the changes to the task `{name}` do not fit the project: {error}")
    return spec, problems


def _changed(task: Task, edits: Mapping[str, Any]) -> Task:
    if not edits:
        return task
    written = task.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return Task.model_validate({**written, **edits}, by_alias=True, by_name=False)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One change at a time, whatever process makes it."""
    file = directory / FILE
    with watch_disk(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _write(directory: Path, edits: Edits) -> None:
    file = directory / FILE
    fresh = file.with_name(f".{file.name}-{secrets.token_hex(4)}")
    with watch_disk(file):
        try:
            with fresh.open("w", encoding="utf-8") as out:
                json.dump(edits, out, ensure_ascii=False, indent=1)
                out.flush()
                os.fsync(out.fileno())
            fresh.replace(file)
        finally:
            fresh.unlink(missing_ok=True)
