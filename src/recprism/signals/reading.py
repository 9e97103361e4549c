"""What signals have in common that read a user's events with a trained transformer.

They differ in what an item is made of (`item_parts`); the score is the cosine of user and item over
the temperature. Its evidence is what was read: a past item matters as much as the score falls when
the item is left out of the past, which, unlike attention weights, says what the model made of it.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from recprism.data.dataset import EventLog, FloatArray, IntArray
from recprism.profiles.state import UserState
from recprism.project.schema import Transformer
from recprism.signals.events import Histories
from recprism.signals.interface import Arrays, Clue, Goal, Progress, Setting, among
from recprism.signals.item_parts import ItemParts
from recprism.signals.newcomers import Newcomers
from recprism.signals.reader import Past, Reader, event_codes
from recprism.signals.shelves import Shelves
from recprism.signals.taste import top


class ReadingSignal(ABC):
    """A trained transformer; see `Trained.arrays` for what it keeps, beside its `account`."""

    name: ClassVar[str]
    columns: ClassVar[tuple[str, ...]] = ("score",)
    with_goal: ClassVar[bool] = False
    sparse: ClassVar[bool] = False

    def __init__(self, arrays: Mapping[str, NDArray[Any]], setting: Setting) -> None:
        self.reader, self.catalog = Reader(arrays), setting.catalog
        self.content, self._taste = setting.content, setting.taste

    @classmethod
    @abstractmethod
    def item_parts(cls, setting: Setting) -> ItemParts:
        """Of what an item is made."""

    @classmethod
    def fit(cls, setting: Setting, log: EventLog, segment: IntArray) -> Self:  # noqa: ARG003
        from recprism.signals.transformer import train_transformer

        config: Transformer = getattr(setting.config, cls.name)
        trained = train_transformer(
            histories_of(log, setting),
            cls.item_parts(setting),
            config,
            setting.seed,
            _named(setting.progress, f"train {cls.name}"),
        )
        account = json.dumps(dict(trained.account)).encode()
        return cls({**trained.arrays, "account": np.frombuffer(account, np.uint8)}, setting)

    @property
    def account(self) -> Mapping[str, Any]:
        """How the training went, see `Trained.account`."""
        return dict(json.loads(self.reader.arrays["account"].tobytes()))

    def bind(
        self,
        user: UserState,
        goal: Goal,  # noqa: ARG002
        taste: FloatArray,  # noqa: ARG002
        segment: int,  # noqa: ARG002
    ) -> BoundReading:
        return BoundReading(self, user)

    def alike(self) -> IntArray | None:
        return None

    def vectors_of(self, content: FloatArray) -> FloatArray:
        """Vectors of items with `content` [n, d], known to training or not, [n, size]; zeros for a
        transformer that knows items by what was done with them."""
        return np.zeros((len(content), self.reader.size), np.float32)

    @cached_property
    def shelves(self) -> Shelves | None:
        """The items that are known, grouped by those alike; None where any two may differ."""
        alike = self.alike()
        if alike is None:
            return None
        return Shelves(np.where(self.reader.is_known, alike, np.int32(-1)), self._taste)

    def to_arrays(self) -> Arrays:
        return dict(self.reader.arrays)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], setting: Setting) -> Self:
        return cls(arrays, setting)


class BoundReading:
    """One reading of the past, made when first asked; then a product with all item vectors."""

    common = None

    def __init__(self, signal: ReadingSignal, user: UserState) -> None:
        self._signal, self._user = signal, user

    def score(self, items: IntArray) -> FloatArray:
        return self._scores[items, None]

    def main(self, items: IntArray) -> FloatArray:
        return self._scores[items]

    def retrieve(self, start: int, stop: int, n: int) -> IntArray:
        if not self._vector.any():
            return np.zeros(0, np.int32)
        if (shelves := self._signal.shelves) is not None:
            shelf = shelves.of(start, stop)
            return shelf.best(self._scores[shelf.sample], n)
        known = np.flatnonzero(self._signal.reader.is_known[start:stop])
        best = top(self._scores[start:stop][known], n)
        return (start + known[best]).astype(np.int32)

    def clue(self, items: IntArray) -> Clue | None:
        """The past items without which the score of `items` would fall most, at most three."""
        distinct, without = self._without
        other = ~among(distinct, items)
        distinct, without = distinct[other], without[other]
        if not len(distinct) or self._scores[items].mean() <= 0:
            return None
        score = self._signal.reader.scores(without, items).mean(axis=1)
        drop = self._scores[items].mean() - score
        best = top(drop, 3)
        chosen = distinct[best[drop[best] > 0]]
        if not len(chosen):
            return None
        return Clue(self._signal.name, self._user.n_events_on(chosen), tuple(chosen.tolist()), {})

    def score_new(self, newcomers: Newcomers) -> FloatArray:
        vectors = self._signal.vectors_of(newcomers.content)
        return self._signal.reader.scores_of(self._vector, vectors)[:, None]

    def main_new(self, newcomers: Newcomers) -> FloatArray:
        return np.asarray(self.score_new(newcomers)[:, 0])

    def clue_new(self, newcomers: Newcomers, row: int) -> Clue | None:
        """The past items that come nearest in the transformer's eyes are those of its content,
        which the signal `content` names."""
        del newcomers, row
        return None

    @cached_property
    def _past(self) -> Past:
        return Past.of(self._user, self._signal.catalog, self._signal.reader.max_length)

    @cached_property
    def _without(self) -> tuple[IntArray, FloatArray]:
        """The distinct past items, and what the user's vector would be without each of them."""
        past, distinct = self._past, np.unique(self._past.item)
        left = [past.take(past.item != item) for item in distinct]
        return distinct, self._signal.reader.users(left)

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


def _named(progress: Progress | None, stage: str) -> Progress | None:
    """The same, told which of the signals is trained."""
    return None if progress is None else lambda _, share: progress(stage, share)
