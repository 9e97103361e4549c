"""The section `experiments` of a project file: which users get lists in which way."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictFloat

from recprism.project.fields import Name, Section
from recprism.project.task_sections import Exploring

ArtifactId = Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z:._-]{0,99}$")]


class Arm(Section):
    """One way to make lists; without settings it is the usual one."""

    artifact: ArtifactId | None = None
    """Lists by this artifact (see `recprism artifacts list`), in place of the serving one."""
    signal: (
        Literal[
            "repeat",
            "follow",
            "taste",
            "content",
            "trend",
            "sequence",
            "text",
            "funnel",
            "llm",
        ]
        | None
    ) = None
    """Lists in the order of this signal alone, in place of the ranker's."""
    explore: Exploring | None = None
    """Lists with this exploration, in place of the task's."""
    weight: StrictFloat = Field(default=1.0, gt=0)
    """How many users the arm gets, against the weights of the others."""


class Experiment(Section):
    """Users are split over arms by a hash; the first arm is what the others are compared with."""

    tasks: list[Name] = []
    """The lists that take part; all when absent. A list takes part in one experiment."""
    share: StrictFloat = Field(default=1.0, gt=0, le=1)
    """The share of users that take part."""
    arms: dict[Name, Arm] = Field(min_length=2)
    """The arms by name."""
