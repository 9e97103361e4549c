"""The lists to recommend: a task with its caps, slots and rules."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, StrictFloat, StrictInt

from recprism.project.fields import Action, Duration, Name, Score, Section, Value, Values


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


class Explore(Section):
    share: StrictFloat = Field(ge=0.0, le=0.5)
    """The share of a list's places that go to new or uncertain items; 0 is none."""
    prior: StrictFloat = Field(default=2.0, ge=0.5)
    """How many outcomes the ranker's probability is worth: what was shown and what came of it
    weighs against it."""
    candidates: StrictInt = Field(default=50, ge=1, le=500)
    """How many items are drawn from, the most uncertain ones."""


Exploring = Annotated[StrictFloat, Field(ge=0.0, le=0.5)] | Explore
"""A share, or a share with how it is explored."""


def exploration_of(setting: float | Explore | None) -> Explore | None:
    """The setting in full; None where nothing is explored."""
    if setting is None:
        return None
    full = setting if isinstance(setting, Explore) else Explore(share=setting)
    return full if full.share > 0 else None


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
    score: Score | None = None
    """What orders the list, such as `purchase * margin`: numbers, probabilities of the goal and of
    the actions of the funnel, and `numbers` of the kind (or of what `via` leads to), with `+`, `-`,
    `*`, `/`, `**`, parentheses, `min`, `max` and `log`. Names with other signs than letters, digits
    and `_` stand in quotes. Items without a finite result come last. The probability of the goal
    when absent."""
    size: StrictInt = Field(default=10, ge=1, le=1000)
    """How many items a list has."""
    repeat: Literal["allow", "never"] | RepeatAfter = "allow"
    """Whether an item may be recommended again after its goal was reached."""
    dismissed: Literal["allow", "never"] | RepeatAfter = RepeatAfter(after=timedelta(days=30))
    """Whether an item, and what stands for it, may be recommended again to a user who sent a live
    event with the action `dismiss` about it."""
    diversity: StrictFloat = Field(default=0.0, ge=0.0, le=1.0)
    """Strength of maximal marginal relevance by label: 0 is by score alone."""
    diversity_by: Name | None = None
    """The label that items should differ in; the first label of the kind when absent."""
    explore: Exploring | None = None
    """The share of places that go to new or uncertain items in lists that are recorded, such as
    `0.1`; none when absent. Needs a `goal`."""
    exclude: dict[Name, Values] = {}
    """Never show items whose label has one of these values."""
    cap: Cap | None = None
    """Frequency cap per item and user."""
    slots: dict[Name, Slot] = {}
    """Named places, filled from the list by expected response."""
    ask: Literal["weekly", "events"] = "weekly"
    """When the ranker is asked in training: once a week per active user, or on each day on which
    the user reached the goal (for rare goals)."""
