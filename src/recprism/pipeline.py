"""Offline: project file -> artifact. The only module that knows all stages.

`prepare` loads, cleans and encodes once per state of the sources; `fit` learns from what was known
before a moment; `train` does both and publishes. The steps are timed, and the times travel with the
artifact.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import polars as pl

from recprism.artifact import ArtifactShelf, write_arrays
from recprism.content.encoder import open_encoder
from recprism.content.vectors import build_content, encode_queries
from recprism.data.build import load_dataset
from recprism.data.dataset import Dataset, EventLog
from recprism.data.saved import save_dataset
from recprism.data.times import from_micros, parse_time, to_micros
from recprism.errors import UsageError, watch_disk
from recprism.lists.effects import SlotEffects
from recprism.model import Model, save_model
from recprism.project import Project
from recprism.project.schema import ProjectFile
from recprism.ranker.calibrate import fit_calibration
from recprism.ranker.features import FeatureSpec
from recprism.ranker.harvest import WEEK_US, Part, fit_or_load, harvest, load_part, open_ground
from recprism.ranker.occasions import Schedule, goal_events, make_schedule
from recprism.ranker.samples import Samples
from recprism.ranker.scorer import TaskRanker
from recprism.signals.plan import TaskPlan, compile_tasks
from recprism.signals.snapshot import Ground

Progress = Callable[[str, float], None]
TEXTS_PER_S = 70
LIST_MS = 4.0
"""What `plan` reckons with: texts encoded per second, and milliseconds per training list."""
PERSONAL_RULE = "sum:repeat.strength"
"""Count x exp(-days since the last time / decay), over what an item links to: the rule to beat."""
SAMPLES_FORMAT = 3
"""Raised whenever samples of the same data and settings would come out differently."""
HELD_SHARE = 0.2
"""At most this share of the users validates where a single snapshot is split by users."""
VALID_WEEKS = 4
"""So many recent weeks validate a task that is asked on the days of its goal."""


@dataclass(frozen=True)
class Artifact:
    """A published artifact: its id, its folder, and how its training went."""

    id: str
    path: Path
    training: Mapping[str, Any]


@dataclass
class Timer:
    """Seconds per stage, in order; a stage that comes twice adds up."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        start = perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + perf_counter() - start


@dataclass(frozen=True)
class Workspace:
    """A project whose data is loaded, cleaned and encoded.

    `folder` holds all of that in the form that worker processes map; `samples` is where they leave
    training samples.
    """

    project: Project
    ground: Ground
    log: EventLog
    report: Sequence[Mapping[str, Any]]
    folder: Path
    samples: Path

    @property
    def features(self) -> FeatureSpec:
        """What the rankers see."""
        return FeatureSpec.build(self.ground)


def prepare(
    project: Project, progress: Progress | None = None, timer: Timer | None = None
) -> Workspace:
    """Load, clean and encode; instant when neither sources nor settings changed since.

    Raises `DataError` for sources that cannot be used, `DiskFull` when there is no room.
    """
    timer = timer or Timer()
    cache = project.path / ".recprism" / "cache"
    key = _key(_of_data(project.spec), _fingerprint(project))
    folder = cache / f"prepared-{key}"
    if not (folder / "project.json").is_file():
        with watch_disk(cache):
            cache.mkdir(parents=True, exist_ok=True)
            _sweep(cache, "prepared-*", keep=1)
            _sweep(cache, "samples-*", keep=1)
            _build(project, folder, cache, progress, timer)
    written = project.spec.model_dump_json(by_alias=True)
    with watch_disk(folder):
        (folder / "project.json").write_text(written, encoding="utf-8")
    ground, log = open_ground(str(folder))
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    samples = cache / f"samples-{_key(_of_samples(project.spec), key)}"
    ground = Ground(ground.catalog, ground.content, ground.labels, project.spec, ground.wishes)
    return Workspace(project, ground, log, report, folder, samples)


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
    timer, ground, log = timer or Timer(), workspace.ground, workspace.log
    end = int(log.time.max()) + 1 if len(log) else to_micros(datetime(1970, 1, 1))
    until = end if until is None else until
    plans = compile_tasks(ground.project, ground.catalog)
    with timer.time("samples"):
        parts = _parts_of(workspace, plans, until)
        wanted = [part for chosen in parts.values() for part in chosen.all]
        harvest(workspace.folder, workspace.samples, wanted, progress)
    rankers, training = _fit_rankers(workspace, plans, parts, until, architecture, progress, timer)
    with timer.time("signals"):
        known = log.until(until)
        snapshots = [until] if ground.project.signals.refit else [p.at for p in wanted] or [until]
        snapshot = fit_or_load(ground, known, max(snapshots), workspace.samples)
        effects = {name: _effects(plan, known, until) for name, plan in plans.items()}
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
    )


def train(
    project: Project,
    *,
    until: datetime | str | None = None,
    progress: Progress | None = None,
) -> Artifact:
    """Build an artifact from what was known before `until` (default: everything) and publish it.

    Until the moment of publishing, the artifact that served before goes on serving. Raises
    `DataError`, `ProjectError`, `UsageError` for mistakes, `DiskFull` when there is no room.
    """
    timer = Timer()
    workspace = prepare(project, progress, timer)
    cut = None if until is None else parse_time(until)
    time = workspace.log.time
    if cut is not None and not (time < cut).any():
        first = f"The first event is at {from_micros(int(time.min()))}." if len(time) else ""
        raise UsageError(
            f"No event lies before `--until {until}`, training needs some. "
            + (first or "The project has no events: train without `--until`.")
        )
    model = fit(workspace, cut, progress=progress, timer=timer)
    return publish(workspace, model, timer, with_later=cut is not None)


def plan(project: Project) -> dict[str, Any]:
    """What `train` would do, estimated from the data: counts, seconds, memory, model calls.

    The data is loaded to count it; nothing is encoded, trained or written. Seconds are those of two
    cores of an ordinary server.
    """
    dataset = load_dataset(project)
    catalog, log = dataset.catalog, dataset.events
    texts = pl.concat([kind.table["text"] for kind in catalog.kinds.values()])
    n_texts = texts.drop_nulls().n_unique()
    goals = [p for p in compile_tasks(project.spec, catalog).values() if p.has_goal]
    samples = project.spec.ranker.snapshots * min(len(catalog.users), 100_000) * len(goals)
    seconds = {
        "load": len(log) / 150_000,
        "encode": n_texts / TEXTS_PER_S if project.spec.content.encoder != "none" else 0.0,
        "samples": (samples * LIST_MS / 1000 + len(log) * 1e-4) / (os.cpu_count() or 1),
        "train": samples / 700,
    }
    return {
        "users": len(catalog.users),
        "items": catalog.n_items,
        "events": len(log),
        "texts": n_texts,
        "lists": samples,
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "memory_mb": round(
            600 + (len(log) * 600 + catalog.n_items * 4000 + samples * 16_000) / 1e6
        ),
        "llm_calls": 0,
    }


def publish(
    workspace: Workspace, model: Model, timer: Timer | None = None, *, with_later: bool = False
) -> Artifact:
    """Write a model as the project's current artifact.

    `with_later` notes that the sources hold events after the model's `until`, which then count as
    live events.
    """
    timer = timer or Timer()
    shelf = ArtifactShelf(workspace.project.path / ".recprism" / "artifacts")
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
        "training": training,
    }
    artifact_id = shelf.publish(folder, manifest)
    return Artifact(artifact_id, shelf.root / artifact_id, training)


def _build(
    project: Project, folder: Path, cache: Path, progress: Progress | None, timer: Timer
) -> None:
    """Load and encode into a fresh folder, which then takes its name in one step."""
    fresh = cache / f".{folder.name}-{os.getpid()}"
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        with timer.time("load"):
            dataset = load_dataset(project, progress=progress)
        with timer.time("encode"):
            arrays = _encode(project.spec, dataset, cache / "vectors", progress)
        save_dataset(dataset, fresh)
        write_arrays(fresh / "content.safetensors", arrays)
        (fresh / "project.json").write_text(project.spec.model_dump_json(by_alias=True), "utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _encode(
    spec: ProjectFile, dataset: Dataset, cache: Path, progress: Progress | None
) -> dict[str, Any]:
    """Arrays of the content, and `wishes` when users have texts."""

    def told(done: int, total: int) -> None:
        if progress is not None:
            progress("encode texts", done / max(1, total))

    encoder = open_encoder(spec.content.encoder)
    content = build_content(
        dataset.catalog, encoder, size=spec.content.size, cache=cache, progress=told
    )
    arrays: dict[str, Any] = dict(content.to_arrays())
    texts = dataset.catalog.users.text
    if texts is not None and encoder is not None:
        written = texts.fill_null("").to_list()
        arrays["wishes"] = encode_queries(content, encoder, written, cache=cache, progress=told)
    return arrays


def _fingerprint(project: Project) -> list[Any]:
    """What tells whether sources changed: path, size and time of each file.

    A database does not tell, so its projects are loaded anew each time.
    """
    found: list[Any] = []
    for source in sorted(_sources(project.spec.model_dump())):
        path = project.path / source
        if path.is_dir():
            files = sorted(p for p in path.rglob("*") if p.is_file())
        else:
            files = [path] if path.is_file() else []
        if not files:
            found.append([source, perf_counter()])
        stats = [(str(file.relative_to(project.path)), file.stat()) for file in files]
        found += [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]
    return found


def _sources(node: Any) -> set[str]:
    """All values of keys named `source` in a nested mapping."""
    if isinstance(node, dict):
        own = {node["source"]} if isinstance(node.get("source"), str) else set()
        return own.union(*(_sources(value) for value in node.values()))
    if isinstance(node, list):
        return set().union(*(_sources(value) for value in node))
    return set()


DATA_SECTIONS = {"users", "items", "events", "links", "content", "clock"}
NETWORK_SETTINGS = {
    "architecture",
    "embedding_size",
    "hidden",
    "dropout",
    "learning_rate",
    "weight_decay",
    "batch_size",
    "epochs",
    "patience",
    "snapshots",
}


def _of_data(spec: ProjectFile) -> dict[str, Any]:
    """The settings that the prepared data depends on."""
    return dict(json.loads(spec.model_dump_json(include=DATA_SECTIONS)))


def _of_samples(spec: ProjectFile) -> dict[str, Any]:
    """The settings that training samples depend on, beside the data."""
    sections = {"tasks", "profiles", "signals", "ranker", "timezone"}
    dumped = json.loads(spec.model_dump_json(include=sections))
    dumped["format"] = SAMPLES_FORMAT
    dumped["ranker"] = {k: v for k, v in dumped["ranker"].items() if k not in NETWORK_SETTINGS}
    return dict(dumped)


def _key(*parts: Any) -> str:
    text = json.dumps([version("recprism"), *parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _sweep(cache: Path, pattern: str, keep: int) -> None:
    """Remove all but the `keep` newest folders of a kind: their sources or settings are gone."""
    found = sorted(cache.glob(pattern), key=lambda path: path.stat().st_mtime)
    for old in found[: len(found) - keep]:
        shutil.rmtree(old, ignore_errors=True)


@dataclass(frozen=True)
class _Parts:
    """Which samples a task trains on, validates on and is calibrated on.

    `calibrate` are whole lists that training does not see, with users without outcomes. Where
    training and validation share a snapshot (`by_user`), users tell them apart.
    """

    train: Sequence[Part]
    valid: Sequence[Part]
    calibrate: Sequence[Part]
    valid_from: int
    by_user: bool = False

    @property
    def all(self) -> list[Part]:
        return list(dict.fromkeys([*self.train, *self.valid, *self.calibrate]))


def _parts_of(workspace: Workspace, plans: Mapping[str, TaskPlan], until: int) -> dict[str, _Parts]:
    """The samples of each task with a goal; empty when there is too little past to learn from."""
    goals = {name: plan for name, plan in plans.items() if plan.has_goal}
    weekly = [plan.horizon_us for plan in goals.values() if plan.spec.ask == "weekly"]
    spec = workspace.ground.project
    schedule = make_schedule(
        workspace.log, until, max(weekly, default=WEEK_US), spec.timezone, spec.ranker.snapshots
    )
    if len(schedule.weekly) < min(2, spec.ranker.snapshots):
        return {}
    parts = {
        name: _weekly_parts(name, schedule, until)
        if plan.spec.ask == "weekly"
        else _daily_parts(name, schedule)
        for name, plan in goals.items()
    }
    return {name: chosen for name, chosen in parts.items() if chosen.train}


def _weekly_parts(task: str, schedule: Schedule, until: int) -> _Parts:
    *earlier, last = schedule.weekly
    whole = [Part(task, last, "whole")]
    if not earlier:
        return _Parts([Part(task, last, "weekly")], whole, whole, until, by_user=True)
    return _Parts([Part(task, at, "weekly") for at in earlier], whole, whole, last)


def _daily_parts(task: str, schedule: Schedule) -> _Parts:
    recent = [*schedule.weekly, *schedule.latest]
    # Never after the last weekly snapshot: calibration needs one.
    valid_from = min(recent[-min(VALID_WEEKS, len(recent) // 2)], schedule.weekly[-1])
    days = [Part(task, at, "days") for at in recent]
    sparse = [Part(task, at, "sparse-days") for at in schedule.sparse]
    return _Parts(
        [*sparse, *(part for part in days if part.at < valid_from)],
        [part for part in days if part.at >= valid_from],
        [Part(task, at, "whole") for at in schedule.weekly if at >= valid_from],
        valid_from,
    )


def _fit_rankers(
    workspace: Workspace,
    plans: Mapping[str, TaskPlan],
    parts: Mapping[str, _Parts],
    until: int,
    architecture: str | None,
    progress: Progress | None,
    timer: Timer,
) -> tuple[dict[str, TaskRanker], dict[str, Any]]:
    """Train, export and calibrate; returns the rankers and an account of the training."""
    if not parts:
        return {}, {"tasks": {}, "note": "no task with a goal has enough past to learn from"}
    from recprism.ranker.export import export_onnx
    from recprism.ranker.train import TaskData, predict, train_ranker

    folder, ranker = workspace.samples, workspace.ground.project.ranker
    if architecture is not None:
        ranker = ranker.model_copy(update={"architecture": architecture})
    with timer.time("load samples"):
        data = {
            task: TaskData(*_load_data(folder, chosen, plans[task], until))
            for task, chosen in parts.items()
        }
    data = {task: lists for task, lists in data.items() if len(lists.train)}
    if not data:
        return {}, {"tasks": {}, "note": "nobody reached a goal in the past that is known"}
    with timer.time("train"):
        features = workspace.features
        rule = features.numbers.index(PERSONAL_RULE)
        trained = train_ranker(data, features.codes, ranker, progress, rule)
    rankers, account = {}, {}
    with timer.time("calibrate"):
        graphs = export_onnx(trained)
        for i, task in enumerate(trained.tasks):
            lists = data[task].valid
            if not parts[task].by_user:
                lists = _load(folder, parts[task].calibrate, plans[task], until)
            logit = predict(trained.networks[i], i, lists)
            calibration = fit_calibration(logit, lists.label, lists.weight)
            rankers[task] = TaskRanker.open(graphs[task], calibration, trained.medians[i])
            account[task] = {
                "lists": len(data[task].train),
                "validation_lists": len(data[task].valid),
                "validation_ndcg@10": trained.history[task],
                "leaning_on_rule": trained.leaning[task],
                "calibration": calibration.method,
                "calibration_positives": calibration.positives,
            }
    return rankers, {"tasks": account, "architecture": ranker.architecture, "seed": ranker.seed}


def _load_data(folder: Path, parts: _Parts, plan: TaskPlan, until: int) -> tuple[Samples, Samples]:
    """The lists that one task trains on, and those that it validates on."""
    train = _load(folder, parts.train, plan, until, before=parts.valid_from)
    valid = _load(folder, parts.valid, plan, until)
    if not parts.by_user:
        return train, valid
    everyone, held = np.union1d(train.user, valid.user), np.unique(valid.user)
    most = max(1, round(HELD_SHARE * len(everyone)))
    if len(held) > most:
        held = np.random.default_rng(0).choice(held, most, replace=False)
    return train.without(held), valid.without(np.setdiff1d(everyone, held))


def _load(
    folder: Path, parts: Sequence[Part], plan: TaskPlan, until: int, before: int | None = None
) -> Samples:
    """The lists of `parts` whose outcomes were complete at `until`.

    With `before`, lists whose outcomes reach into the validation span are left out. The parts of
    one task follow one another, and a list belongs to the latest snapshot at or before it.
    """
    end = (
        until - plan.horizon_us + 1 if before is None else min(before, until) - plan.horizon_us + 1
    )
    ordered = sorted(parts, key=lambda part: part.at)
    found = []
    for i, part in enumerate(ordered):
        stop = ordered[i + 1].at if i + 1 < len(ordered) else end
        found.append(load_part(folder, part).between(part.at, min(stop, end)))
    return Samples.concatenate(found)


def _effects(plan: TaskPlan, known: EventLog, until: int) -> SlotEffects | None:
    """The slot effects of a task with slots."""
    offers = plan.kind.offers
    if not plan.spec.slots or offers is None or plan.links is None:
        return None
    return SlotEffects.fit(offers, plan.links.targets, goal_events(known, plan), before=until)
