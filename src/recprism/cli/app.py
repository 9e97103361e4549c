"""The application: every command in the order of a project's life."""

from __future__ import annotations

from typing import Annotated

import typer

from recprism.cli import (
    artifacts,
    check,
    classify,
    evaluate,
    events,
    explain,
    export_user,
    forget,
    init,
    keys,
    llm,
    profile,
    recommend,
    schema,
    serve,
    similar,
    store,
    templates,
    train,
)
from recprism.cli.faults import FaultTellingGroup

app = typer.Typer(
    name="recprism",
    cls=FaultTellingGroup,
    help="RecPrism: one profile in, every list out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.command("init")(init.init)
app.command("templates")(templates.templates)
app.command("check")(check.check)
app.command("schema")(schema.schema)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("recommend")(recommend.recommend)
app.command("profile")(profile.profile)
app.command("explain")(explain.explain)
app.command("similar")(similar.similar)
app.command("classify")(classify.classify)
app.command("serve")(serve.serve)
app.add_typer(keys.app, name="keys")
app.add_typer(events.app, name="events")
app.command("forget")(forget.forget)
app.command("export-user")(export_user.export_user)
app.add_typer(artifacts.app, name="artifacts")
app.add_typer(store.app, name="store")
app.add_typer(llm.app, name="llm")


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"recprism {version('recprism')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """RecPrism: one profile in, every list out."""


def main() -> None:
    """The entry point of the command `recprism`."""
    app(prog_name="recprism")
