"""Everything an engine needs, in memory: what training makes and an artifact folder holds.

The folder: `catalog` and `events` as `data/saved.py` writes them (`report.json` among them),
`content.safetensors`, `snapshot.safetensors`, `ranker.safetensors`, a graph `TASK.onnx` per task
with a goal, `project.json` (the filled project file) and `model.json` (names and numbers).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recprism.artifact import read_arrays, read_manifest, write_arrays
from recprism.content.label_codes import LabelCodes
from recprism.content.vectors import Content
from recprism.data.dataset import DAY_US, Catalog, EventLog, FloatArray, KindTable
from recprism.data.saved import open_catalog, open_events
from recprism.errors import ArtifactError
from recprism.lists.effects import SlotEffects
from recprism.project.schema import ProjectFile
from recprism.ranker.calibrate import Calibration
from recprism.ranker.features import FeatureSpec
from recprism.ranker.scorer import TaskRanker
from recprism.signals.newcomers import Newcomers
from recprism.signals.plan import TaskPlan, compile_tasks
from recprism.signals.snapshot import Ground, Snapshot
from recprism.signals.trend import WINDOW_DAYS


@dataclass(frozen=True)
class Learned:
    """How much of a store was learned: events up to number `arrival` of the store `store`.

    `erased` are the erasures that were known then, moments (microseconds) by digest.
    """

    store: str = ""
    arrival: int = 0
    erased: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """Catalog, events before `until`, fitted signals and rankers.

    `rankers` holds the tasks with a goal; `effects` the slot effects of tasks with slots; `until`
    is in microseconds and no event of `events` lies at or after it. `learned` says which events of
    the store are among them, as far as they lie before `until`.
    """

    project: ProjectFile
    catalog: Catalog
    events: EventLog
    content: Content
    labels: LabelCodes
    snapshot: Snapshot
    rankers: Mapping[str, TaskRanker]
    effects: Mapping[str, SlotEffects]
    until: int
    training: Mapping[str, Any] = field(default_factory=dict)
    wishes: FloatArray | None = None
    learned: Learned = field(default_factory=Learned)

    @cached_property
    def plans(self) -> dict[str, TaskPlan]:
        """The compiled tasks."""
        return compile_tasks(self.project, self.catalog)

    @cached_property
    def active_users(self) -> int:
        """How many users did something in the trend's window before `until`, at least 1."""
        late = self.events.time >= self.until - WINDOW_DAYS * DAY_US
        return max(1, len(np.unique(self.events.user[late])))

    @cached_property
    def features(self) -> FeatureSpec:
        """What the rankers see."""
        ground = Ground(self.catalog, self.content, self.labels, self.project, self.wishes)
        return FeatureSpec.build(ground)


def with_newcomers(
    model: Model, tables: Mapping[str, KindTable], newcomers: Newcomers, labels: LabelCodes
) -> Model:
    """`model` with items that came after training, for serving.

    `tables` are theirs by kind, `labels` those of all items as people read them, with values that
    training did not know; the rankers see the codes of `newcomers`.
    """
    content = model.content.beside(newcomers.short, newcomers.wide)
    other = replace(
        model,
        catalog=replace(model.catalog, newcomers=tables),
        content=content,
        labels=labels,
        snapshot=model.snapshot.beside(content, newcomers),
    )
    codes = {
        name: np.concatenate([known, newcomers.codes[name]])
        for name, known in model.labels.codes.items()
    }
    # What depends on the training alone is not worked out again for every newcomer.
    vars(other)["features"] = replace(model.features, labels=LabelCodes(codes, model.labels.values))
    vars(other)["active_users"] = model.active_users
    return other


def save_model(model: Model, folder: Path) -> None:
    """Write all but catalog and events, which `data/saved.py` writes, into `folder`.

    Raises `DiskFull` when there is no room, `ArtifactError` when a learned number is not finite.
    """
    content = dict(model.content.to_arrays())
    if model.wishes is not None:
        content["wishes"] = model.wishes
    _write_learned(folder / "content.safetensors", content)
    _write_learned(folder / "snapshot.safetensors", model.snapshot.to_arrays())
    tasks = _save_rankers(model.rankers, folder)
    written = model.project.model_dump_json(by_alias=True)
    (folder / "project.json").write_text(written, encoding="utf-8")
    about = {
        "until": model.until,
        "learned": asdict(model.learned),
        "segments": list(model.snapshot.segments.names),
        "tasks": tasks,
        "effects": {task: effects.to_dict() for task, effects in model.effects.items()},
        "training": dict(model.training),
    }
    text = json.dumps(about, ensure_ascii=False, indent=1)
    (folder / "model.json").write_text(text, encoding="utf-8")


def _write_learned(file: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays that scores are made from: one NaN in them would reach every list."""
    for name, array in arrays.items():
        if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
            n = int((~np.isfinite(array)).sum())
            raise ArtifactError(
                f"Training gave {n:,} of {array.size:,} numbers of `{name}` that are not finite. "
                "Nothing was published. Look for values that are very large in the columns of the "
                "project, or lower `ranker.learning_rate`."
            )
    write_arrays(file, arrays)


def _save_rankers(rankers: Mapping[str, TaskRanker], folder: Path) -> dict[str, Any]:
    """Write graphs and curves; returns what `model.json` says of each task."""
    arrays, tasks = {}, {}
    for task, ranker in rankers.items():
        (folder / f"{task}.onnx").write_bytes(ranker.graph)
        arrays[f"{task}/medians"] = ranker.medians
        about = _about_curve(ranker.calibration)
        arrays |= _curve(task, ranker.calibration)
        if ranker.earlier:
            about["earlier"] = [_about_curve(curve) for curve in ranker.earlier]
        for i, curve in enumerate(ranker.earlier):
            arrays |= _curve(f"{task}/earlier/{i}", curve)
        tasks[task] = about
    if arrays:
        _write_learned(folder / "ranker.safetensors", arrays)
    return tasks


def _about_curve(curve: Calibration) -> dict[str, Any]:
    return {"calibration": curve.method, "positives": curve.positives}


def _curve(name: str, curve: Calibration) -> dict[str, FloatArray]:
    return {f"{name}/logit": curve.logit, f"{name}/probability": curve.probability}


def open_model(folder: Path) -> Model:
    """Open an artifact folder; arrays are mapped, not read.

    Raises `ArtifactError` when it is damaged or was written by a newer version.
    """
    read_manifest(folder)
    with _readable(folder / "model.json") as file:
        about = json.loads(file.read_text(encoding="utf-8"))
    with _readable(folder / "project.json") as file:
        project = ProjectFile.model_validate_json(file.read_bytes())
    catalog = open_catalog(folder)
    arrays = read_arrays(folder / "content.safetensors")
    content, wishes = Content.from_arrays(arrays), arrays.get("wishes")
    labels = LabelCodes.build(catalog)
    ground = Ground(catalog, content, labels, project, wishes)
    # An artifact of an earlier version may lack what a signal keeps now.
    with _readable(folder / "snapshot.safetensors") as file:
        snapshot = Snapshot.from_arrays(read_arrays(file), about["segments"], ground)
    return Model(
        project,
        catalog,
        open_events(folder),
        content,
        labels,
        snapshot,
        _open_rankers(folder, about["tasks"]),
        {task: SlotEffects.from_dict(saved) for task, saved in about["effects"].items()},
        int(about["until"]),
        about["training"],
        wishes,
        Learned(**about.get("learned", {})),
    )


def _open_rankers(folder: Path, tasks: Mapping[str, Any]) -> dict[str, TaskRanker]:
    if not tasks:
        return {}
    arrays, rankers = read_arrays(folder / "ranker.safetensors"), {}

    def curve(name: str, about: Mapping[str, Any]) -> Calibration:
        points = arrays[f"{name}/logit"], arrays[f"{name}/probability"]
        return Calibration(*points, about["calibration"], about["positives"])

    for task, about in tasks.items():
        # A task without a funnel says nothing of earlier actions.
        before = enumerate(about.get("earlier", ()))
        earlier = [curve(f"{task}/earlier/{i}", one) for i, one in before]
        with _readable(folder / f"{task}.onnx") as file:
            medians = np.asarray(arrays[f"{task}/medians"])
            graph = file.read_bytes()
            rankers[task] = TaskRanker.open(graph, curve(task, about), medians, earlier)
    return rankers


@contextmanager
def _readable(file: Path) -> Iterator[Path]:
    """Turn whatever a damaged file raises inside the block into `ArtifactError`.

    Every library has errors of its own, the runtime of graphs ones without a common base.
    """
    try:
        yield file
    except ArtifactError:
        raise
    except Exception as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise ArtifactError(
            f"`{file}` cannot be read ({said}). "
            "Train again, or roll back with `recprism artifacts use`."
        ) from error
