"""Content: likeness of texts and labels to the user's recent items, wish, or the item looked at.

Scores are computed once per distinct text and then looked up, since many items share their words
(4,794 texts for 92,000 products). Labels count too: how much of the user's decayed past carries the
item's label, for the finest and the coarsest label.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from recprism.content.label_codes import LabelCodes
from recprism.data.dataset import DAY_US, EventLog, FloatArray, IntArray
from recprism.profiles.state import UserState
from recprism.signals.interface import Arrays, Clue, Goal, Setting
from recprism.signals.nearest import PastVectors
from recprism.signals.newcomers import Newcomers
from recprism.signals.shelves import Shelves, group_by_content

COLUMNS = ("similarity", "wish", "same", "fine", "coarse")


class Content:
    """Vectors and labels of the setting, put in the form that binding needs."""

    name: ClassVar[str] = "content"
    columns: ClassVar[tuple[str, ...]] = COLUMNS
    with_goal: ClassVar[bool] = False
    sparse: ClassVar[bool] = False

    def __init__(self, setting: Setting) -> None:
        self.vectors, self.labels = setting.content, setting.labels
        self.config, self.catalog = setting.config.content, setting.catalog
        sizes = {name: len(self.labels.values[name]) for name in self.labels.codes}
        self.fine = max(sizes, key=sizes.__getitem__) if sizes else None
        self.coarse = min(sizes, key=sizes.__getitem__) if sizes else None
        self.group, self.group_vectors = group_by_content(self.vectors)
        self.shelves = Shelves(self.group, setting.taste)
        self._alike = self._same_everything()

    def _same_everything(self) -> IntArray:
        """Items with one content and the same finest and coarsest label share a number."""
        parts = [self.group, *(self.labels.codes[n] for n in (self.fine, self.coarse) if n)]
        number = np.zeros(len(self.group), np.int64)
        for part in parts:
            number = np.unique(
                number * (int(part.max(initial=0)) + 2) + part + 1, return_inverse=True
            )[1]
        return number.astype(np.int32)

    @classmethod
    def fit(cls, setting: Setting, log: EventLog, segment: IntArray) -> Self:  # noqa: ARG003
        return cls(setting)

    def bind(
        self,
        user: UserState,
        goal: Goal,  # noqa: ARG002
        taste: FloatArray,  # noqa: ARG002
        segment: int,  # noqa: ARG002
    ) -> BoundContent:
        return BoundContent(self, user)

    def alike(self) -> IntArray | None:
        return self._alike

    def to_arrays(self) -> Arrays:
        return {}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], setting: Setting) -> Self:  # noqa: ARG003
        return cls(setting)


class BoundContent:
    """The user's past as a content vector and as shares of labels."""

    common = None

    def __init__(self, content: Content, user: UserState) -> None:
        self._content, self._user = content, user
        vectors = content.vectors
        if user.viewing >= 0:
            item, weight = np.array([user.viewing], np.int32), np.ones(1, np.float32)
        else:
            item = user.item
            age = (user.at - user.time) / DAY_US
            weight = np.exp(-age / content.config.decay_days).astype(np.float32)
        self._past = _unit(weight @ vectors.item[item]) if len(item) else None
        self._near = np.zeros(len(content.group_vectors) + 1, np.float32)
        if self._past is not None:
            self._near[1:] = content.group_vectors @ self._past
        self._same = np.bincount(content.group[item] + 1, weight, len(self._near))
        self._same[0] = 0.0
        self._mix = {
            name: _mix(content.labels, name, item, weight)
            for name in (content.fine, content.coarse)
            if name is not None
        }

    def score(self, items: IntArray) -> FloatArray:
        content, vectors = self._content, self._content.vectors
        out = np.zeros((len(items), len(COLUMNS)), np.float32)
        place = content.group[items] + 1
        out[:, 0] = self._near[place]
        out[:, 2] = self._same[place]
        if self._user.wish is not None:
            out[:, 1] = vectors.wish_scores(self._user.wish, items)
        for column, name in ((3, content.fine), (4, content.coarse)):
            if name is not None:
                out[:, column] = self._mix[name][content.labels.codes[name][items]]
        return out

    def main(self, items: IntArray) -> FloatArray:
        if self._user.wish is not None:
            return self._content.vectors.wish_scores(self._user.wish, items)
        return np.asarray(self._near[self._content.group[items] + 1])

    def retrieve(self, start: int, stop: int, n: int) -> IntArray:
        """The items whose content is nearest, only the most popular of one content."""
        shelf = self._content.shelves.of(start, stop)
        if self._user.wish is not None:
            score = self._content.vectors.wish_scores(self._user.wish, shelf.sample)
        elif self._past is not None:
            score = self._near[self._content.group[shelf.sample] + 1]
        else:
            return np.zeros(0, np.int32)
        return shelf.best(score, n)

    def clue(self, items: IntArray) -> Clue | None:
        vectors, user = self._content.vectors, self._user
        if user.wish is not None:
            return Clue(Content.name, 0, (), {"wish": True})
        mean = vectors.item[items].mean(axis=0)
        if not mean.any():
            return None
        kind = self._content.catalog.kind_of(int(items[0]))
        past, events = self._viewed_or_past.nearest(mean, kind.start, kind.stop, items)
        return Clue(Content.name, events, past, {}) if past else None

    def score_new(self, newcomers: Newcomers) -> FloatArray:
        content = self._content
        out = np.zeros((len(newcomers), len(COLUMNS)), np.float32)
        if self._past is not None:
            out[:, 0] = newcomers.short @ self._past
        if self._user.wish is not None:
            out[:, 1] = newcomers.wide @ self._user.wish
        for column, name in ((3, content.fine), (4, content.coarse)):
            if name is not None:
                out[:, column] = self._mix[name][newcomers.codes[name]]
        return out

    def main_new(self, newcomers: Newcomers) -> FloatArray:
        return np.asarray(self.score_new(newcomers)[:, 0 if self._user.wish is None else 1])

    def clue_new(self, newcomers: Newcomers, row: int) -> Clue | None:
        if self._user.wish is not None:
            return Clue(Content.name, 0, (), {"wish": True})
        vector = newcomers.short[row]
        if not vector.any():
            return None
        nobody = np.zeros(0, np.int32)
        past, events = self._viewed_or_past.nearest(vector, 0, newcomers.start, nobody)
        return Clue(Content.name, events, past, {}) if past else None

    @cached_property
    def _viewed_or_past(self) -> PastVectors:
        """The item looked at, or the user's distinct items, with their vectors; no zero vectors."""
        user, vectors = self._user, self._content.vectors.item
        past = np.array([user.viewing], np.int32) if user.viewing >= 0 else user.distinct[0]
        past = past[vectors[past].any(axis=1)]
        return PastVectors(user, past, vectors[past])


def _mix(labels: LabelCodes, name: str, item: IntArray, weight: FloatArray) -> FloatArray:
    """Share of the decayed past per label code; code 0 (no label) gets 0."""
    mix = np.bincount(labels.codes[name][item], weight, len(labels.values[name]) + 1)
    mix[0] = 0.0
    return np.asarray(mix / max(1e-9, mix.sum()), np.float32)


def _unit(vector: FloatArray) -> FloatArray | None:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 0 else None
