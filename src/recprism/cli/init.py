"""`recprism init`"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from recprism.cli.options import AsJson
from recprism.cli.output import note, write, write_json
from recprism.errors import UsageError


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the project will be.")],
    template: Annotated[
        str | None, typer.Option(metavar="NAME", help="Begin with this template and its data.")
    ] = None,
    from_: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            metavar="FILE_OR_FOLDER",
            help="Infer the project from these tables; repeat it for several.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write into a non-empty DIR.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a project file, from a template or from tables."""
    if (template is None) == (not from_):
        raise UsageError(
            "Either `--template NAME` or `--from FILE_OR_FOLDER` is needed; "
            "`recprism templates` lists the templates."
        )
    if template is not None:
        from recprism.project import write_template

        written = write_template(template, directory, force=force)
        choices: list[dict[str, str]] = []
    else:
        written, choices = _write_inferred(from_ or [], directory, force=force)
    if as_json:
        files = [str(path) for path in written]
        write_json({"directory": str(directory), "written": files, "choices": choices})
        return
    for choice in choices:
        note(f"{choice['what']}: {choice['chosen']} ({choice['why']})")
    write(f"Wrote {len(written)} file{'s' * (len(written) > 1)} to `{directory}`.")
    write(f"Next: `recprism check {directory}`, then `recprism train {directory}`.")


def _write_inferred(
    tables: Sequence[Path], directory: Path, *, force: bool
) -> tuple[list[Path], list[dict[str, str]]]:
    """Write a project file for `tables`; return it with the reason of every choice."""
    from recprism.data.infer import infer_project
    from recprism.project import FILE_NAME, refuse_occupied

    refuse_occupied(directory, force=force)
    inferred = infer_project(tables, directory.resolve().name, base=directory)
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / FILE_NAME
    file.write_text(inferred.yaml, encoding="utf-8")
    choices = [{"what": c.what, "chosen": c.chosen, "why": c.why} for c in inferred.choices]
    return [file], choices
