"""Follow: what people turn to after an item, across kinds.

A transition i -> j (see `transitions.py`) is divided by popularity(j)^damping, for which about 0.25
does better than the 0.5 of a cosine, and the strongest followers of each item are kept. The user's
last items push their followers, the less the longer ago they were and the more frequent they are;
how much less is chosen on what users of the log did last (see `follow_choice.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recprism.data.dataset import DAY_US, EventLog, FloatArray, IntArray, LongArray
from recprism.profiles.state import UserState
from recprism.project.schema import Follow as Config
from recprism.signals.follow_choice import (
    DEPTH,
    ENOUGH,
    Choice,
    Known,
    ask,
    choose,
    last_visits,
    usual,
)
from recprism.signals.interface import Arrays, Clue, Goal, Setting, among
from recprism.signals.transitions import Visits, first_of_rows, strongest_pairs, weigh_visits


class Follow:
    """Kept followers per item as a sparse matrix in CSR form over all items."""

    name: ClassVar[str] = "follow"
    columns: ClassVar[tuple[str, ...]] = ("score", "best")
    with_goal: ClassVar[bool] = False
    sparse: ClassVar[bool] = True

    def __init__(self, kept: sp.csr_matrix, recency: float, config: Config) -> None:
        self._offsets = kept.indptr.astype(np.int64)
        self._target, self._weight = kept.indices, kept.data
        self._recency, self._config = recency, config

    @classmethod
    def fit(cls, setting: Setting, log: EventLog, segment: IntArray) -> Self:  # noqa: ARG003
        config, n_items = setting.config.follow, setting.catalog.n_items
        kept, choice = transitions(log, n_items, setting.at, config)
        return cls(kept, choice.recency, config)

    def bind(
        self,
        user: UserState,
        goal: Goal,  # noqa: ARG002
        taste: FloatArray,  # noqa: ARG002
        segment: int,  # noqa: ARG002
    ) -> BoundFollow:
        source, weight = recent_items(user, self._config, self._recency)
        return BoundFollow(self, user, source, weight)

    def followers(self, item: int) -> tuple[IntArray, FloatArray]:
        """Followers of one item and their weights."""
        span = slice(self._offsets[item], self._offsets[item + 1])
        return self._target[span], self._weight[span]

    def gather(self, source: IntArray) -> tuple[IntArray, FloatArray, IntArray]:
        """Followers of all of `source`: (target, weight, position in `source`), each [total]."""
        counts = self._offsets[source + 1] - self._offsets[source]
        starts = np.cumsum(counts) - counts
        at = np.arange(int(counts.sum())) + np.repeat(self._offsets[source] - starts, counts)
        position = np.repeat(np.arange(len(source), dtype=np.int32), counts)
        return self._target[at], self._weight[at], position

    @property
    def n_items(self) -> int:
        return len(self._offsets) - 1

    def alike(self) -> IntArray | None:
        return None

    def to_arrays(self) -> Arrays:
        return {
            "offsets": self._offsets,
            "target": self._target,
            "weight": self._weight,
            "recency": np.array([self._recency]),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], setting: Setting) -> Self:
        n = len(arrays["offsets"]) - 1
        parts = (arrays["weight"], arrays["target"], arrays["offsets"])
        kept = sp.csr_matrix(parts, shape=(n, n), copy=False)
        return cls(kept, float(arrays["recency"][0]), setting.config.follow)


class BoundFollow:
    """The followers of a user's recent items, weighted by how recent those are."""

    common = None

    def __init__(
        self, follow: Follow, user: UserState, source: IntArray, weight: FloatArray
    ) -> None:
        self._user, self._source = user, source
        target, strength, position = follow.gather(source)
        strength = strength * weight[position]
        self._target, self._strength, self._position = target, strength, position
        followed = np.zeros(follow.n_items, bool)  # marking is quicker than sorting
        followed[target] = True
        self._distinct = np.flatnonzero(followed).astype(np.int32)
        n = len(self._distinct)
        self._place = np.zeros(follow.n_items, np.int32)
        self._place[self._distinct] = np.arange(1, n + 1, dtype=np.int32)
        place = self._place[target]
        self._numbers = np.zeros((n + 1, 2), np.float32)
        self._numbers[:, 0] = np.bincount(place, strength, n + 1)
        np.maximum.at(self._numbers[:, 1], place, strength.astype(np.float32))

    def score(self, items: IntArray) -> FloatArray:
        return self._numbers[self._place[items]]

    def main(self, items: IntArray) -> FloatArray:
        return np.asarray(self._numbers[self._place[items], 0])

    def retrieve(self, start: int, stop: int, n: int) -> IntArray:
        lo, hi = np.searchsorted(self._distinct, (start, stop))
        best = np.argsort(-self._numbers[1 + lo : 1 + hi, 0], kind="stable")[:n]
        return self._distinct[lo:hi][best].astype(np.int32)

    def clue(self, items: IntArray) -> Clue | None:
        followed = items[self._numbers[self._place[items], 0] > 0]
        if len(followed) == 0:
            return None
        hit = among(self._target, followed)
        push = np.bincount(self._position[hit], self._strength[hit])
        order = np.argsort(-push, kind="stable")
        source = self._source[order[push[order] > 0]][:3]
        return Clue(Follow.name, self._user.n_events_on(source), tuple(source.tolist()), {})


def recent_items(user: UserState, config: Config, recency: float) -> tuple[IntArray, FloatArray]:
    """The user's last distinct items, newest first, and weights recency^visits exp(-age / decay).

    While the user looks at an item, it alone is followed.
    """
    if user.viewing >= 0:
        return np.array([user.viewing], np.int32), np.ones(1, np.float32)
    item, place = np.unique(user.item[::-1], return_index=True)
    newest = np.argsort(place, kind="stable")[: config.history]
    last = place[newest]
    weight = _decay(user.at - user.time[::-1][last], config) * recency ** _visits_ago(user)[last]
    return item[newest].astype(np.int32), weight.astype(np.float32)


def _decay(gap_us: LongArray, config: Config) -> FloatArray:
    """exp(-gap / decay)."""
    return np.asarray(np.exp(-gap_us / DAY_US / config.decay_days), np.float32)


def _visits_ago(user: UserState) -> LongArray:
    """How many visits came after that of each event [m], events from the newest on."""
    day, session = user.time[::-1] // DAY_US, user.session[::-1]
    other = (day[1:] != day[:-1]) | (session[1:] != session[:-1])
    return np.concatenate([np.zeros(min(1, len(day)), np.int64), np.cumsum(other)])


def transitions(
    log: EventLog, n_items: int, at: int, config: Config
) -> tuple[sp.csr_matrix, Choice]:
    """Kept followers, CSR [n_items, n_items], at most `config.neighbors` per row, and how strongly
    frequent items are damped and old ones forgotten."""
    visits = Visits.read(log, n_items, config.min_users)
    popularity, between = visits.popularity, weigh_visits(visits, at, config)
    weight = popularity**-config.damping
    found = strongest_pairs(visits, between, weight, DEPTH * config.neighbors)
    choice = _settings(visits, between, found, config)
    kept = first_of_rows(found, config.neighbors)
    source = np.repeat(np.arange(len(visits.item)), np.diff(kept.indptr))
    damped = kept.data * choice.damp(popularity)[source]
    place = (visits.item[source], visits.item[kept.indices])
    return sp.csr_matrix((damped, place), shape=(n_items, n_items)), choice


def _settings(
    visits: Visits, between: sp.csr_matrix, found: sp.csr_matrix, config: Config
) -> Choice:
    """What the project file says, else what tells the last visits best from those before."""
    held_out = last_visits(visits)
    is_open = config.source_damping is None or config.recency is None
    if not is_open or len(held_out) < ENOUGH:
        return usual(config)
    questions = ask(visits, held_out, config.history, lambda gap: _decay(gap, config))
    source = np.unique(questions.row)
    known = Known.without(held_out, found, visits, between, source, config)
    return choose(questions, known, config)
