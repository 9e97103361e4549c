"""Sections that name tables: users, kinds of items and their offers, events, links."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, StrictInt, field_validator, model_validator

from recprism.project.fields import (
    Action,
    Columns,
    Duration,
    MissingRule,
    Moment,
    Name,
    Section,
    Timezone,
)


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
    numbers: dict[Name, str] = {}
    """Numbers that the `score` of a task may use, such as a price: name to column."""
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
