"""Llm: how relevant a language model finds an item after the user's last ones.

The model itself is asked in training only, about a sample of people and items (`teacher.py`); what
it says of all others is what a student has learned from that (`student.py`), so that a list costs
two small products. Of people who were asked about, the model's own numbers stand in for the
student's until their past goes on. The second column repeats the first for people with more than a
few events, so that the ranker learns how far to trust it for cold and for warm users separately.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from time import perf_counter
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from recprism.data.dataset import UNKNOWN, EventLog, FloatArray, IntArray
from recprism.profiles.state import UserState
from recprism.signals.asking import Asked, ask, draw_questions
from recprism.signals.interface import Arrays, Clue, Goal, Setting, among
from recprism.signals.shelves import Shelves, group_by_content
from recprism.signals.student import Lesson, Student
from recprism.signals.taste import top


class Llm:
    """A student of the language model, and what the model said itself."""

    name: ClassVar[str] = "llm"
    columns: ClassVar[tuple[str, ...]] = ("relevance", "warm")
    with_goal: ClassVar[bool] = False
    sparse: ClassVar[bool] = False

    def __init__(
        self, student: Student, asked: Asked, account: Mapping[str, Any], setting: Setting
    ) -> None:
        self.student, self.asked, self.account = student, asked, account
        self.config, self.content, self._taste = setting.config.llm, setting.content, setting.taste

    @classmethod
    def fit(cls, setting: Setting, log: EventLog, segment: IntArray) -> Self:  # noqa: ARG003
        started, config, content = perf_counter(), setting.config.llm, setting.content
        silent = Student.silent(content.size)
        if setting.teacher is None or not content.item.any():
            why = "no model was at hand" if setting.teacher is None else "no item has a vector"
            return cls(silent, Asked.nobody(config.history), {"asked": 0, "why": why}, setting)
        questions = draw_questions(log, setting, setting.teacher.texts)
        asked = ask(setting.teacher, questions, setting.progress)
        lessons = [
            Lesson(content.item[past[past >= 0]], content.item[items], told)
            for _, past, items, told in asked.people()
        ]
        student = Student.fit(lessons, content.size, setting.seed)
        account = {
            "asked": len(asked),
            "wanted": len(questions),
            "pairs": len(asked.item),
            "follows": student.follows,
            "why": setting.teacher.why,
            "train_s": round(perf_counter() - started, 2),
        }
        return cls(student, _in_units_of_the_student(asked, lessons, student), account, setting)

    def bind(
        self,
        user: UserState,
        goal: Goal,  # noqa: ARG002
        taste: FloatArray,  # noqa: ARG002
        segment: int,  # noqa: ARG002
    ) -> BoundLlm:
        return BoundLlm(self, user)

    def alike(self) -> IntArray:
        """Items of the same content, those without any among them."""
        return self.groups[0]

    @cached_property
    def groups(self) -> tuple[IntArray, FloatArray]:
        """The content group of each item, -1 for none, and a vector per group."""
        return group_by_content(self.content)

    @cached_property
    def shelves(self) -> Shelves:
        return Shelves(self.groups[0], self._taste)

    def to_arrays(self) -> Arrays:
        account = np.frombuffer(json.dumps(dict(self.account)).encode(), np.uint8)
        return {**self.student.to_arrays(), **self.asked.to_arrays(), "account": account}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], setting: Setting) -> Self:
        account = json.loads(arrays["account"].tobytes())
        student, asked = Student.from_arrays(arrays), Asked.from_arrays(arrays)
        return cls(student, asked, account, setting)


class BoundLlm:
    """The relevance of every content, computed when first asked; then look-ups."""

    common = None

    def __init__(self, signal: Llm, user: UserState) -> None:
        self._signal, self._user = signal, user

    def score(self, items: IntArray) -> FloatArray:
        main = self.main(items)
        is_warm = len(self._user.item) > self._signal.config.few
        return np.stack([main, main if is_warm else np.zeros_like(main)], axis=1)

    def main(self, items: IntArray) -> FloatArray:
        return self._relevance[self._signal.groups[0][items] + 1]

    def retrieve(self, start: int, stop: int, n: int) -> IntArray:
        if not self._relevance.any():
            return np.zeros(0, np.int32)
        shelf = self._signal.shelves.of(start, stop)
        return shelf.best(self.main(shelf.sample), n)

    def clue(self, items: IntArray) -> Clue | None:
        """The past items that add most to the relevance of `items`, at most three."""
        past = np.unique(self._past)
        past = past[~among(past, items)]
        vectors = self._signal.content.item
        parts = self._signal.student.parts(vectors[past], vectors[items].mean(axis=0))
        best = top(parts, 3)
        chosen = past[best[parts[best] > 0]]
        if not len(chosen):
            return None
        return Clue(Llm.name, self._user.n_events_on(chosen), tuple(chosen.tolist()), {})

    @cached_property
    def _past(self) -> IntArray:
        """The last items, an item that is looked at among them, oldest first."""
        user, n = self._user, self._signal.config.history
        item = np.append(user.item, user.viewing) if user.viewing != UNKNOWN else user.item
        return item[-n:].astype(np.int32)

    @cached_property
    def _relevance(self) -> FloatArray:
        """By content group, [1 + groups]; 0 in front, for items without content."""
        group, vectors = self._signal.groups
        out = np.zeros(len(vectors) + 1, np.float32)
        out[1:] = self._signal.student.relevance(self._signal.content.item[self._past], vectors)
        items, told = self._signal.asked.of(self._user.user_idx, self._past)
        known = group[items] >= 0
        out[group[items[known]] + 1] = told[known]
        return out


def _in_units_of_the_student(asked: Asked, lessons: list[Lesson], student: Student) -> Asked:
    """What the model said, moved to the student's mean for each person and to one spread.

    The two then stand side by side in one list. Where the student is silent, so is the model.
    """
    if student.is_silent or not len(asked):
        return Asked.nobody(asked.past.shape[1])
    centered = [one.told - one.told.mean() for one in lessons]
    spread = max(1e-9, float(np.concatenate(centered).std()))
    means = [float(student.relevance(one.past, one.items).mean()) for one in lessons]
    told = [c / spread + mean for c, mean in zip(centered, means, strict=True)]
    return asked.with_told(np.concatenate(told))
