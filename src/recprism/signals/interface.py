"""The one interface of all signals.

A signal is fitted on the events before a snapshot (`fit`), and then bound to a user's state and a
goal (`bind`), which costs well under a millisecond and needs no retraining for events that came
after the snapshot. The bound signal scores any items, proposes candidates and names its evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from recprism.content.label_codes import LabelCodes
from recprism.content.vectors import Content
from recprism.data.dataset import BoolArray, Catalog, EventLog, FloatArray, IntArray
from recprism.profiles.state import UserState
from recprism.profiles.taste import Taste
from recprism.project.schema import Signals
from recprism.signals.teacher import Teacher

Arrays = dict[str, NDArray[Any]]
Progress = Callable[[str, float], None]
"""Told what is being done and which part of it is done, 0 to 1."""


@dataclass(frozen=True)
class Goal:
    """What counts as success: `action` (a code; -1 for none) on items in [start, stop)."""

    action: int
    start: int
    stop: int


@dataclass(frozen=True)
class Setting:
    """What all signals of one snapshot share: the catalog, its content and the item factors.

    `at` is the moment of the snapshot: nothing later was used. `segments` is how many segments
    there are. `wishes` [n_users, encoder size] are the vectors of the users' own texts, zeros for
    users without; None when no user has a text. `seed` is that of everything random. `progress`
    is told how far a fit that takes long has come; None once all is fitted. `teacher` asks a
    language model; None where there is none, and once all is fitted.
    """

    catalog: Catalog
    content: Content
    labels: LabelCodes
    taste: Taste
    segments: int
    at: int
    config: Signals
    seed: int = 0
    wishes: FloatArray | None = None
    progress: Progress | None = None
    teacher: Teacher | None = None

    def wish_of(self, user_idx: int) -> FloatArray | None:
        """The vector of a known user's own text, None without one."""
        if self.wishes is None or user_idx < 0:
            return None
        wish = self.wishes[user_idx]
        return wish if wish.any() else None


@dataclass(frozen=True)
class Clue:
    """Evidence of one signal for one item, before ids and titles are put in.

    `items` are global item_idx of the past items involved, most telling first; `events` how many
    events they stand for.
    """

    signal: str
    events: int
    items: tuple[int, ...]
    facts: Mapping[str, Any]


def among(values: IntArray, chosen: IntArray) -> BoolArray:
    """Which of `values` [n] are among `chosen`: `np.isin`, quick for a single choice."""
    if len(chosen) == 1:
        return np.asarray(values == chosen[0])
    return np.isin(values, chosen)


class Bound(Protocol):
    """A signal bound to one user and goal."""

    @property
    def common(self) -> Hashable | None:
        """What the numbers depend on beside the items: bound signals that share it score alike.
        None when they are the user's own."""
        ...

    def score(self, items: IntArray) -> FloatArray:
        """Numbers per item, shape [len(items), len(columns)]; finite, 0 where nothing is known."""
        ...

    def main(self, items: IntArray) -> FloatArray:
        """What `retrieve` goes by, shape [len(items)]: the first column of `score`, unless the
        user has a wish in words and the signal knows what to make of it."""
        ...

    def retrieve(self, start: int, stop: int, n: int) -> IntArray:
        """At most `n` distinct items in [start, stop) that score best, best first."""
        ...

    def clue(self, items: IntArray) -> Clue | None:
        """Evidence that speaks for `items` (one item, or all that a linked item links to); None
        when there is nothing to say."""
        ...


class Signal(Protocol):
    """A fitted signal.

    `columns` names the numbers that `score` yields, the main one first. `with_goal` tells whether
    they depend on the goal; if not, all tasks of a request share one bound signal. `sparse` says
    that the numbers are 0 for all but a few hundred items and never negative.
    """

    name: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]
    with_goal: ClassVar[bool]
    sparse: ClassVar[bool]

    @classmethod
    def fit(cls, setting: Setting, log: EventLog, segment: IntArray) -> Self:
        """Fit on `log` (all before `setting.at`); `segment` [n_users] is each user's segment."""
        ...

    def bind(self, user: UserState, goal: Goal, taste: FloatArray, segment: int) -> Bound: ...

    def alike(self) -> IntArray | None:
        """A number per item [n_items]: items that share it get equal scores, whoever asks. None
        when any two items may differ."""
        ...

    def to_arrays(self) -> Arrays: ...

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], setting: Setting) -> Self: ...


@runtime_checkable
class HasAccount(Protocol):
    """A signal that keeps account of its training."""

    @property
    def account(self) -> Mapping[str, Any]:
        """How the training went, as plain JSON; it travels with the signal's arrays."""
        ...
