"""The section `llm:` as types: which model, for what, how much of it, and what it may read."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    StrictFloat,
    StrictInt,
    WithJsonSchema,
)

from recprism.project.fields import Duration, Section, Switch, format_duration, parse_duration

RoleName = Literal["embed", "label", "profile", "rank", "compose", "explain", "ask"]
QUERY, HISTORY = "query", "history"
"""Fields that are no column: a wish, and what is counted from a person's events."""
WORKING_ROLES = ("embed", "label", "rank", "ask", "explain", "profile", "compose")
"""The roles that something uses; the others are not taken silently."""
_MILLISECONDS = re.compile(r"^([1-9]\d{0,6})\s*ms$")


def parse_deadline(text: object) -> timedelta:
    """A span of time from text such as `800ms` or `2s`. Raises ValueError for anything else."""
    found = _MILLISECONDS.match(str(text).strip())
    return timedelta(milliseconds=int(found[1])) if found else parse_duration(text)


def format_deadline(span: timedelta) -> str:
    """The text that `parse_deadline` reads back as `span`."""
    milliseconds = round(span.total_seconds() * 1000)
    return f"{milliseconds}ms" if milliseconds % 1000 else format_duration(span)


def _web_address(text: str) -> str:
    if not re.match(r"https?://[^\s/]", text):
        raise ValueError("it must begin with `http://` or `https://`")
    if "@" in text.partition("://")[2].partition("/")[0]:
        raise ValueError("it must not hold a password; name the variable of a key in `key_env`")
    return text


def _variable(text: str) -> str:
    # What stands here wrongly may be the key itself, so it is not repeated.
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", text):
        raise ValueError(
            "it must be the name of an environment variable, such as `OPENAI_API_KEY`, never the "
            "key itself"
        )
    return text


Deadline = Annotated[
    timedelta,
    BeforeValidator(parse_deadline),
    PlainSerializer(format_deadline, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^\d+ *(ms|s|min|h|d|w)$"}),
]
WebAddress = Annotated[str, AfterValidator(_web_address)]
Variable = Annotated[str, AfterValidator(_variable)]
Amount = Annotated[StrictFloat, Field(ge=0)]


class LlmBudget(Section):
    """The most that a role may spend."""

    calls: StrictInt | None = Field(default=None, ge=0)
    """Most calls."""
    tokens: StrictInt | None = Field(default=None, ge=0)
    """Most tokens, read and written."""
    cost: Amount | None = None
    """Most cost, in the currency of `prices`."""
    per: Duration = Field(default=timedelta(days=1), json_schema_extra={"default": "1d"})
    """The span that it is for: what was spent within the last `per` counts."""


class LlmRole(Section):
    """How a role is run."""

    model: str | None = None
    """A model of its own; that of the section when absent."""
    deadline: Deadline | None = None
    """When to go on without an answer: by default after `2s` for what is asked online (compose,
    explain, ask), after `10s` for a summary that somebody looks at (profile), after `1min` for what
    is asked in training (label, rank)."""
    budget: LlmBudget | None = None
    """The most that it may spend; no limit when absent."""


class LlmPrice(Section):
    """What a model costs per million tokens, in a currency of your choice."""

    input: Amount = 0.0
    """A million tokens read."""
    output: Amount = 0.0
    """A million tokens written."""


class Llm(Section):
    backend: Literal["embedded", "openai", "none"] = "none"
    """Where the model runs: in this process (`embedded`, llama.cpp), behind a server that speaks
    OpenAI's protocol (`openai`), or not at all (`none`)."""
    model: str | None = None
    """The model: for `embedded` a name of `recprism llm weights` (`gemma3-270m` when absent) or the
    path of a GGUF file, for `openai` the name that the server knows."""
    base_url: WebAddress | None = None
    """Address of the server, such as `http://localhost:8080/v1`."""
    key_env: Variable | None = None
    """The environment variable that holds the key of the server."""
    concurrency: StrictInt = Field(default=8, ge=1, le=256)
    """Most requests to the server at once."""
    roles: dict[RoleName, Switch | LlmRole] = {}
    """Which roles are on, and how they are run; this version knows `embed`, which the text encoder
    plays, `label` (a second opinion where the encoder wavers), `rank` (in training), `ask`
    (wishes), `explain` (reasons), `profile` (the summary) and `compose` (whole answers). A role not
    named is off."""
    fields: list[str] = []
    """What may reach a prompt: `KIND.NAME` for a text column, title, label or number of a kind,
    `users.NAME` for a trait or text column of users, `query` for a wish, `history` for what a
    person did and what is counted from it. Ids never do."""
    prices: dict[str, LlmPrice] = {}
    """What models cost, by name; a model not named costs nothing."""

    def has_role(self, name: RoleName) -> bool:
        """Whether a role is on and there is a model to play it."""
        return self.backend != "none" and self.roles.get(name, False) is not False
