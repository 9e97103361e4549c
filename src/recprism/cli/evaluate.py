"""`recprism evaluate`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recprism.cli.options import AsJson, Directory
from recprism.cli.output import note, write, write_json
from recprism.cli.progress import Progress
from recprism.cli.views.evaluation import evaluation_view


def evaluate(
    directory: Directory = Path(),
    task: Annotated[
        list[str] | None, typer.Option(metavar="T", help="Only this list; repeat for several.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Hold out the last part of the data, measure every list beside simple rules, and report."""
    from recprism.evaluate.report import write_report
    from recprism.evaluate.run import Settings, evaluate_project
    from recprism.project import load_project

    project = load_project(directory)
    with Progress() as progress:
        found = evaluate_project(project, Settings(tasks=task or None), progress=progress.share)
    report = project.path / "report.html"
    write_report(found, report)
    if as_json:
        write_json(found.to_dict())
    else:
        write(*evaluation_view(found.to_dict()))
    note(f"The report is in `{report}`.")
