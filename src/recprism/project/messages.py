"""Validation errors in our own words, each with its line."""

from __future__ import annotations

from pydantic import ValidationError

from recprism.errors import ProjectError
from recprism.project.document import Document


def translate(error: ValidationError, document: Document) -> list[ProjectError]:
    """One ProjectError for each thing wrong in the file, in the order of lines."""
    problems = [
        ProjectError(document.file, document.line_of(row["loc"]), row["msg"])
        for row in error.errors(include_url=False)
    ]
    return sorted(problems, key=lambda problem: problem.line or 0)
