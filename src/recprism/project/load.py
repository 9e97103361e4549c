"""From a path to a `Project`: read, validate, fill the defaults, check that the parts fit.

Reading is strict. `load_project` raises the first problem, `find_problems` returns them all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from recprism.errors import ProjectError
from recprism.project.document import Document, KeyPath, find_file, read_document
from recprism.project.messages import translate
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
        return Document(self.file, {}, dict(self.lines)).line_of(keys)


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
    try:
        spec = ProjectFile.model_validate(document.data)
    except ValidationError as error:
        return None, translate(error, document)
    return spec, []
