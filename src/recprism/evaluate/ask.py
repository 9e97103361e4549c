"""Ask a recommender the questions of an evaluation, as a user would, and keep what came back.

In come an open engine and `Occasions`, out go `Lists`. The one decision worth knowing: one task per
request, no reasons, nothing recorded, so that no rule across lists and no earlier question changes
an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from recprism.data.dataset import Dataset
from recprism.data.times import from_micros
from recprism.evaluate.protocol import Goal, Occasions
from recprism.project import Project
from recprism.records import Answer

Progress = Callable[[str, float], None]
"""Told what is being done and which part of it is done, 0 to 1."""


class Recommender(Protocol):
    """What is evaluated: an open engine that knows the data set's events from before `at`."""

    def recommend(
        self,
        user: str | None,
        tasks: Sequence[str] | None = None,
        *,
        size: int | None = None,
        at: datetime | str | None = None,
        record: bool = False,
        explain: bool = True,
    ) -> Answer: ...


@runtime_checkable
class HasSignalLists(Protocol):
    """A recommender that can also rank by each of its signals alone."""

    def signal_lists(
        self, user: str, task: str, *, size: int, at: datetime
    ) -> Mapping[str, Sequence[str]]:
        """Item ids, best first, for each signal by name."""
        ...


@runtime_checkable
class HasTraining(Protocol):
    """A recommender that tells how its training went."""

    @property
    def training(self) -> Mapping[str, Any]:
        """The account of the training (see `pipeline.fit`)."""
        ...


class Fit(Protocol):
    """Trains on the events before `until` and opens the result.

    `architecture` replaces that of the project file (`single` for the yardstick). Between `until`
    and the `at` of a request, the asked user's own events of `dataset` count as live events, and
    nothing else does.
    """

    def __call__(
        self, project: Project, dataset: Dataset, *, until: datetime, architecture: str | None
    ) -> Recommender: ...


@dataclass(frozen=True)
class Lists:
    """What one recommender answered to each occasion, in the order of the occasions.

    `items[row]` are outside ids in the order returned, `probability[row]` the calibrated
    probability of the goal (NaN where there is none) and `labels[row]` one label per item; `ms` [n]
    is the time of each request as the caller sees it. `signals` holds the lists by one signal
    alone.
    """

    items: Sequence[Sequence[str]]
    probability: Sequence[Sequence[float]]
    labels: Sequence[Sequence[str | None]]
    ms: NDArray[np.float64]
    signals: Mapping[str, Sequence[Sequence[str]]]


@dataclass(frozen=True)
class Question:
    """A recommender with the occasions that it is asked, and what to call the work."""

    recommender: Recommender
    dataset: Dataset
    goal: Goal
    occasions: Occasions
    label: str | None = None
    what: str = "asking"


def ask(question: Question, *, progress: Progress | None = None) -> Lists:
    """The lists for all occasions of `question`, one request each."""
    occasions, n = question.occasions, len(question.occasions)
    answers, ms = [], np.zeros(n)
    for row in range(n):
        start = perf_counter()
        answers.append(_one(question, row))
        ms[row] = (perf_counter() - start) * 1000.0
        if progress is not None:
            progress(question.what, (row + 1) / n)
    lists = [answer.lists[occasions.task].items for answer in answers]
    action = question.dataset.catalog.actions[question.goal.action]
    return Lists(
        items=[[item.id for item in items] for items in lists],
        probability=[
            [item.probability.get(action, float("nan")) for item in items] for items in lists
        ],
        labels=[[_label(item.labels, question.label) for item in items] for items in lists],
        ms=ms,
        signals={},
    )


def ask_signals(question: Question) -> Mapping[str, Sequence[Sequence[str]]]:
    """The lists by each signal alone; empty when the recommender cannot rank by one signal."""
    recommender, occasions = question.recommender, question.occasions
    if not isinstance(recommender, HasSignalLists):
        return {}
    found: dict[str, list[Sequence[str]]] = {}
    for row in range(len(occasions)):
        ranked = recommender.signal_lists(
            user_id(question, row),
            occasions.task,
            size=occasions.k,
            at=from_micros(int(occasions.at[row])),
        )
        for name, items in ranked.items():
            found.setdefault(name, []).append(items)
    return found


def _one(question: Question, row: int) -> Answer:
    occasions = question.occasions
    return question.recommender.recommend(
        user=user_id(question, row),
        tasks=[occasions.task],
        size=occasions.k,
        at=from_micros(int(occasions.at[row])),
        record=False,
        explain=False,
    )


def user_id(question: Question, row: int) -> str:
    """The outside id of the user of one occasion."""
    return question.dataset.catalog.users.ids[int(question.occasions.user[row])]


def _label(labels: Mapping[str, str], name: str | None) -> str | None:
    """The label `name` of an item, its first one when `name` is None."""
    if name is not None:
        return labels.get(name)
    return next(iter(labels.values()), None)
