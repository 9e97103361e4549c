"""Samples of many snapshots, made by several processes and kept on disk.

A snapshot is a job of its own: fit the signals on what was known, ask the occasions, write the
samples. What was written for one cut-off serves the next one too, since samples depend on the
snapshot alone; the folder is named after everything else that they depend on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from recprism.artifact import read_arrays, write_arrays
from recprism.content.label_codes import LabelCodes
from recprism.content.vectors import Content
from recprism.data.dataset import DAY_US, EventLog
from recprism.data.saved import open_catalog, open_events
from recprism.errors import ArtifactError
from recprism.project.schema import ProjectFile
from recprism.ranker.features import FeatureSpec
from recprism.ranker.occasions import Occasions, goal_days, goal_events, weekly_occasions
from recprism.ranker.samples import Samples, Sampling, make_samples
from recprism.signals.interface import Progress
from recprism.signals.plan import TaskPlan, compile_tasks
from recprism.signals.registry import has_trained
from recprism.signals.snapshot import Ground, Snapshot, fit_snapshot
from recprism.signals.teacher import Teacher

WHOLE_USERS = 1200
RARE_USERS = 300
"""At most so many users, drawn at random, are asked for whole lists at one snapshot; for rare goals
fewer, beside all who reached the goal."""
SHARD_USERS = 4_000
"""The weekly lists of a snapshot are made in pieces of so many users."""
FEW_EVENTS = 50_000
"""With fewer events this process is done before others have started (some seconds each)."""
WEEK_US = 7 * DAY_US

LIFE_WEEKS = 9
MOST_A_DAY = 64
"""A snapshot is asked about the goal days of so many weeks after it, on each day of at most so many
users, drawn at random."""

Mode = Literal["weekly", "whole", "days"]
"""`weekly`: sampled lists of everyone with an outcome, asked at the snapshot. `whole`: whole lists
of users drawn at random, with outcomes or not. `days`: whole lists on the goal days of the
`LIFE_WEEKS` from the snapshot on."""


@dataclass(frozen=True)
class Part:
    """The samples of one task, snapshot (microseconds) and mode."""

    task: str
    at: int
    mode: Mode

    @property
    def file(self) -> str:
        return f"{self.at // 1_000_000}-{self.task}-{self.mode}.safetensors"


def load_part(folder: Path, part: Part) -> Samples:
    """Samples that `harvest` made. Raises `ArtifactError` when they are missing."""
    return Samples.from_arrays(read_arrays(folder / part.file))


def harvest(
    prepared: Path,
    folder: Path,
    parts: Sequence[Part],
    progress: Progress | None = None,
    teacher: Teacher | None = None,
) -> None:
    """Make those of `parts` that `folder` does not hold yet.

    `prepared` is the folder of the data set, its content and the project file (see `open_ground`).
    `teacher` is asked by this process alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [part for part in parts if not _is_readable(folder / part.file)]
    if not missing:
        return
    ground, log = open_ground(str(prepared))
    jobs = _jobs(log, missing)
    if has_trained(ground.project) or len(jobs) > len({part.at for part in missing}):
        for at in sorted({part.at for part in missing}):
            fit_or_load(ground, log, at, folder, keep=True, progress=progress, teacher=teacher)
    workers = 1 if len(log) < FEW_EVENTS else min(os.cpu_count() or 1, len(jobs))
    pool = Parallel(n_jobs=workers, return_as="generator_unordered", mmap_mode="r")
    done = pool(delayed(make_parts)(str(prepared), str(folder), job) for job in jobs)
    for n, _ in enumerate(done, start=1):
        if progress is not None:
            progress("make training samples", n / len(jobs))
    for part in missing:
        _join_shards(folder, part)


@dataclass(frozen=True)
class Job:
    """Parts of one snapshot that one process makes; of weekly parts a shard of the users."""

    parts: Sequence[Part]
    shard: int = 0


def _jobs(log: EventLog, missing: Sequence[Part]) -> list[Job]:
    """What there is to do, the longest first."""
    jobs: list[Job] = []
    for at in sorted({part.at for part in missing}):
        parts = [part for part in missing if part.at == at]
        weekly = [part for part in parts if part.mode == "weekly"]
        n_shards = -(-len(weekly_occasions(log, at)) // SHARD_USERS) if weekly else 1
        jobs.append(Job(parts))
        jobs += [Job(weekly, shard) for shard in range(1, n_shards)]
    return sorted(jobs, key=lambda job: -sum(4 if p.mode == "whole" else 1 for p in job.parts))


def make_parts(prepared: str, folder: str, job: Job) -> None:
    """Fit the snapshot of a job, or take the one that was kept, and write the job's samples."""
    ground, log = open_ground(prepared)
    plans = compile_tasks(ground.project, ground.catalog)
    snapshot = fit_or_load(ground, log, job.parts[0].at, Path(folder))
    for mode in dict.fromkeys(part.mode for part in job.parts):
        chosen = [plans[part.task] for part in job.parts if part.mode == mode]
        for task, samples in _samples(ground, log, snapshot, chosen, mode, job.shard).items():
            path = Path(folder) / Part(task, snapshot.at, mode).file
            _write(_shard_of(path, job.shard), samples.to_arrays())


def _write(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write beside the place and move in one step: others may be reading."""
    fresh = path.with_suffix(f".{os.getpid()}")
    write_arrays(fresh, arrays)
    fresh.replace(path)


def _shard_of(path: Path, shard: int) -> Path:
    return path.with_suffix(f".shard-{shard}")


def _join_shards(folder: Path, part: Part) -> None:
    """Put the shards of a part together, in order.

    Only now is there a file of the part's own name: a run that was killed before leaves none that
    would be taken for the whole.
    """
    path, shards = folder / part.file, list[Path]()
    while (shard := _shard_of(path, len(shards))).is_file():
        shards.append(shard)
    if len(shards) > 1:
        pieces = [Samples.from_arrays(read_arrays(shard)) for shard in shards]
        _write(shards[0], Samples.concatenate(pieces).to_arrays())
    for shard in shards[1:]:
        shard.unlink()
    shards[0].replace(path)


def fit_or_load(
    ground: Ground,
    log: EventLog,
    at: int,
    folder: Path,
    *,
    keep: bool = False,
    progress: Progress | None = None,
    teacher: Teacher | None = None,
) -> Snapshot:
    """The snapshot at a moment.

    One with signals that take long to train is kept in `folder`, and so is any with `keep`.
    """
    # Named to the microsecond: one after the last event and one at it know different things.
    file, names = folder / f"snapshot-{at}.safetensors", folder / f"snapshot-{at}.json"
    if not (names.is_file() and _is_readable(file)):
        if not (keep or has_trained(ground.project)):
            return fit_snapshot(ground, log, at, progress)
        snapshot = fit_snapshot(ground, log, at, progress, teacher)
        folder.mkdir(parents=True, exist_ok=True)
        _write(file, snapshot.to_arrays())
        names.write_text(json.dumps(list(snapshot.segments.names)), encoding="utf-8")
    segments = json.loads(names.read_text(encoding="utf-8"))
    return Snapshot.from_arrays(read_arrays(file), segments, ground)


def open_ground(prepared: str) -> tuple[Ground, EventLog]:
    """Catalog, content, labels, project file and all events of a prepared folder, mapped."""
    return _open_ground(prepared, (Path(prepared) / "project.json").read_bytes())


@lru_cache(maxsize=1)
def _open_ground(prepared: str, written: bytes) -> tuple[Ground, EventLog]:
    """Kept for the next job, unless the settings were changed since: processes live longer."""
    folder = Path(prepared)
    catalog = open_catalog(folder)
    arrays = read_arrays(folder / "content.safetensors")
    wishes = arrays.get("wishes")
    project = ProjectFile.model_validate_json(written)
    labels = LabelCodes.build(catalog)
    ground = Ground(catalog, Content.from_arrays(arrays), labels, project, wishes)
    return ground, open_events(folder)


def _samples(
    ground: Ground,
    log: EventLog,
    snapshot: Snapshot,
    plans: Sequence[TaskPlan],
    mode: Mode,
    shard: int,
) -> dict[str, Samples]:
    config, at = ground.project.ranker, snapshot.at
    spec = FeatureSpec.build(ground)
    sampling = Sampling(config.shortlist, None, only_hits=False, seed=config.seed)
    if mode == "days":
        found: dict[str, Samples] = {}
        for plan in plans:
            days = goal_days(log, plan, at, at + LIFE_WEEKS * WEEK_US)
            days = _some_a_day(days, MOST_A_DAY, config.seed)
            found |= make_samples(spec, snapshot, log, [plan], days, sampling)
        return found
    everyone = weekly_occasions(log, at)
    if mode == "weekly":
        sampling = replace(sampling, negatives=config.negatives, only_hits=True)
        mine = everyone.take(np.arange(len(everyone)) // SHARD_USERS == shard)
        return make_samples(spec, snapshot, log, plans, mine, sampling)
    often = [plan for plan in plans if plan.spec.ask == "weekly"]
    drawn = _some(everyone, WHOLE_USERS, config.seed)
    found = make_samples(spec, snapshot, log, often, drawn, sampling) if often else {}
    for plan in plans:
        if plan not in often:
            found[plan.name] = _rare(spec, snapshot, log, plan, everyone, sampling)
    return found


def _rare(
    spec: FeatureSpec,
    snapshot: Snapshot,
    log: EventLog,
    plan: TaskPlan,
    everyone: Occasions,
    sampling: Sampling,
) -> Samples:
    """Whole lists for a rare goal: all who reached it within the horizon, and some of the rest.

    The rest is weighted by the inverse of its rate, so that the lists stand for everyone.
    """
    goals = goal_events(log.between(snapshot.at, snapshot.at + plan.horizon_us), plan)
    hit = np.isin(everyone.user, goals.user)
    rest = _some(everyone.take(~hit), RARE_USERS, sampling.seed)
    drawn = Occasions(
        np.concatenate([everyone.user[hit], rest.user]),
        np.concatenate([everyone.time[hit], rest.time]),
    )
    found = make_samples(spec, snapshot, log, [plan], drawn, sampling)[plan.name]
    rate = len(rest) / max(1, int((~hit).sum()))
    of_row = np.repeat(np.isin(found.user, everyone.user[hit]), np.diff(found.offsets))
    weight = np.where(of_row, 1.0, 1.0 / max(rate, 1e-9)).astype(np.float32)
    return replace(found, weight=weight)


def _some(occasions: Occasions, most: int, seed: int) -> Occasions:
    """At most `most` of the occasions, drawn at random."""
    if len(occasions) <= most:
        return occasions
    drawn = np.random.default_rng(seed).choice(len(occasions), most, replace=False)
    return occasions.take(np.sort(drawn))


def _some_a_day(occasions: Occasions, most: int, seed: int) -> Occasions:
    """At most `most` of the occasions of each day, drawn at random.

    Each day is drawn from by itself: what comes after a cut-off must not decide which days before
    it are learned from.
    """
    kept = [np.zeros(0, np.int64)]
    for day in np.unique(occasions.time).tolist():
        rows = np.flatnonzero(occasions.time == day)
        if len(rows) > most:
            rows = np.random.default_rng((seed, day // DAY_US)).choice(rows, most, replace=False)
        kept.append(rows)
    return occasions.take(np.sort(np.concatenate(kept)))


def _is_readable(path: Path) -> bool:
    try:
        return bool(read_arrays(path))
    except ArtifactError:
        return False
