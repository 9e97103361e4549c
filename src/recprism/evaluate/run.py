"""Evaluate a project: train on the past, ask about the rest, put the numbers beside simple rules.

In come a project and a way to train it up to a moment (`Fit`); out goes an `Evaluation`. The one
decision worth knowing: an artifact is trained for each distinct `until` and serves every task that
is held out there, and the `single` yardstick is trained and asked in exactly the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from recprism.data.dataset import Dataset
from recprism.data.times import from_micros
from recprism.errors import DataError
from recprism.evaluate.ask import (
    Fit,
    HasTraining,
    Progress,
    Question,
    Recommender,
    ask,
    ask_signals,
)
from recprism.evaluate.baselines import baseline_standings
from recprism.evaluate.bootstrap import DRAWS
from recprism.evaluate.machine import describe_machine, peak_memory_mb
from recprism.evaluate.protocol import (
    Goal,
    HoldOut,
    Occasions,
    build_askings,
    build_occasions,
    find_goal,
    find_hold_out,
    find_truth,
)
from recprism.evaluate.results import Evaluation, Sample
from recprism.evaluate.summary import Round, summarize
from recprism.evaluate.wiring import FitWorkspace, dataset_of
from recprism.pipeline import prepare, training_lock
from recprism.project import Project

MOST_USERS = 20_000
"""Of more users than this, as many drawn at random are asked."""
CALIBRATION_USERS = 500
"""So many users, drawn at random, are asked where only calibration looks at the answers."""
_SAMPLES = 3


@dataclass(frozen=True)
class Settings:
    """What to evaluate: task names (all with a goal when None), hold-outs that replace those of
    the project file, whether to train the `single` yardstick too, and the seed of everything
    random."""

    tasks: Sequence[str] | None = None
    hold_outs: Mapping[str, HoldOut] = field(default_factory=dict)
    single: bool = True
    seed: int = 0


def evaluate(
    project: Project,
    dataset: Dataset,
    fit: Fit,
    settings: Settings | None = None,
    *,
    progress: Progress | None = None,
) -> Evaluation:
    """Hold out, train, ask, and measure every task of `project` that has a goal.

    `dataset` holds all events; `fit` sees to it that nothing after `until` is learned from. Raises
    `UnknownName` for a task that does not exist. A task without a goal, or whose goal nobody
    reached, is skipped with the reason.
    """
    chosen = settings if settings is not None else Settings()
    run = _Run(project, dataset, fit, chosen, progress)
    with run.timed("total"):
        plans, skipped = run.plan()
        rounds: dict[str, list[Round]] = {task: [] for task in plans}
        samples: list[Sample] = []
        training: Mapping[str, Any] = {}
        moments = sorted({part.until for plan in plans.values() for part in plan.occasions})
        for until in moments:
            with run.timed("train"):
                recommender = run.train(until, None)
            for task, part in run.round_at(until, plans, recommender):
                rounds[task].append(part)
            if until == moments[-1]:
                samples = run.samples(recommender, plans, until)
                training = recommender.training if isinstance(recommender, HasTraining) else {}
        tasks = {
            task: summarize(dataset, plan.goal, rounds[task], seed=chosen.seed)
            for task, plan in plans.items()
        }
    return Evaluation(
        project=project.spec.project,
        tasks=tasks,
        skipped=skipped,
        samples=samples,
        machine=describe_machine(),
        seeds={"evaluate": chosen.seed, "ranker": project.spec.ranker.seed, "draws": DRAWS},
        sizes=_sizes(dataset),
        seconds=run.seconds,
        peak_mb=peak_memory_mb(),
        note=_opening_comment(project.file),
        architecture=training.get("architecture", ""),
        gates=training.get("gates", {}),
    )


def evaluate_project(
    project: Project, settings: Settings | None = None, *, progress: Progress | None = None
) -> Evaluation:
    """`evaluate` with the pipeline and the engine: what `recprism evaluate` runs.

    Data is loaded and encoded once, artifacts are trained in memory and not published. Raises what
    `pipeline.prepare` and `pipeline.fit` raise.
    """
    with training_lock(project.path):
        workspace = prepare(project, progress)
        fit = FitWorkspace(workspace, progress)
        return evaluate(project, dataset_of(workspace), fit, settings, progress=progress)


@dataclass(frozen=True)
class _Plan:
    """What one task is asked: `askings` judge its probabilities, one for each of `occasions`."""

    goal: Goal
    occasions: Sequence[Occasions]
    askings: Sequence[Occasions]


@dataclass
class _Run:
    """One evaluation under way, and where its seconds went."""

    project: Project
    dataset: Dataset
    fit: Fit
    settings: Settings
    progress: Progress | None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        start = perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + perf_counter() - start

    def plan(self) -> tuple[dict[str, _Plan], dict[str, str]]:
        """What to ask per task, and why some tasks cannot be asked."""
        spec, dataset = self.project.spec, self.dataset
        plans, skipped = {}, {}
        for task in self.settings.tasks if self.settings.tasks is not None else spec.tasks:
            goal = find_goal(spec, dataset.catalog, task)
            if goal is None:
                skipped[task] = "it has no goal, so there is nothing to find"
                continue
            try:
                given = self.settings.hold_outs.get(task)
                hold_out = given or find_hold_out(spec, dataset, goal)
            except DataError as error:
                skipped[task] = str(error)
                continue
            parts = build_occasions(dataset, goal, hold_out)
            everyone = build_askings(dataset, goal, hold_out) if hold_out.by_event else parts
            asked = parts if everyone is parts else self._limited(everyone, CALIBRATION_USERS)
            plans[task] = _Plan(goal, self._limited(parts), asked)
        return plans, skipped

    def _limited(self, parts: Sequence[Occasions], most: int = MOST_USERS) -> list[Occasions]:
        return [part.of_users(most, self.settings.seed) for part in parts]

    def train(self, until: int, architecture: str | None) -> Recommender:
        """The recommender that knows what was known before `until`."""
        moment = from_micros(until)
        if self.progress is not None:
            name = architecture or self.project.spec.ranker.architecture
            self.progress(f"training `{name}` until {moment.isoformat()}", 0.0)
        return self.fit(self.project, self.dataset, until=moment, architecture=architecture)

    def round_at(
        self, until: int, plans: Mapping[str, _Plan], recommender: Recommender
    ) -> list[tuple[str, Round]]:
        """One round for each task that is held out at `until`."""
        parts = [
            (plan.goal, occasions, askings)
            for plan in plans.values()
            for occasions, askings in zip(plan.occasions, plan.askings, strict=True)
            if occasions.until == until
        ]
        yardstick = None
        if self._wants_single():
            with self.timed("train_single"):
                yardstick = self.train(until, "single")
        return [
            (goal.task, self._round(goal, (occasions, askings), recommender, yardstick))
            for goal, occasions, askings in parts
        ]

    def _round(
        self,
        goal: Goal,
        about: tuple[Occasions, Occasions],
        recommender: Recommender,
        yardstick: Recommender | None,
    ) -> Round:
        label = self.project.spec.tasks[goal.task].diversity_by
        occasions, askings = about
        found = occasions.take(np.flatnonzero(occasions.has_truth))

        def question(who: Recommender, when: Occasions, what: str) -> Question:
            return Question(who, self.dataset, goal, when, label, what)

        with self.timed("ask"):
            asked = question(recommender, occasions, f"asking `{goal.task}`")
            model = everyone = ask(asked, progress=self.progress)
            if occasions.by_event:
                asked = question(recommender, askings, f"asking everyone for `{goal.task}`")
                everyone = ask(asked, progress=self.progress)
            signals = ask_signals(question(recommender, found, "asking the signals"))
            single = None
            if yardstick is not None:
                asked = question(yardstick, found, f"asking `single` for `{goal.task}`")
                single = ask(asked, progress=self.progress)
        with self.timed("baselines"):
            baselines = baseline_standings(self.dataset, goal, found)
        return Round(occasions, model, askings, everyone, single, signals, baselines)

    def _wants_single(self) -> bool:
        """Whether there is something to compare: several tasks that a network shares."""
        spec = self.project.spec
        with_goal = sum(task.goal is not None for task in spec.tasks.values())
        return self.settings.single and spec.ranker.architecture != "single" and with_goal > 1

    def samples(
        self, recommender: Recommender, plans: Mapping[str, _Plan], until: int
    ) -> list[Sample]:
        """All lists of three users with reasons, as of `until`, and what came true."""
        users = _sample_users(plans, until, self.settings.seed)
        at = np.full(len(users), until, np.int64)
        true: list[dict[str, list[str]]] = [{} for _ in users]
        for task, plan in plans.items():
            kind = plan.goal.kind
            for row, items in find_truth(self.dataset, plan.goal, users, at):
                true[row][task] = sorted(kind.ids[int(item) - kind.start] for item in items)
        ids = [self.dataset.catalog.users.ids[int(user)] for user in users]
        return [
            Sample(
                user=user,
                answer=recommender.recommend(user=user, at=from_micros(until)).to_dict(),
                came_true=came_true,
            )
            for user, came_true in zip(ids, true, strict=True)
        ]


def _sample_users(plans: Mapping[str, _Plan], until: int, seed: int) -> np.ndarray:
    """User_idx of three users, ascending, drawn from those with a hit in the most tasks."""
    parts = [
        np.unique(occasions.user[occasions.has_truth])
        for plan in plans.values()
        for occasions in plan.occasions
        if occasions.until == until
    ]
    if not parts:
        return np.zeros(0, np.int32)
    users, tasks = np.unique(np.concatenate(parts), return_counts=True)
    best = users[tasks == tasks.max(initial=0)]
    drawn = np.random.default_rng(seed).choice(best, min(_SAMPLES, len(best)), replace=False)
    return np.sort(drawn).astype(np.int32)


def _opening_comment(file: Path) -> str:
    """The comment at the top of the project file, where its authors say what the data is."""
    if not file.is_file():
        return ""
    lines = takewhile(lambda line: line.startswith("#"), file.read_text("utf-8").splitlines())
    return "\n".join(line.removeprefix("#").strip() for line in lines)


def _sizes(dataset: Dataset) -> dict[str, int]:
    catalog = dataset.catalog
    items = {f"items_{name}": len(kind) for name, kind in catalog.kinds.items()}
    return {"users": len(catalog.users), **items, "events": len(dataset.events)}
