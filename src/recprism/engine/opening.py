"""From a project directory to its engine, and to one with the tasks as they were changed."""

from __future__ import annotations

import logging
from pathlib import Path

from recprism.artifact import ArtifactShelf, read_manifest
from recprism.data.live import load_events
from recprism.engine.engine import Engine
from recprism.engine.later import FromSources, LaterEvents
from recprism.errors import UnknownName
from recprism.llm import Door, has_roles, open_door
from recprism.model import open_model
from recprism.project import load_project
from recprism.project.edits import apply_sound, read_edits
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
    folder = ArtifactShelf.of(project.path).current()
    manifest = read_manifest(folder)
    model = open_model(folder)
    if store is None:
        store = open_project_store(project)
    erasures = Erasures(project.path, store)
    later: list[LaterEvents] = []
    if manifest.get("with_later"):
        gone = erasures.everyone().left_out
        since = model.until
        later.append(FromSources(load_events(project, model.catalog, since=since, left_out=gone)))
    if door is None and has_roles(project.spec.llm):
        door = open_door(project.spec.llm, project.path)
    engine = Engine(
        model,
        store,
        later=later,
        artifact_id=folder.name,
        door=door,
        erasures=erasures,
        started=started,
    )
    return edited(engine, project.path)


def edited(engine: Engine, directory: Path) -> Engine:
    """The engine with the changes of tasks that the project at `directory` keeps.

    A change that does not fit the tasks that were trained is left out, and noted in the log.
    """
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
