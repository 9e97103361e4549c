"""Does the section `experiments:` fit itself and the tasks?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from recprism.errors import nearest
from recprism.project.document import KeyPath
from recprism.project.messages import Mistake

if TYPE_CHECKING:
    from recprism.project.schema import ProjectFile


def experiment_tasks(spec: ProjectFile) -> Iterator[Mistake]:
    """An experiment names tasks, each of which takes part in one experiment only."""
    of_task: dict[str, str] = {}
    for name, experiment in spec.experiments.items():
        for n, task in enumerate(experiment.tasks):
            if task not in spec.tasks:
                close = nearest(task, list(spec.tasks))
                hint = f"Did you mean `{close}`?" if close else "Name a task of the project."
                path: KeyPath = ("experiments", name, "tasks", n)
                yield _clash(path, f"there is no task `{task}` under `tasks`.", hint)
        for task in experiment.tasks or spec.tasks:
            other = of_task.setdefault(task, name)
            if other != name:
                hint = "Name other `tasks`: what came of a list is told of one experiment."
                problem = f"the task `{task}` takes part in `{other}` already."
                yield _clash(("experiments", name), problem, hint)
                break


def experiment_artifacts(spec: ProjectFile) -> Iterator[Mistake]:
    """An artifact makes all lists of an answer, or none."""
    for name, experiment in spec.experiments.items():
        for arm, setting in experiment.arms.items():
            if setting.artifact is not None and experiment.tasks:
                path: KeyPath = ("experiments", name, "arms", arm, "artifact")
                problem = "an artifact makes all lists of an answer, the experiment names some."
                yield _clash(path, problem, "Remove `tasks`.")


def _clash(path: KeyPath, problem: str, hint: str = "") -> Mistake:
    return Mistake(path, problem, hint, "clash", frozenset([path[:2], ("tasks",)]))
