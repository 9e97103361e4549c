"""`recprism check`"""

from __future__ import annotations

from pathlib import Path

import typer

from recprism.cli.faults import USER_MISTAKE
from recprism.cli.options import AsJson, Directory
from recprism.cli.output import note, write, write_json
from recprism.cli.progress import Progress
from recprism.cli.views.cleaning import cleaning_view


def check(directory: Directory = Path(), as_json: AsJson = False) -> None:
    """Validate the project file and its data; print every problem at once."""
    from recprism.data.check import DataCheck, examine
    from recprism.project import find_problems, load_project

    found = DataCheck(problems=list(find_problems(directory)))
    if not found.problems:
        with Progress() as progress:
            found = examine(load_project(directory), progress=progress.share)
    if as_json:
        write_json(
            {
                "ok": not found.problems,
                "problems": [str(problem) for problem in found.problems],
                "warnings": found.warnings,
                "report": found.report,
            }
        )
    else:
        for sentence in [*map(str, found.problems), *found.warnings]:
            note(sentence)
        if not found.problems:
            write(*cleaning_view(found.report), f"`{directory}` is fine.")
    if found.problems:
        raise typer.Exit(USER_MISTAKE)
