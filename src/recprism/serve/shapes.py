"""What goes in and out, as types: requests are checked against them, the API document shows them.

Answers are not passed through these types on the way out: they are written straight from the
engine's records, which the tests compare with what stands here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Id = Annotated[str, Field(min_length=1, max_length=512)]
Role = Literal["reader", "writer", "admin"]


class Shape(BaseModel):
    """Strict: an unknown key is an error, and no value is converted from another type."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)


class Out(BaseModel):
    """Part of an answer. A reader takes no offence at what a newer service adds."""

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)


class Viewed(Shape):
    kind: Id
    id: Id


class SupposedEvent(Shape):
    kind: Id
    item: Id
    action: Id
    time: str | None = Field(default=None, max_length=40)
    """ISO 8601; the moment of the request when absent. What lies after it does not count."""
    value: float | None = None
    """An amount, such as the price."""
    context: dict[str, str] = Field(default={}, max_length=50)
    """What was known at the moment, such as the store."""


class ListsRequest(Shape):
    user: Id | None = None
    """Whose lists; without one, lists for somebody unknown."""
    tasks: list[str] | None = Field(default=None, max_length=100)
    """Which lists; all when absent."""
    size: int | None = Field(default=None, ge=1, le=1000)
    """Items per list, in place of the project's sizes."""
    query: str | None = Field(default=None, max_length=2000)
    """A wish in words, in any language."""
    context: dict[str, str | int | Viewed] = Field(default={}, max_length=50)
    """What is known of the moment, such as `store`; `viewing` is an item, `KIND/ID`."""
    explain: bool = True
    """Whether each item comes with a reason."""
    at: str | None = Field(default=None, max_length=40)
    """Ask as of another moment (ISO 8601); nothing is recorded then."""
    events: list[SupposedEvent] = Field(default=[], max_length=100)
    """What if the user had done this: counts for this answer only; nothing is kept or recorded."""
    record: bool = True
    """Whether to remember what is shown, which caps and outcomes count."""


class AskRequest(Shape):
    query: str = Field(min_length=1, max_length=2000)
    """A wish in words, in any language."""
    user: Id | None = None
    """Who wishes."""
    tasks: list[str] | None = Field(default=None, max_length=100)
    """Which lists; those that the wish names when absent."""
    size: int | None = Field(default=None, ge=1, le=1000)
    """Items per list."""
    context: dict[str, str | int | Viewed] = Field(default={}, max_length=50)
    """What is known of the moment."""


class ClassifyRequest(Shape):
    kind: str = Field(max_length=64)
    """The kind of item whose labels are meant."""
    text: str = Field(min_length=1, max_length=10_000)
    """What to label."""


class PersonRequest(Shape):
    traits: dict[Id, Annotated[str, Field(max_length=512)]] = Field(default={}, max_length=100)
    """Traits by name, as the project's table of users would have them."""
    personalize: bool = True
    """Whether lists may be personal; with `false` they are those of a stranger, at once."""


class ItemRequest(Shape):
    text: str = Field(min_length=1, max_length=10_000)
    """What the item is about, in words: what its text columns would hold."""
    title: str | None = Field(default=None, max_length=1_000)
    """How people read it; the text when absent."""
    labels: dict[Id, Id] = Field(default={}, max_length=100)
    """Labels by the names of the project file; those that are absent are guessed from the text."""
    numbers: dict[Id, float] = Field(default={}, max_length=100)
    """Numbers by the names of the project file, such as the price."""


class KeyRequest(Shape):
    role: Role
    name: str = Field(default="", max_length=100)
    """For whom or what the key is."""


class PinRequest(Shape):
    id: str = Field(max_length=100)
    """The artifact to serve until it is unpinned."""


class EventIn(Shape):
    user: Id
    kind: Id
    item: Id
    action: Id
    time: str | None = None
    """ISO 8601; now when absent. At most 5 minutes ahead."""
    value: float | None = None
    """An amount, such as the price."""
    session: Id | None = None
    context: dict[str, str] = {}
    """What was known at the moment, such as the store."""
    offer: Id | None = None
    request_id: Id | None = None
    """The `request_id` of the answer that showed the item."""
    slot: Id | None = None
    idempotency_key: Id | None = None
    """Makes sending the event again harmless."""


class Rejected(Out):
    index: int
    error: str


class EventsResult(Out):
    accepted: int
    duplicates: int
    rejected: list[Rejected]


class Fault(Out):
    code: str
    message: str
    field: str | None
    hint: str | None
    request_id: str


class ErrorBody(Out):
    error: Fault


class EvidenceOut(Out):
    signal: str
    share: float
    events: int
    items: list[str]
    facts: dict[str, Any]


class ReasonOut(Out):
    text: str
    language: str
    source: Literal["evidence", "llm"]
    evidence: list[EvidenceOut]


class ItemOut(Out):
    id: str
    title: str
    labels: dict[str, str]
    score: float
    probability: dict[str, float]
    slot: str | None
    reason: ReasonOut
    also: str | None = None
    explored: bool = False


class ListOut(Out):
    kind: str
    goal: str | None
    items: list[ItemOut]
    short_because: str | None = None


class AnswerOut(Out):
    request_id: str
    user: str | None
    at: str
    cold: bool
    artifact: str
    took_ms: float
    llm: Literal["off", "used", "deadline", "budget", "unavailable"]
    lists: dict[str, ListOut]
    wish: dict[str, Any] | None = None
    experiments: dict[str, str] | None = None
    """The arm of each experiment that some list is part of."""


class Near(Out):
    id: str
    title: str
    score: float
    behavior: float | None
    content: float | None


class SimilarOut(Out):
    kind: str
    item: str
    items: list[Near]


class UserPage(Out):
    users: list[str]
    cursor: str | None
    """For the next page; null on the last one."""


class ItemRow(Out):
    id: str
    title: str
    labels: dict[str, str]


class ItemPut(Out):
    kind: str
    item: str
    title: str
    labels: dict[str, str]
    guessed: dict[str, float]
    """Labels that were guessed, with their confidence."""
    recommendable: bool
    """Whether the next list may show it; otherwise the next training makes it so."""


class ItemDeleted(Out):
    kind: str
    item: str
    deleted: bool


class ItemPage(Out):
    kind: str
    items: list[ItemRow]
    cursor: str | None


class TaskOut(Out):
    name: str
    settings: dict[str, Any]
    changed: list[str]
    """Settings that were changed here, over the project file."""


class TasksOut(Out):
    tasks: list[TaskOut]


class ArtifactRow(Out):
    id: str
    current: bool
    pinned: bool
    until: str | None
    problem: str | None


class ArtifactsOut(Out):
    artifacts: list[ArtifactRow]
    serving: str | None
    """The artifact that answered last in this worker."""


class PersonOut(Out):
    user: str
    traits: dict[str, str]
    personalize: bool
    changed: str


class SourceLeft(Out):
    section: str
    source: str
    rows: int


class ReceiptOut(Out):
    """Holds no id; see `recprism.pipeline.Receipt`."""

    receipt: str
    time: str
    store: dict[str, int]
    artifacts: dict[str, str]
    caches: int
    llm_answers: int
    report: bool
    retrain: bool
    pending: list[str]
    sources: list[SourceLeft]


class KeyRow(Out):
    id: str
    role: Role
    name: str
    created: str
    last_used: str | None
    revoked: str | None


class KeyMade(KeyRow):
    key: str
    """The key itself, shown this once."""


class KeysOut(Out):
    keys: list[KeyRow]


class OutcomeRow(Out):
    task: str
    slot: str | None
    artifact: str | None
    shows: int
    actions: dict[str, int]
    """Shows that each action followed."""
    rates: dict[str, float]
    """The same per show."""


class OutcomesOut(Out):
    since: str
    rows: list[OutcomeRow]


class RateOut(Out):
    value: float | None
    low: float
    high: float


class RatesOut(Out):
    per_show: RateOut | None
    per_user: RateOut


class OutcomeOut(RatesOut):
    shows: int
    """Shows that it followed."""
    users: int
    """Users to whom it happened at least once."""
    difference: RatesOut | None
    """Rates less those of the first arm."""


class ArmOut(Out):
    arm: str
    users: int
    shows: int
    outcomes: dict[str, OutcomeOut]
    """By `goal` and `click`."""


class ArmsOfTask(Out):
    task: str
    goal: str | None
    arms: list[ArmOut]


class ArmSize(Out):
    arm: str
    weight: float
    users: int


class SampleRatioOut(Out):
    p: float | None
    """How often chance alone splits users as unevenly; null without users."""
    expected: list[float]
    warning: str | None


class ExperimentOut(Out):
    name: str
    share: float
    arms: list[ArmSize]
    sample_ratio: SampleRatioOut
    tasks: list[ArmsOfTask]


class ExperimentsOut(Out):
    since: str
    experiments: list[ExperimentOut]


class Health(Out):
    status: Literal["ok", "unavailable"]


class Ready(Health):
    store: Literal["ok", "unavailable"]
    artifact: str | None


REQUESTS: tuple[type[Shape], ...] = (
    ListsRequest,
    AskRequest,
    ClassifyRequest,
    ItemRequest,
    KeyRequest,
    PersonRequest,
    PinRequest,
    EventIn,
)
