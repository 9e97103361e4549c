"""From a path to a `Project`: read, validate, fill the defaults, check that the parts fit.

Reading is strict. `load_project` raises the first problem, `find_problems` returns them all.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from recprism.errors import ProjectError
from recprism.project.document import Document, KeyPath, find_file, nearest_line, read_document
from recprism.project.messages import Mistake, find_mistakes, to_errors
from recprism.project.rules import find_clashes
from recprism.project.schema import ProjectFile


@dataclass(frozen=True)
class Project:
    """A project file that was read and found valid.

    `path` is its directory, against which sources are resolved; `spec` has every default filled in;
    `hash` (12 hexadecimal digits) changes when and only when `spec` does.
    """

    path: Path
    file: Path
    spec: ProjectFile
    hash: str
    lines: Mapping[KeyPath, int] = field(default_factory=dict, repr=False, compare=False)

    def line_of(self, *keys: str | int) -> int | None:
        """Line of the key path, such as `line_of("items", "products", "id")`.

        The line of the nearest part above it when the file leaves the key to its default; None when
        it has no part of it.
        """
        return nearest_line(self.lines, keys)


def hash_spec(spec: ProjectFile) -> str:
    """SHA-256 of the spec as JSON, its first 12 hexadecimal digits.

    Settings come in the order of the schema. Mappings with names of the user's choice keep theirs,
    because order means something there: kinds number the items, the first label diversifies.
    """
    text = json.dumps(spec.model_dump(mode="json", by_alias=True), separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def load_project(path: str | Path) -> Project:
    """The project at `path`, a directory or a project file.

    Raises ProjectError for the first problem (in the order of lines) that `find_problems` finds.
    """
    document = read_document(find_file(path))
    spec, problems = _validate(document)
    if problems or spec is None:
        raise problems[0]
    return Project(document.file.parent, document.file, spec, hash_spec(spec), document.lines)


def find_problems(path: str | Path) -> list[ProjectError]:
    """Every problem of the project file at once, in the order of lines; empty when it is fine."""
    try:
        document = read_document(find_file(path))
    except ProjectError as error:
        return [error]
    return _validate(document)[1]


def _validate(document: Document) -> tuple[ProjectFile | None, list[ProjectError]]:
    """The spec, if it is valid by itself, and all problems."""
    try:
        spec = _parse(document.data)
    except ValidationError as error:
        mistakes = find_mistakes(error, document)
        return None, to_errors([*mistakes, *_further(document, mistakes)], document)
    return spec, to_errors(find_clashes(spec), document)


def _further(document: Document, mistakes: Sequence[Mistake]) -> list[Mistake]:
    """What else clashes in a file with mistakes; nothing that may follow from one of them."""
    data, kept = _without(document.data, mistakes)
    try:
        spec = _parse(data)
    except ValidationError:
        return []
    # A section with a mistake of its own gives no reason to complain about what it lacks.
    broken = {m.path[:n] for m in mistakes for n in (1, 2)}
    clashes = (_renumber(clash, kept) for clash in find_clashes(spec))
    return [clash for clash in clashes if broken.isdisjoint(clash.needs)]


def _renumber(clash: Mistake, kept: Sequence[int]) -> Mistake:
    """The clash with the numbers that the events have in the file."""

    def in_file(path: KeyPath) -> KeyPath:
        n = path[1] if len(path) > 1 else None
        return (path[0], kept[n], *path[2:]) if isinstance(n, int) else path

    needs = frozenset(in_file(need) for need in clash.needs)
    return replace(clash, path=in_file(clash.path), needs=needs)


def _parse(data: Mapping[str, Any]) -> ProjectFile:
    return ProjectFile.model_validate(data, by_alias=True, by_name=False)


def _without(data: dict[str, Any], mistakes: Sequence[Mistake]) -> tuple[dict[str, Any], list[int]]:
    """The data without its mistakes, and the former numbers of the events that are left."""
    left = copy.deepcopy(data)
    left.setdefault("project", "unnamed")
    for mistake in mistakes:
        path = mistake.path[:-1] if mistake.kind == "missing" else mistake.path
        inner = next((n for n, part in enumerate(path) if n > 1 and isinstance(part, int)), None)
        _remove(left, path[:inner])
    events = left.get("events") or []
    kept = [n for n, row in enumerate(events) if row is not None]
    left["events"] = [events[n] for n in kept]
    return left, kept


def _remove(data: Any, path: KeyPath) -> None:
    """Take the value at `path` out of its mapping; in a list, leave None in its place."""
    for part in path[:-1]:
        if data is None or (isinstance(data, dict) and part not in data):
            return
        data = data[part]
    if not path:
        return
    if isinstance(data, list):
        data[int(path[-1])] = None
    elif isinstance(data, dict):
        data.pop(str(path[-1]), None)
