"""From sources to a workspace: loaded, cleaned and encoded once per state of the sources."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from recprism.artifact import write_arrays
from recprism.content.encoder import open_encoder
from recprism.content.label_asking import ROLE, chooser_for
from recprism.content.label_choice import Chooser
from recprism.content.label_items import guess_items
from recprism.content.vectors import Content, build_content, encode_queries
from recprism.data.build import load_dataset
from recprism.data.dataset import Dataset, EventLog
from recprism.data.online import Online
from recprism.data.report import CleaningReport
from recprism.data.saved import save_dataset
from recprism.errors import watch_disk
from recprism.llm import open_door
from recprism.model import Learned
from recprism.pipeline.online import read_store
from recprism.pipeline.timing import Progress, Timer
from recprism.project import Project
from recprism.project.schema import ProjectFile
from recprism.ranker.features import FeatureSpec
from recprism.ranker.harvest import open_ground
from recprism.signals.snapshot import Ground

SAMPLES_FORMAT = 7
"""Raised whenever samples of the same data and settings would come out differently."""
PREPARED_FORMAT = 4
"""Raised whenever the same sources and settings would be prepared differently."""
DATA_SECTIONS = {"users", "items", "events", "links", "content", "clock"}
NETWORK_SETTINGS = {
    "architecture",
    "shared_experts",
    "task_experts",
    "extraction_layers",
    "expert_size",
    "loss_weights",
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


@dataclass(frozen=True)
class Workspace:
    """A project whose data is loaded, cleaned and encoded.

    `folder` holds all of that in the form that worker processes map; `samples` is where they leave
    training samples. `labels` says what was guessed of each label that items lack (see
    `guess_items`), `learned` how much of the store is in the log.
    """

    project: Project
    ground: Ground
    log: EventLog
    report: Sequence[Mapping[str, Any]]
    folder: Path
    samples: Path
    labels: Sequence[Mapping[str, Any]] = ()
    learned: Learned = field(default_factory=Learned)

    @property
    def features(self) -> FeatureSpec:
        """What the rankers see."""
        return FeatureSpec.build(self.ground)


def prepare(
    project: Project,
    progress: Progress | None = None,
    timer: Timer | None = None,
    *,
    purge: bool = False,
) -> Workspace:
    """Load, clean and encode; instant when neither sources, store nor settings changed since.

    `purge` removes from the store what is older than `privacy.retention`.
    Raises `DataError` for sources that cannot be used, `StoreError` for a store that cannot be
    read, `DiskFull` when there is no room.
    """
    timer = timer or Timer()
    observed = read_store(project, purge=purge)
    cache = project.path / ".recprism" / "cache"
    key = _key(PREPARED_FORMAT, _of_data(project.spec), [*_fingerprint(project), *observed.state])
    folder = cache / f"prepared-{key}"
    if not (folder / "project.json").is_file() or _unanswered(folder):
        with watch_disk(cache):
            cache.mkdir(parents=True, exist_ok=True)
            _sweep(cache, "prepared-*", keep=1)
            _sweep(cache, "samples-*", keep=1)
            _build(project, observed.online, folder, progress, timer)
    written = project.spec.model_dump_json(by_alias=True)
    with watch_disk(folder):
        (folder / "project.json").write_text(written, encoding="utf-8")
    ground, log = open_ground(str(folder))
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    samples = cache / f"samples-{_key(_of_samples(project.spec), key)}"
    ground = Ground(ground.catalog, ground.content, ground.labels, project.spec, ground.wishes)
    return Workspace(
        project, ground, log, report, folder, samples, _labels(folder), observed.learned
    )


def _labels(folder: Path) -> list[dict[str, Any]]:
    return list(json.loads((folder / "labels.json").read_text(encoding="utf-8")))


def _unanswered(folder: Path) -> bool:
    """Whether the language model left questions open, which it may answer this time."""
    return any(row.get("llm", {}).get("unanswered") for row in _labels(folder))


def _build(
    project: Project, online: Online, folder: Path, progress: Progress | None, timer: Timer
) -> None:
    """Load and encode into a fresh folder, which then takes its name in one step."""
    cache = folder.parent
    fresh = cache / f".{folder.name}-{os.getpid()}"
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        with timer.time("load"):
            dataset = load_dataset(project, progress=progress, online=online)
        with timer.time("encode"):
            content, arrays = _encode(project.spec, dataset, cache / "vectors", progress)
        with timer.time("label"):
            dataset, labels = _label(project, dataset, content, cache / "vectors", progress)
        save_dataset(dataset, fresh)
        write_arrays(fresh / "content.safetensors", arrays)
        (fresh / "labels.json").write_text(json.dumps(labels, ensure_ascii=False), "utf-8")
        (fresh / "project.json").write_text(project.spec.model_dump_json(by_alias=True), "utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _encode(
    spec: ProjectFile, dataset: Dataset, cache: Path, progress: Progress | None
) -> tuple[Content, dict[str, Any]]:
    """The content, and its arrays with `wishes` when users have texts."""

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
    return content, arrays


def _label(
    project: Project, dataset: Dataset, content: Content, cache: Path, progress: Progress | None
) -> tuple[Dataset, list[dict[str, Any]]]:
    """The data set with guesses where items lack a label, its report with their number, and what
    was guessed of each label."""
    spec = project.spec
    encoder = open_encoder(spec.content.encoder)
    door = open_door(spec.llm, project.path) if spec.llm.has_role(ROLE) else None

    def told(done: int, total: int) -> None:
        if progress is not None:
            progress("ask about labels", done / max(1, total))

    def chooser(kind: str, label: str) -> Chooser | None:
        return chooser_for(door, spec, kind, label, told)

    try:
        catalog, said = guess_items(
            dataset.catalog,
            content,
            encoder,
            spec.content.unknown_below,
            choosers=chooser,
            cache=cache,
        )
    finally:
        if door is not None:
            door.close()
    report = CleaningReport()
    for row in said:
        source = f"items.{row['kind']}"
        known = f"from {row['basis']}"
        for rule, count in (("label-guessed", row["guessed"]), ("label-unknown", row["unknown"])):
            report.add(rule, source, count, [known], column=row["label"], of=row["missing"])
    return replace(dataset, catalog=catalog, report=[*dataset.report, *report.rows()]), said


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


def _of_data(spec: ProjectFile) -> dict[str, Any]:
    """The settings that the prepared data depends on."""
    found = dict(json.loads(spec.model_dump_json(include=DATA_SECTIONS)))
    if spec.llm.has_role(ROLE):
        role = json.loads(spec.model_dump_json())["llm"]["roles"][ROLE]
        found["labels"] = [spec.llm.backend, spec.llm.base_url, spec.llm.model, role]
        found["fields"] = sorted(spec.llm.fields)
    return found


def _of_samples(spec: ProjectFile) -> dict[str, Any]:
    """The settings that training samples depend on, beside the data."""
    sections = {"tasks", "profiles", "signals", "ranker", "timezone"}
    dumped = json.loads(spec.model_dump_json(include=sections))
    dumped["format"] = SAMPLES_FORMAT
    dumped["min_segment"] = spec.privacy.min_segment
    for task in dumped["tasks"].values():
        del task["score"]  # it orders what is served, nothing learns from it
    if spec.llm.has_role("rank"):
        asked = spec.llm.model_dump(mode="json", include={"backend", "model", "base_url", "fields"})
        role = spec.llm.roles["rank"]
        dumped["llm"] = {**asked, "own": getattr(role, "model", None)}
    else:
        del dumped["signals"]["llm"]
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
