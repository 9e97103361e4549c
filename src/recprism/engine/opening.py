"""From a project directory to its engine, and to one with the tasks as they were changed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from recprism.artifact import ArtifactShelf, read_manifest
from recprism.data.live import load_events
from recprism.engine.engine import Engine
from recprism.engine.later import FromSources, LaterEvents
from recprism.errors import ArtifactError, UnknownName
from recprism.llm import Door, has_roles, open_door
from recprism.model import open_model
from recprism.project import Project, load_project
from recprism.project.edits import apply_sound, read_edits
from recprism.project.schema import Experiment
from recprism.store import Erasures, Store, open_project_store

_log = logging.getLogger(__name__)


def open_engine(
    path: Path | str,
    store: Store | None = None,
    *,
    door: Door | None = None,
    started: float | None = None,
) -> Engine:
    """The engine of a project directory: its current artifact, its store, and its language model.

    What the section `llm` of the project file says counts at once, without a training; `door` takes
    its place. No model is loaded before it is asked.

    When the artifact was trained with `--until`, the project's later events count as live events.
    Raises `NotTrained` before the first training, `ArtifactError` for a damaged artifact.
    """
    project = load_project(path)
    shelf = ArtifactShelf.of(project.path)
    folder = shelf.current()
    read_manifest(folder)
    if store is None:
        store = open_project_store(project)
    if door is None and has_roles(project.spec.llm):
        door = open_door(project.spec.llm, project.path)
    opener = _Opener(project, store, door, Erasures(project.path, store), started)
    engine = opener.open(folder)
    _split_users(engine, shelf, opener)
    return edited(engine, project.path)


@dataclass(frozen=True)
class _Opener:
    """What all engines of a project share."""

    project: Project
    store: Store
    door: Door | None
    erasures: Erasures
    started: float | None

    def open(self, folder: Path) -> Engine:
        """The engine of one artifact. Raises `ArtifactError` for a damaged one."""
        manifest = read_manifest(folder)
        model = open_model(folder)
        later: list[LaterEvents] = []
        if manifest.get("with_later"):
            gone = self.erasures.everyone().left_out
            events = load_events(self.project, model.catalog, since=model.until, left_out=gone)
            later.append(FromSources(events))
        return Engine(
            model,
            self.store,
            later=later,
            artifact_id=folder.name,
            door=self.door,
            erasures=self.erasures,
            started=self.started,
        )


def _split_users(engine: Engine, shelf: ArtifactShelf, opener: _Opener) -> None:
    """Give an engine the experiments of its project file, with the engines of their artifacts.

    An experiment that cannot be served as it is written is left out, and noted in the log: with one
    arm missing, the others would be compared with nothing.
    """
    experiments: dict[str, Experiment] = {}
    others: dict[str, Engine] = {}
    for name, experiment in opener.project.spec.experiments.items():
        try:
            others |= _others(engine, experiment, shelf, opener)
            experiments[name] = experiment
        except (ArtifactError, UnknownName) as error:
            _log.error("the experiment `%s` is left out: %s", name, error)
    engine.experiments, engine.others = experiments, others
    for other in others.values():
        other.experiments = experiments


def _others(
    engine: Engine, experiment: Experiment, shelf: ArtifactShelf, opener: _Opener
) -> dict[str, Engine]:
    """The engines of the artifacts that an experiment names, by that name, but for the serving one.

    Raises `UnknownName` for what an arm or the experiment names and is not there, `ArtifactError`.
    """
    found = {}
    plans = engine.model.plans
    for arm in experiment.arms.values():
        other = engine
        if arm.artifact is not None:
            there = shelf.successor(arm.artifact)
            if there is None:
                raise UnknownName("artifact", arm.artifact, shelf.ids())
            if there != engine.artifact_id:
                other = found[arm.artifact] = opener.open(shelf.path(there))
        for task in experiment.tasks or plans:
            if task not in other.model.plans:
                raise UnknownName("task", task, other.model.plans)
        signals = other.model.snapshot.signals
        if arm.signal is not None and arm.signal not in signals:
            raise UnknownName("signal", arm.signal, signals)
    return found


def edited(engine: Engine, directory: Path) -> Engine:
    """The engine with the changes of tasks that the project at `directory` keeps.

    A change that does not fit the tasks that were trained is left out, and noted in the log.
    """
    result = _edited(engine, directory)
    if engine.others:
        result.others = {name: _edited(one, directory) for name, one in engine.others.items()}
    return result


def _edited(engine: Engine, directory: Path) -> Engine:
    trained, edits = engine.trained_project, read_edits(directory)
    if not edits and engine.model.project is trained:
        return engine
    changed, problems = apply_sound(trained, edits)
    for problem in problems:
        _log.warning("%s", problem)
    try:
        return engine.with_tasks(changed)
    except UnknownName as error:
        _log.warning("the changes of tasks are left out: %s", error)
        return engine
