"""From a project to a published artifact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from recprism.artifact import ArtifactShelf
from recprism.data.dataset import Dataset
from recprism.data.saved import save_dataset
from recprism.data.times import from_micros, parse_time
from recprism.errors import UsageError, watch_disk
from recprism.model import Model, save_model
from recprism.pipeline.erasing import clean_artifacts, clear_caches, erased_people
from recprism.pipeline.fitting import fit
from recprism.pipeline.locking import cleaning_lock, training_lock
from recprism.pipeline.timing import Progress, Timer
from recprism.pipeline.workspace import Workspace, prepare
from recprism.project import Project
from recprism.project.schema import ProjectFile


@dataclass(frozen=True)
class Artifact:
    """A published artifact: its id, its folder, and how its training went."""

    id: str
    path: Path
    training: Mapping[str, Any]


def train(
    project: Project,
    *,
    until: datetime | str | None = None,
    progress: Progress | None = None,
) -> Artifact:
    """Build an artifact from what was known before `until` (default: everything) and publish it.

    Until the moment of publishing, the artifact that served before goes on serving. Raises
    `DataError`, `ProjectError`, `UsageError` for mistakes and while another training is at work,
    `DiskFull` when there is no room.
    """
    with training_lock(project.path):
        return _train(project, until, progress)


def _train(project: Project, until: datetime | str | None, progress: Progress | None) -> Artifact:
    timer = Timer()
    workspace = prepare(project, progress, timer, purge=True)
    cut = None if until is None else parse_time(until)
    time = workspace.log.time
    if cut is not None and not (time < cut).any():
        first = f"The first event is at {from_micros(int(time.min()))}." if len(time) else ""
        raise UsageError(
            f"No event lies before `--until {until}`, training needs some. "
            + (first or "The project has no events: train without `--until`.")
        )
    model = fit(workspace, cut, progress=progress, timer=timer)
    artifact = publish(workspace, model, timer, with_later=cut is not None)
    if erased_people(project).moments != workspace.learned.erased:
        clear_caches(project.path)
    return artifact


def publish(
    workspace: Workspace, model: Model, timer: Timer | None = None, *, with_later: bool = False
) -> Artifact:
    """Write a model as the project's current artifact.

    `with_later` notes that the sources hold events after the model's `until`, which then count as
    live events.
    """
    timer = timer or Timer()
    shelf = ArtifactShelf.of(workspace.project.path)
    folder = shelf.new()
    try:
        with timer.time("publish"), watch_disk(folder):
            save_dataset(Dataset(model.catalog, model.events, workspace.report), folder)
            save_model(model, folder)
    except BaseException:
        shelf.discard(folder)
        raise
    training = {**model.training, "seconds": dict(timer.seconds)}
    manifest = {
        "project": model.project.project,
        "project_hash": workspace.project.hash,
        "until": from_micros(model.until).isoformat(),
        "with_later": with_later,
        "learned": asdict(model.learned),
        "training": training,
    }
    artifact_id = shelf.publish(folder, manifest)
    # Whoever was erased while it was learned is not in what is served.
    with cleaning_lock(workspace.project.path):
        rewritten, _ = clean_artifacts(shelf, erased_people(workspace.project))
        artifact_id = rewritten.get(artifact_id, artifact_id)
        shelf.keep_newest(model.project.artifacts.keep, used=_in_experiments(model.project))
    return Artifact(artifact_id, shelf.root / artifact_id, training)


def _in_experiments(project: ProjectFile) -> list[str]:
    """The artifacts that experiments of a project serve."""
    arms = [arm for one in project.experiments.values() for arm in one.arms.values()]
    return [arm.artifact for arm in arms if arm.artifact is not None]
