"""`recprism recommend`"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recprism.cli.options import AsJson, At, Directory
from recprism.cli.output import write, write_json
from recprism.cli.times import parse_time
from recprism.cli.views.lists import answer_view
from recprism.errors import UsageError

if TYPE_CHECKING:
    from recprism.engine import Engine
    from recprism.records import Answer


@dataclass(frozen=True)
class Request:
    """What is asked for every user alike."""

    tasks: list[str] | None
    query: str | None
    size: int | None
    context: dict[str, str]

    def ask(self, engine: Engine, user: str | None, at: datetime | None) -> Answer:
        """The lists for one user; nothing is recorded."""
        return engine.recommend(
            user,
            self.tasks,
            size=self.size,
            query=self.query,
            context=self.context,
            at=at,
        )


def recommend(
    directory: Directory = Path(),
    user: Annotated[
        str | None,
        typer.Option(metavar="ID", help="The user; without one, lists for somebody unknown."),
    ] = None,
    users: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Many users, one `id` or `id,time` a line; one JSON document a line comes out.",
        ),
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option(metavar="T", help="A list to recommend; repeat for several.")
    ] = None,
    query: Annotated[
        str | None, typer.Option(metavar="TEXT", help="A wish in words, in any language.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=1, max=1000, metavar="N", help="Items per list.")
    ] = None,
    at: At = None,
    context: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="What is known of the moment, such as `store=367`."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Recommend lists with reasons. Nothing is recorded."""
    from recprism.cli.user_list import read_user_list
    from recprism.store import find_id_fault

    if user is not None and users is not None:
        raise UsageError("Found both `--user` and `--users`; one of them is needed.")
    fault = None if user is None else find_id_fault(user)
    if fault is not None:
        raise UsageError(f"`--user`: {fault}.")
    moment = None if at is None else parse_time(at)
    asked = None if users is None else read_user_list(users)
    request = Request(task or None, query, size, parse_context(context or []))
    from recprism.engine import open_engine

    with open_engine(directory) as engine:
        for row in asked or ():
            write_json(request.ask(engine, row.user, row.at or moment).to_dict(), lines=True)
        if asked is not None:
            return
        answer = request.ask(engine, user, moment).to_dict()
    write_json(answer) if as_json else write(*answer_view(answer))


def parse_context(pairs: list[str]) -> dict[str, str]:
    """`KEY=VALUE` texts as a mapping. Raises `UsageError` for one without a key or sign."""
    for pair in pairs:
        if not pair.partition("=")[0] or "=" not in pair:
            raise UsageError(f"`--context`: found `{pair}`, `KEY=VALUE` is needed.")
    return {key: value for key, _, value in (pair.partition("=") for pair in pairs)}
