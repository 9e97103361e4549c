"""Sequence: what a transformer that read the user's events expects next.

The transformer sees the last events with their kind, action and times, and an item as its learned
vector, content and labels (`transformer.py`); the score is the cosine of user and item over the
temperature. Its evidence is what was read: a past item matters as much as the score falls when the
item is left out of the past, which, unlike attention weights, says what the model made of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from recprism.content.vectors import Content
from recprism.data.dataset import EventLog, FloatArray, IntArray
from recprism.profiles.state import UserState
from recprism.signals.events import Histories
from recprism.signals.interface import Arrays, Clue, Goal, Setting, among
from recprism.signals.reader import Past, Reader, event_codes, kind_codes
from recprism.signals.taste import top


class Sequence:
    """A trained transformer; see `Trained.arrays` for what it keeps."""

    name: ClassVar[str] = "sequence"
    columns: ClassVar[tuple[str, ...]] = ("score",)
    with_goal: ClassVar[bool] = False
    sparse: ClassVar[bool] = False

    def __init__(self, arrays: Mapping[str, NDArray[Any]], setting: Setting) -> None:
        self.reader, self.catalog = Reader(arrays), setting.catalog

    @classmethod
    def fit(cls, setting: Setting, log: EventLog, segment: IntArray) -> Self:  # noqa: ARG003
        from recprism.signals.transformer import train_transformer

        config = getattr(setting.config, cls.name)
        trained = train_transformer(
            histories_of(log, setting),
            wide_content(setting.content),
            label_table(setting),
            setting.catalog.n_items,
            config,
            config.seed,
        )
        return cls(trained.arrays, setting)

    def bind(
        self,
        user: UserState,
        goal: Goal,  # noqa: ARG002
        taste: FloatArray,  # noqa: ARG002
        segment: int,  # noqa: ARG002
    ) -> BoundSequence:
        return BoundSequence(self, user)

    def to_arrays(self) -> Arrays:
        return dict(self.reader.arrays)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], setting: Setting) -> Self:
        return cls(arrays, setting)


class BoundSequence:
    """One reading of the past, made when first asked; then a product with all item vectors."""

    def __init__(self, signal: Sequence, user: UserState) -> None:
        self._signal, self._user = signal, user

    def score(self, items: IntArray) -> FloatArray:
        return self._scores[items, None]

    def main(self, items: IntArray) -> FloatArray:
        return self._scores[items]

    def retrieve(self, start: int, stop: int, n: int) -> IntArray:
        if not self._vector.any():
            return np.zeros(0, np.int32)
        known = np.flatnonzero(self._signal.reader.is_known[start:stop])
        best = top(self._scores[start:stop][known], n)
        return (start + known[best]).astype(np.int32)

    def clue(self, items: IntArray) -> Clue | None:
        """The past items without which the score of `items` would fall most, at most three."""
        past, reader = self._past, self._signal.reader
        distinct = np.unique(past.item)
        distinct = distinct[~among(distinct, items)]
        if not len(distinct) or self._scores[items].mean() <= 0:
            return None
        without = reader.users([past.take(past.item != item) for item in distinct])
        score = reader.scores(without, items).mean(axis=1)
        drop = self._scores[items].mean() - score
        best = top(drop, 3)
        chosen = distinct[best[drop[best] > 0]]
        if not len(chosen):
            return None
        return Clue(self._signal.name, self._user.n_events_on(chosen), tuple(chosen.tolist()), {})

    @cached_property
    def _past(self) -> Past:
        return Past.of(self._user, self._signal.catalog, self._signal.reader.max_length)

    @cached_property
    def _vector(self) -> FloatArray:
        vector: FloatArray = self._signal.reader.users([self._past])[0]
        return vector

    @cached_property
    def _scores(self) -> FloatArray:
        return self._signal.reader.scores(self._vector)


def histories_of(log: EventLog, setting: Setting) -> Histories:
    """The events of a log as the transformer reads them."""
    code = event_codes(log.item, log.action, setting.catalog)
    return Histories(log.offsets, log.item, code, log.time)


def wide_content(content: Content) -> FloatArray:
    """Content of all items in all numbers there are, [n_items, any]; zeros where unknown."""
    text = np.zeros((len(content.row), content.wide.shape[1]), np.float32)
    known = content.row >= 0
    text[known] = content.wide[content.row[known]]
    supplied = ~content.short.basis.any(axis=0)  # numbers of `item` that come from no text
    return np.concatenate([text, content.item[:, supplied]], axis=1)


def label_table(setting: Setting) -> IntArray:
    """Kind and labels of all items as codes, [n_items, 1 + labels]; 0 where there is no label."""
    columns = [kind_codes(setting.catalog), *setting.labels.codes.values()]
    return np.stack(columns, axis=1).astype(np.int32)
