"""`recprism train`"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from recprism.cli.every import parse_interval, train_every
from recprism.cli.options import AsJson, Directory
from recprism.cli.output import write, write_json
from recprism.cli.progress import Progress
from recprism.cli.times import parse_time
from recprism.cli.views.training import plan_table, training_view
from recprism.errors import UsageError


class Where(StrEnum):
    """Where the stages run."""

    LOCAL = "local"


def train(
    directory: Directory = Path(),
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Learn only from what was known before this moment."),
    ] = None,
    engine: Annotated[
        Where, typer.Option(metavar="local", help="Where the stages run.")
    ] = Where.LOCAL,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only estimate time, memory and model calls.")
    ] = False,
    every: Annotated[
        str | None,
        typer.Option(
            metavar="SPAN", help="Train now and each time so much time has passed, such as `1h`."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Build an artifact and publish it."""
    del engine  # One choice in this version: the option is there so that scripts can name it.
    if every is not None:
        _again_and_again(directory, every, as_json=as_json, once=dry_run or until is not None)
        return
    from recprism import pipeline
    from recprism.data.saved import open_report
    from recprism.project import load_project

    project = load_project(directory)
    moment = None if until is None else parse_time(until, "--until")
    if dry_run:
        plan = pipeline.plan(project)
        write_json(plan) if as_json else write(plan_table(plan))
        return
    with Progress() as progress:
        artifact = pipeline.train(project, until=moment, progress=progress.share)
    report = open_report(artifact.path)
    if as_json:
        document = {"artifact": artifact.id, "path": str(artifact.path)}
        write_json({**document, "training": artifact.training, "report": report})
    else:
        write(*training_view(artifact.training, report), f"Published `{artifact.id}`.")


def _again_and_again(directory: Path, every: str, *, as_json: bool, once: bool) -> None:
    interval = parse_interval(every)
    if once:
        raise UsageError(
            "`--every` trains on all that is known each time; it goes with neither `--until` nor "
            "`--dry-run`."
        )
    train_every(interval, [str(directory), *(["--json"] if as_json else [])])
