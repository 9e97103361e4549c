"""From a workspace to a model: samples, rankers, calibration, signals."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from recprism.data.dataset import EventLog
from recprism.data.times import to_micros
from recprism.lists.effects import SlotEffects
from recprism.llm.opening import open_door
from recprism.model import Model
from recprism.pipeline.parts import Parts, load_data, load_lists, parts_of
from recprism.pipeline.timing import Progress, Timer
from recprism.pipeline.workspace import Workspace
from recprism.ranker.calibrate import fit_calibration
from recprism.ranker.harvest import fit_or_load, harvest
from recprism.ranker.occasions import goal_events
from recprism.ranker.scorer import TaskRanker
from recprism.signals.llm import Llm
from recprism.signals.plan import TaskPlan, compile_tasks
from recprism.signals.registry import active_signals
from recprism.signals.teacher import Teacher

if TYPE_CHECKING:
    from recprism.ranker.train import TaskData, TrainedRanker


PERSONAL_RULE = "sum:repeat.strength"
"""Count x exp(-days since the last time / decay), over what an item links to: the rule to beat."""
UNHEARD = "model-was-silent"
"""Marks samples for which the language model did not answer all that it was asked."""


def fit(
    workspace: Workspace,
    until: int | None = None,
    *,
    architecture: str | None = None,
    progress: Progress | None = None,
    timer: Timer | None = None,
) -> Model:
    """Learn from what was known before `until` (microseconds; None: everything).

    `architecture` replaces the one of the project file. The rankers learn from earlier snapshots,
    whose samples are made by all cores and kept. Signals are fitted anew at `until`, unless the
    project says that those of the last snapshot are to serve.
    """
    with _teacher(workspace) as teacher:
        return _fit(workspace, until, architecture, progress, timer or Timer(), teacher)


def _fit(
    workspace: Workspace,
    until: int | None,
    architecture: str | None,
    progress: Progress | None,
    timer: Timer,
    teacher: Teacher | None,
) -> Model:
    ground, log = workspace.ground, workspace.log
    end = int(log.time.max()) + 1 if len(log) else to_micros(datetime(1970, 1, 1))
    until = end if until is None else until
    plans = compile_tasks(ground.project, ground.catalog)
    with timer.time("samples"):
        parts = parts_of(workspace, plans, until)
        wanted = [part for chosen in parts.values() for part in chosen.all]
        harvest(workspace.folder, workspace.samples, wanted, progress, teacher)
    rankers, training = _fit_rankers(workspace, plans, parts, until, architecture, progress, timer)
    with timer.time("signals"):
        known = log.until(until)
        snapshots = [until] if ground.project.signals.refit else [p.at for p in wanted] or [until]
        snapshot = fit_or_load(
            ground, known, max(snapshots), workspace.samples, progress=progress, teacher=teacher
        )
        effects = {name: _effects(plan, known, until) for name, plan in plans.items()}
    if workspace.labels:
        training["labels"] = [dict(row) for row in workspace.labels]
    if snapshot.accounts:
        training["signals"] = snapshot.accounts
    if snapshot.accounts.get(Llm.name, {}).get("why"):
        (workspace.samples / UNHEARD).touch()
    return Model(
        ground.project,
        ground.catalog,
        known,
        ground.content,
        ground.labels,
        snapshot,
        rankers,
        {name: found for name, found in effects.items() if found is not None},
        until,
        training,
        ground.wishes,
        workspace.learned,
    )


@contextmanager
def _teacher(workspace: Workspace) -> Iterator[Teacher | None]:
    """The language model in the role `rank`, None where that is off.

    Samples of a training in which it did not answer are made again; what it answered is cached.
    """
    project = workspace.project
    if Llm.name not in active_signals(project.spec):
        yield None
        return
    if (workspace.samples / UNHEARD).is_file():
        shutil.rmtree(workspace.samples)
    door = open_door(project.spec.llm, project.path)
    try:
        yield Teacher.of(project.spec, workspace.ground.catalog, door)
    finally:
        door.close()


def validation_users(workspace: Workspace, until: int, task: str) -> list[str]:
    """Ids of the users whose lists validate a task that `fit` trains until then."""
    plans = compile_tasks(workspace.ground.project, workspace.ground.catalog)
    parts = parts_of(workspace, plans, until)
    if task not in parts:
        return []
    _, valid = load_data(workspace.samples, parts[task], plans[task], until)
    ids = workspace.ground.catalog.users.ids
    return [ids[row] for row in np.unique(valid.user).tolist()]


def _fit_rankers(
    workspace: Workspace,
    plans: Mapping[str, TaskPlan],
    parts: Mapping[str, Parts],
    until: int,
    architecture: str | None,
    progress: Progress | None,
    timer: Timer,
) -> tuple[dict[str, TaskRanker], dict[str, Any]]:
    """Train, export and calibrate; returns the rankers and an account of the training."""
    if not parts:
        return {}, {"tasks": {}, "note": "no task with a goal has enough past to learn from"}
    from recprism.ranker.export import export_onnx
    from recprism.ranker.train import TaskData, train_ranker
    from recprism.ranker.validate import predict

    folder, ranker = workspace.samples, workspace.ground.project.ranker
    if architecture is not None:
        ranker = ranker.model_copy(update={"architecture": architecture})
    with timer.time("load samples"):
        data = {
            task: TaskData(*load_data(folder, chosen, plans[task], until))
            for task, chosen in parts.items()
        }
    data = {task: lists for task, lists in data.items() if len(lists.train)}
    if not data:
        return {}, {"tasks": {}, "note": "nobody reached a goal in the past that is known"}
    with timer.time("train"):
        features = workspace.features
        rule = features.numbers.index(PERSONAL_RULE)
        trained = train_ranker(data, features.codes, ranker, progress, rule)
    rankers = {}
    with timer.time("calibrate"):
        graphs = export_onnx(trained)
        for i, task in enumerate(trained.tasks):
            lists = data[task].valid
            if not parts[task].by_user:
                lists = load_lists(folder, parts[task].calibrate, plans[task], until)
            logits, reached = predict(trained.networks[i], i, lists), lists.reached
            *earlier, goal = [
                fit_calibration(logits[:, a], reached[:, a], lists.weight)
                for a in range(reached.shape[1])
            ]
            rankers[task] = TaskRanker.open(graphs[task], goal, trained.medians[i], earlier)
    return rankers, _account(trained, data, rankers)


def _account(
    trained: TrainedRanker, data: Mapping[str, TaskData], rankers: Mapping[str, TaskRanker]
) -> dict[str, Any]:
    """How the training went, for the artifact and the report."""
    tasks = {
        task: {
            "lists": len(data[task].train),
            "validation_lists": len(data[task].valid),
            "validation_ndcg@10": trained.history[task],
            "leaning_on_rule": trained.leaning[task],
            "loss_weight": trained.loss_weights[task],
            "calibration": ranker.calibration.method,
            "calibration_positives": ranker.calibration.positives,
        }
        for task, ranker in rankers.items()
    }
    config = trained.config
    about = {"tasks": tasks, "architecture": config.architecture, "seed": config.seed}
    return about | ({"gates": dict(trained.gates)} if trained.gates else {})


def _effects(plan: TaskPlan, known: EventLog, until: int) -> SlotEffects | None:
    """The slot effects of a task with slots."""
    offers = plan.kind.offers
    if not plan.spec.slots or offers is None or plan.links is None:
        return None
    return SlotEffects.fit(offers, plan.links.targets, goal_events(known, plan), before=until)
