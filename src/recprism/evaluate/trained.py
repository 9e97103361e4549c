"""Evaluate one artifact that exists already: every task on what came after its training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from recprism.data.times import from_micros
from recprism.errors import UsageError
from recprism.evaluate.ask import Progress
from recprism.evaluate.protocol import HoldOut
from recprism.evaluate.results import Evaluation
from recprism.evaluate.run import Settings, evaluate
from recprism.evaluate.wiring import OpenArtifact, composing, dataset_of
from recprism.model import open_model
from recprism.pipeline import prepare
from recprism.project import Project
from recprism.project.schema import ProjectFile


def evaluate_artifact(
    project: Project,
    artifact: Path,
    *,
    tasks: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Ask an artifact trained with `--until` about what came after; nothing is trained.

    Each task is asked as its `evaluate` section says (at `until`, or by event up to the end of the
    data) with its cut-off, at the artifact's own `until` and without the `single` yardstick. Raises
    `UsageError` when the data holds nothing after the artifact's training.
    """
    dataset = dataset_of(prepare(project, progress))
    until = open_model(artifact).until
    if not (dataset.events.time >= until).any():
        raise UsageError(
            f"The artifact `{artifact.name}` has learned from everything before "
            f"{from_micros(until).isoformat()} and no later event is there to be asked about. "
            "Train one with `--until`."
        )
    hold_outs = {task: hold_out_after(project.spec, task, until) for task in project.spec.tasks}
    with composing(project, dataset) as compose:
        settings = Settings(tasks=tasks, hold_outs=hold_outs, single=False, compose=compose)
        return evaluate(project, dataset, OpenArtifact(artifact), settings, progress=progress)


def hold_out_after(spec: ProjectFile, task: str, until: int) -> HoldOut:
    """The hold-out of a task moved to `until` (microseconds)."""
    written, asked = spec.evaluate.get(task), spec.tasks[task]
    if written is not None:
        return HoldOut(task, (until,), written.at == "events", written.k)
    return HoldOut(task, (until,), asked.ask == "events", asked.size)
