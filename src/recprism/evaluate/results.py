"""The records an evaluation hands out; all of them turn into JSON with `to_dict()`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from recprism.evaluate.bootstrap import Interval
from recprism.evaluate.metrics import CalibrationBin


def _number(value: float, digits: int = 6) -> float | None:
    """JSON has no NaN: what does not exist is null."""
    return None if math.isnan(value) else round(value, digits)


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How far the probabilities of the shown items can be trusted.

    `bins` are of equal mass, `error` is the expected calibration error, `population` says in words
    who was asked.
    """

    bins: Sequence[CalibrationBin]
    error: float
    brier: float
    n: int
    population: str

    def to_dict(self) -> dict[str, Any]:
        bins = [
            {"predicted": _number(b.predicted), "observed": _number(b.observed), "n": b.n}
            for b in self.bins
        ]
        return {
            "error": _number(self.error),
            "brier": _number(self.brier),
            "n": self.n,
            "population": self.population,
            "bins": bins,
        }


@dataclass(frozen=True, kw_only=True)
class BeyondAccuracy:
    """What the lists are like as a whole.

    `coverage` is the share of the kind's items shown at all, `novelty_bits` the mean
    self-information, `diversity` the share of pairs in a list with different labels,
    `popular_share` the share of places that the most popular percent takes, `gini` the
    concentration of places over the items of the kind; `empty` and `short` count lists.
    """

    coverage: float
    novelty_bits: float
    diversity: float
    popular_share: float
    gini: float
    empty: int
    short: int

    def to_dict(self) -> dict[str, Any]:
        return {
            name: _number(value, 4) if isinstance(value, float) else value
            for name, value in vars(self).items()
        }


@dataclass(frozen=True, kw_only=True)
class Composition:
    """What a language model's order of lists is worth beside the ranker's own, on the same lists.

    `own`, `composed` and the paired `difference` (composed minus own) are of the task's metric,
    `ordered` counts the lists that came in the model's order (the others count as they were
    served, in the ranker's), `states` how asking ended, `ms` is the mean time of a request.
    """

    own: Interval
    composed: Interval
    difference: Interval
    ordered: int
    states: Mapping[str, int]
    ms: float

    @property
    def verdict(self) -> str:
        """Whether composing helps; a difference counts only when its interval leaves out zero."""
        return say_sharing(self.difference) if self.ordered else "cannot be judged"

    def to_dict(self) -> dict[str, Any]:
        return {
            "own": self.own.to_dict(),
            "composed": self.composed.to_dict(),
            "composed_minus_own": self.difference.to_dict(),
            "ordered": self.ordered,
            "states": dict(self.states),
            "ms_per_list": _number(self.ms, 3),
            "composing": self.verdict,
        }


@dataclass(frozen=True, kw_only=True)
class TaskEvaluation:
    """Everything measured about one task.

    `rules` holds the metric with its interval for `model`, `single`, `random`, `popular`,
    `personal` and `signal:NAME`; `against` the paired differences model minus rule. `by_history`
    maps a group of users by number of earlier events to its rows of the same table, `by_until` each
    time that was held out. `composition` compares a language model's order, where one composes.
    """

    task: str
    kind: str
    k: int
    until: Sequence[datetime]
    by_event: bool
    rules: Mapping[str, Interval]
    against: Mapping[str, Interval]
    also: Mapping[str, Interval]
    by_until: Mapping[datetime, Mapping[str, Interval]]
    by_history: Mapping[str, Mapping[str, Interval]]
    calibration: Calibration
    beyond: BeyondAccuracy
    ms: Mapping[str, float]
    asked: int
    verdict: str = ""
    composition: Composition | None = None

    @property
    def metric(self) -> str:
        return f"ndcg@{self.k}"

    @property
    def signals(self) -> dict[str, Interval]:
        """The metric of each signal alone."""
        return {
            name.removeprefix("signal:"): interval
            for name, interval in self.rules.items()
            if name.startswith("signal:")
        }

    @property
    def best_signal(self) -> str | None:
        """Name of the signal that alone ranks best, None when none was measured."""
        found = self.signals
        return max(sorted(found), key=lambda name: found[name].value) if found else None

    @property
    def sharing(self) -> Interval | None:
        """Full model minus `single` on the same lists, None when that was not trained."""
        return self.against.get("single")

    @property
    def baselines(self) -> dict[str, Interval]:
        return {name: self.rules[name] for name in ("random", "popular", "personal")}

    def to_dict(self) -> dict[str, Any]:
        single = self.rules.get("single")
        return {
            "kind": self.kind,
            "metric": self.metric,
            "until": [time.isoformat() for time in self.until],
            "at": "events" if self.by_event else "until",
            "asked": self.asked,
            "model": self.rules["model"].to_dict(),
            "single": None if single is None else single.to_dict(),
            "baselines": _dicts(self.baselines),
            "signals": _dicts(self.signals),
            "best_signal": self.best_signal,
            "model_minus": _dicts(self.against),
            "also": _dicts(self.also),
            "by_until": {time.isoformat(): _dicts(rows) for time, rows in self.by_until.items()},
            "by_history": {group: _dicts(rows) for group, rows in self.by_history.items()},
            "calibration": self.calibration.to_dict(),
            "beyond_accuracy": self.beyond.to_dict(),
            "ms_per_list": {name: _number(value, 3) for name, value in self.ms.items()},
            "sharing": None if self.sharing is None else say_sharing(self.sharing),
            "composition": None if self.composition is None else self.composition.to_dict(),
            "verdict": self.verdict,
        }


def say_sharing(gap: Interval) -> str:
    """Whether something helps a task, such as learning the tasks together, from with minus without.

    A difference counts only when its 95 % interval leaves out zero.
    """
    if gap.n == 0:
        return "cannot be judged"
    if gap.low > 0:
        return "helps"
    return "hurts" if gap.high < 0 else "makes no difference beyond noise"


def _dicts(intervals: Mapping[str, Interval]) -> dict[str, Any]:
    return {name: interval.to_dict() for name, interval in intervals.items()}


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The lists of one user with reasons, and which of their items came true."""

    user: str
    answer: Mapping[str, Any]
    came_true: Mapping[str, Sequence[str]]

    def to_dict(self) -> dict[str, Any]:
        true = {task: list(items) for task, items in self.came_true.items()}
        return {"user": self.user, "answer": dict(self.answer), "came_true": true}


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One run of `evaluate`: tasks by name, sample lists, and what it was measured on.

    `skipped` maps tasks that could not be measured to the reason, `note` is the comment that opens
    the project file. `architecture` says how the tasks shared a network, `gates` the mean weight of
    each expert for each task on its validation lists, by level of gates (empty without experts),
    both of the last training. `sizes` counts users, items and events; `seconds` is wall time by
    stage, `peak_mb` the largest resident size of the process.
    """

    project: str
    tasks: Mapping[str, TaskEvaluation]
    skipped: Mapping[str, str] = field(default_factory=dict)
    samples: Sequence[Sample] = ()
    machine: Mapping[str, str | int | None] = field(default_factory=dict)
    seeds: Mapping[str, int] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    peak_mb: float = float("nan")
    note: str = ""
    architecture: str = ""
    gates: Mapping[str, Sequence[Mapping[str, float]]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {
            "project": self.project,
            "note": self.note,
            "tasks": {name: task.to_dict() for name, task in self.tasks.items()},
            "skipped": dict(self.skipped),
            "architecture": self.architecture,
            "gates": {
                task: [
                    {name: _number(weight) for name, weight in level.items()} for level in levels
                ]
                for task, levels in self.gates.items()
            },
            "samples": [sample.to_dict() for sample in self.samples],
            "machine": dict(self.machine),
            "seeds": dict(self.seeds),
            "sizes": dict(self.sizes),
            "seconds": {name: _number(value, 2) for name, value in self.seconds.items()},
            "peak_mb": _number(self.peak_mb, 1),
        }
