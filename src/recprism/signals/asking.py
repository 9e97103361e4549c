"""Whom and what the language model is asked about in training, and what it said.

Half of the people are cold (a few events), half are those with the most events. Of each, half of
the items are near in content to the last ones, half are drawn as often as they are taken. Questions
are drawn at a moment of a coarse grid, so that the snapshots of neighboring weeks ask the same, and
all but the first are answered from the cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recprism.data.dataset import DAY_US, UNKNOWN, EventLog, FloatArray, IntArray, LongArray
from recprism.signals.interface import Progress, Setting
from recprism.signals.teacher import Teacher

GRID_US = 56 * DAY_US
"""Questions are those of the last eight weeks' end, if half of the events came before it."""
NEAR = 4
"""The near items are drawn from so many times as many that are nearest."""


@dataclass(frozen=True)
class Question:
    """A person, their last items, oldest first, and the items to be judged."""

    user_idx: int
    past: IntArray
    items: IntArray


@dataclass(frozen=True)
class Asked:
    """What the model said. `user` [u] ascending; `past` [u, history] are the last items, filled
    with -1 in front; person `i` has `item` and `told` [offsets[i]:offsets[i + 1]]."""

    user: IntArray
    past: IntArray
    offsets: LongArray
    item: IntArray
    told: FloatArray

    def __len__(self) -> int:
        return len(self.user)

    @classmethod
    def nobody(cls, history: int) -> Self:
        none = np.zeros(0, np.int32)
        past = np.zeros((0, history), np.int32)
        return cls(none, past, np.zeros(1, np.int64), none, np.zeros(0, np.float32))

    @classmethod
    def build(cls, history: int, questions: Sequence[Question], told: Sequence[FloatArray]) -> Self:
        """From questions and their answers, in the order of the people."""
        if not questions:
            return cls.nobody(history)
        return cls(
            np.array([question.user_idx for question in questions], np.int32),
            np.stack([_filled(question.past, history) for question in questions]),
            np.cumsum([0, *(len(values) for values in told)]).astype(np.int64),
            np.concatenate([question.items for question in questions]),
            np.concatenate(list(told)).astype(np.float32),
        )

    def people(self) -> Iterator[tuple[int, IntArray, IntArray, FloatArray]]:
        """(user_idx, past, items, told) of each person."""
        for row, user_idx in enumerate(self.user.tolist()):
            span = slice(self.offsets[row], self.offsets[row + 1])
            yield user_idx, self.past[row], self.item[span], self.told[span]

    def of(self, user_idx: int, past: IntArray) -> tuple[IntArray, FloatArray]:
        """Items and what was said of them, if this person was asked about with this `past`."""
        row = int(np.searchsorted(self.user, user_idx))
        is_same = row < len(self.user) and self.user[row] == user_idx
        if not is_same or not np.array_equal(self.past[row], _filled(past, self.past.shape[1])):
            return self.item[:0], self.told[:0]
        span = slice(self.offsets[row], self.offsets[row + 1])
        return self.item[span], self.told[span]

    def with_told(self, told: FloatArray) -> Asked:
        return replace(self, told=np.asarray(told, np.float32))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        return {f"asked_{name}": getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        return cls(**{name: arrays[f"asked_{name}"] for name in cls.__dataclass_fields__})


def _filled(past: IntArray, history: int) -> IntArray:
    out = np.full(history, UNKNOWN, np.int32)
    if len(past):
        out[-len(past) :] = past[-history:]
    return out


def draw_questions(log: EventLog, setting: Setting, texts: Sequence[str]) -> list[Question]:
    """People and items to ask about, by user; the same for the same seed and past.

    `log` is what is known at `setting.at`. Only items with `texts` are asked about, and only people
    whose last items have one.
    """
    config, rng = setting.config.llm, np.random.default_rng(setting.seed)
    known = log.until(asked_at(log, setting.at))
    told = np.array([bool(text) for text in texts], bool) & setting.content.item.any(axis=1)
    people = np.sort(_draw_people(known, config.users, config.few, rng))
    questions = []
    for user_idx in people.tolist():
        past = known.item[known.span(user_idx)][-config.history :]
        if told[past].any():
            items = _draw_items(known, setting, told, past, rng)
            if len(items) > 1:
                questions.append(Question(user_idx, past, items))
    return questions


def asked_at(log: EventLog, at: int) -> int:
    """The moment as of which questions are drawn: the grid's last before `at`, or `at` itself
    where more than half of the events are younger."""
    moment = at // GRID_US * GRID_US
    return moment if int((log.time < moment).sum()) * 2 >= max(1, len(log)) else at


def _draw_people(
    log: EventLog, users: int, few: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Half of them cold, half those with the most events; more of one where the other lacks."""
    events = np.diff(log.offsets)
    cold = rng.permutation(np.flatnonzero((events > 0) & (events <= few)))
    order = np.argsort(-events, kind="stable")
    busy = order[events[order] > few]
    n_cold = min(len(cold), max(users // 2, users - len(busy)))
    return np.concatenate([cold[:n_cold], busy[: users - n_cold]])


def _draw_items(
    log: EventLog,
    setting: Setting,
    told: NDArray[np.bool_],
    past: IntArray,
    rng: np.random.Generator,
) -> IntArray:
    """Items of the kind of the last one, none of the past: some near to it, some as often taken."""
    kind, n = setting.catalog.kind_of(int(past[-1])), setting.config.llm.items
    span = np.arange(kind.start, kind.stop, dtype=np.int32)
    open_ = span[told[span] & ~np.isin(span, past)]
    vectors = setting.content.item
    likeness = vectors[open_] @ vectors[past].mean(axis=0)
    nearest = open_[np.argsort(-likeness, kind="stable")[: NEAR * (n // 2)]]
    near = rng.choice(nearest, min(n // 2, len(nearest)), replace=False)
    taken = log.item[rng.integers(0, len(log), 4 * n)] if len(log) else open_[:0]
    taken = taken[np.isin(taken, open_) & ~np.isin(taken, near)]
    often = taken[np.sort(np.unique(taken, return_index=True)[1])]
    return np.concatenate([near, often[: n - len(near)]]).astype(np.int32)


def ask(teacher: Teacher, questions: Sequence[Question], progress: Progress | None) -> Asked:
    """What the model says, person by person, as far as it answers."""
    answered: list[Question] = []
    told: list[FloatArray] = []
    for number, question in enumerate(questions, start=1):
        if teacher.has_given_up:
            break
        values = teacher.relevance(question.past.tolist(), question.items.tolist())
        if values is not None:
            answered.append(question)
            told.append(values)
        if progress is not None:
            progress("ask the language model", number / len(questions))
    history = max((len(question.past) for question in questions), default=0)
    return Asked.build(history, answered, told)
