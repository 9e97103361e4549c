"""`recprism init`"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recprism.cli.options import AsJson
from recprism.cli.output import note, write, write_json
from recprism.cli.progress import Progress
from recprism.errors import UsageError

if TYPE_CHECKING:
    from recprism.data.infer import Inferred
    from recprism.project.llm_section import Llm


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
    llm: Annotated[
        str | None,
        typer.Option(
            metavar="WHERE",
            help="With --from: ask a language model what odd names of columns mean, `embedded` or "
            "the address of a server; it reads names, types and counts, no values.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The model of --llm, as under `llm.model`."),
    ] = None,
    key_env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The environment variable with the server's key."),
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
    settings = _llm_settings(llm, model, key_env)
    if template is not None and settings is not None:
        raise UsageError("`--llm` reads tables: it goes with `--from`, not with `--template`.")
    if template is not None:
        from recprism.project import write_template

        written = write_template(template, directory, force=force)
        choices: list[dict[str, str]] = []
    else:
        written, choices = _write_inferred(from_ or [], directory, settings, force=force)
    if as_json:
        files = [str(path) for path in written]
        write_json({"directory": str(directory), "written": files, "choices": choices})
        return
    for choice in choices:
        note(f"{choice['what']}: {choice['chosen']} ({choice['why']})")
    write(f"Wrote {len(written)} file{'s' * (len(written) > 1)} to `{directory}`.")
    write(f"Next: `recprism check {directory}`, then `recprism train {directory}`.")


def _write_inferred(
    tables: Sequence[Path], directory: Path, llm: Llm | None, *, force: bool
) -> tuple[list[Path], list[dict[str, str]]]:
    """Write a project file for `tables`; return it with the reason of every choice."""
    from recprism.data.infer import infer_project
    from recprism.project import FILE_NAME, refuse_occupied

    refuse_occupied(directory, force=force)
    if llm is None:
        inferred = infer_project(tables, directory.resolve().name, base=directory)
    else:
        inferred = _infer_with_model(tables, directory, llm)
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / FILE_NAME
    file.write_text(inferred.yaml, encoding="utf-8")
    choices = [{"what": c.what, "chosen": c.chosen, "why": c.why} for c in inferred.choices]
    return [file], choices


def _infer_with_model(tables: Sequence[Path], directory: Path, llm: Llm) -> Inferred:
    """As without a model, but it is asked; what it cost is kept in the project's directory."""
    from recprism.data.infer import infer_project
    from recprism.llm import open_door

    door = open_door(llm, directory)
    try:
        with Progress() as progress:
            progress("asking", 0, 1)
            return infer_project(tables, directory.resolve().name, base=directory, door=door)
    finally:
        door.close()


def _llm_settings(where: str | None, model: str | None, key_env: str | None) -> Llm | None:
    """The model that the options name; None without `--llm`. Raises `UsageError`."""
    from pydantic import ValidationError

    from recprism.project.llm_section import Llm

    if where is None:
        if model is not None or key_env is not None:
            raise UsageError("`--model` and `--key-env` need `--llm`, which says where it runs.")
        return None
    if model is not None and model.endswith(".gguf"):
        model = str(Path(model).resolve())
    if where == "embedded":
        if key_env is not None:
            raise UsageError("A model in this process has no key; leave `--key-env` out.")
        return Llm(backend="embedded", model=model)
    if model is None:
        raise UsageError("A server needs `--model NAME` beside `--llm`, the name that it knows.")
    try:
        return Llm(backend="openai", base_url=where, model=model, key_env=key_env)
    except ValidationError as error:
        first = error.errors()[0]
        option = {"base_url": "--llm", "key_env": "--key-env"}[str(first["loc"][0])]
        said = str(first["msg"]).removeprefix("Value error, ")
        more = ", or be `embedded`" if option == "--llm" else ""
        raise UsageError(f"`{option}`: {said}{more}.") from error
