"""How an evaluation trains and opens what it asks: the pipeline and the engine behind a `Fit`.

The one decision worth knowing: what is asked is a real engine. Its later events come from the same
log that the questions were made from, the asked user's own and only those before the moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from recprism.data.dataset import Dataset
from recprism.data.times import to_micros
from recprism.engine import Engine, FromLog
from recprism.errors import UsageError
from recprism.evaluate.ask import Progress, Recommender
from recprism.evaluate.composed import Compose
from recprism.llm import Door, open_door
from recprism.llm.opening import ask_check
from recprism.model import Model, open_model
from recprism.pipeline import Workspace, fit
from recprism.project import Project

COMPOSE: Literal["compose"] = "compose"


def dataset_of(workspace: Workspace) -> Dataset:
    """The prepared data with the events of all times."""
    return Dataset(workspace.ground.catalog, workspace.log, workspace.report)


@dataclass(frozen=True)
class FitWorkspace:
    """A `Fit` that trains in memory; nothing is published."""

    workspace: Workspace
    progress: Progress | None = None

    def __call__(
        self, project: Project, dataset: Dataset, *, until: datetime, architecture: str | None
    ) -> Recommender:
        """Raises `UsageError` when no event lies before `until`."""
        cut = to_micros(until)
        if not (dataset.events.time < cut).any():
            raise UsageError(
                f"`evaluate` of `{project.spec.project}` trains until {until.isoformat()}, but no "
                "event lies before that. Write a later time under `evaluate`."
            )
        model = fit(self.workspace, cut, architecture=architecture, progress=self.progress)
        return open_with_later(model, dataset)


@dataclass(frozen=True)
class OpenArtifact:
    """A `Fit` that opens an artifact trained before; it cannot be asked for another moment."""

    artifact: Path

    def __call__(
        self, project: Project, dataset: Dataset, *, until: datetime, architecture: str | None
    ) -> Recommender:
        """Raises `UsageError` when the artifact was not trained as wanted."""
        model = open_model(self.artifact)
        if model.until != to_micros(until) or architecture is not None:
            raise UsageError(
                f"The artifact `{self.artifact.name}` of `{project.spec.project}` was not trained "
                f"until {until.isoformat()} with `{architecture or 'its own architecture'}`. "
                "Run `recprism evaluate` to train what an evaluation needs."
            )
        return open_with_later(model, dataset)


def open_with_later(model: Model, dataset: Dataset, door: Door | None = None) -> Engine:
    """An engine that folds in the asked user's own events of `dataset` from `until` on."""
    return Engine(model, later=[FromLog(model.catalog, dataset.events, model.until)], door=door)


@contextmanager
def composing(project: Project, dataset: Dataset) -> Iterator[Compose | None]:
    """What opens an engine once more with the language model that composes its answers.

    None where no model composes. All other roles are off, so that nothing but whole answers is
    asked for; the model is loaded before the first one, as it would be in a service.
    """
    llm = project.spec.llm
    if not llm.has_role(COMPOSE):
        yield None
        return
    alone = llm.model_copy(update={"roles": {COMPOSE: llm.roles[COMPOSE]}})
    with closing(open_door(alone, project.path)) as door:
        ask_check(door)
        yield lambda recommender: _with_door(recommender, dataset, door)


def _with_door(recommender: Recommender, dataset: Dataset, door: Door) -> Recommender:
    if not isinstance(recommender, Engine):
        found = type(recommender).__name__
        raise UsageError(f"A `{found}` has no model that a language model could compose for.")
    return open_with_later(recommender.model, dataset, door)
