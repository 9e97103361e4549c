"""From the `llm:` section of a project to its door."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from recprism.llm.backend import Backend
from recprism.llm.door import Door, Price, Role
from recprism.llm.embedded import EmbeddedBackend
from recprism.llm.ledger import Budget, Ledger
from recprism.llm.requests import Complete, Outcome
from recprism.llm.served import ServedBackend
from recprism.llm.weights import DEFAULT, locate
from recprism.project.schema import Llm, LlmBudget, LlmRole

LEDGER = Path(".recprism") / "llm.sqlite"
"""Where the account is kept, in the project directory."""
CHECK = "check"
"""The role of `recprism llm check`, on wherever there is a model."""
CONFIGURE = "configure"
"""The role of `recprism init --llm`, which comes before there is a project file; on likewise."""
_BY_HAND_S = 120.0
"""Somebody waits for these before the command line, and a model is loaded first."""
_DEADLINES_S = {"label": 60.0, "profile": 10.0, "rank": 60.0}
_DEADLINE_ONLINE_S = 2.0


def has_roles(settings: Llm) -> bool:
    """Whether anything would ask the door of `settings`: a backend, and a role other than
    `embed`."""
    asked = (role for name, role in settings.roles.items() if name != "embed")
    return settings.backend != "none" and any(role is not False for role in asked)


def open_door(settings: Llm, folder: Path) -> Door:
    """The door to the model of `settings` for the project in `folder`; nothing is loaded yet.

    With `backend: none` every role is off.
    """
    roles = {} if settings.backend == "none" else _roles(settings)
    return Door(
        lambda model: open_backend(settings, model, folder),
        roles,
        name=settings.backend,
        ledger=Ledger(folder / LEDGER),
        fields=settings.fields,
        prices={
            model: Price(input=price.input, output=price.output)
            for model, price in settings.prices.items()
        },
    )


def ask_check(door: Door) -> Outcome[str]:
    """One short question, asked anew each time: whether the model answers, and how fast."""
    asked = datetime.now(UTC).isoformat()
    prompt = door.prompt("check", {}, question="Name one thing that people drink.", asked=asked)
    return door.ask(CHECK, Complete(prompt=prompt, max_tokens=16))


def open_backend(settings: Llm, model: str, folder: Path) -> Backend:
    """The backend for `model`, loaded or connected. Raises `LLMUnavailable` or `MissingExtra`."""
    if settings.backend == "embedded":
        return EmbeddedBackend(locate(model, folder))
    return ServedBackend(
        model,
        settings.base_url or "",
        key_env=settings.key_env,
        concurrency=settings.concurrency,
    )


def _roles(settings: Llm) -> dict[str, Role]:
    """The roles that ask this door; `embed` is the text encoder's and does not."""
    model = settings.model or DEFAULT
    roles = {name: Role(model=model, deadline_s=_BY_HAND_S) for name in (CHECK, CONFIGURE)}
    for name, role in settings.roles.items():
        if name != "embed" and role is not False:
            roles[name] = _role(name, LlmRole() if role is True else role, model)
    return roles


def _role(name: str, settings: LlmRole, model: str) -> Role:
    limits, deadline = settings.budget, settings.deadline
    usual_s = _DEADLINES_S.get(name, _DEADLINE_ONLINE_S)
    return Role(
        model=settings.model or model,
        deadline_s=usual_s if deadline is None else deadline.total_seconds(),
        budget=None if limits is None else _budget(limits),
    )


def _budget(limits: LlmBudget) -> Budget:
    return Budget(
        calls=limits.calls,
        tokens=limits.tokens,
        cost=limits.cost,
        per_s=limits.per.total_seconds(),
    )
