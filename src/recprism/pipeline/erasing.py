"""Erasing a person from everything that a project keeps.

In comes an id, out goes a receipt that does not hold it. The order matters: first the store
remembers that the person is gone, from when on nothing is answered from what was known, and no
training reads or publishes it; then the artifacts are written anew without them; then goes what was
only kept to save time. What is not reached is named: sources, and a training that is at work.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recprism.artifact import ArtifactShelf, read_manifest
from recprism.data.dataset import Dataset
from recprism.data.forgotten import Forgotten
from recprism.data.held import Held, rows_about
from recprism.data.saved import open_catalog, open_report, save_dataset
from recprism.data.times import from_micros, parse_time, to_micros
from recprism.engine import new_request_id
from recprism.erasure import without_people
from recprism.errors import ArtifactError, DataError, MissingExtra, UsageError, watch_disk
from recprism.llm import Ledger
from recprism.llm.opening import LEDGER
from recprism.llm.requests import hash_text
from recprism.model import Model, open_model, save_model
from recprism.pipeline.locking import cleaning_lock, training_lock
from recprism.project import Project
from recprism.store import Erasures, Store, find_id_fault, open_project_store

REPORT = "report.html"
TRAINING = "a training is at work: when it ends, it leaves the person and its caches out"
_CACHES = ("prepared-*", ".prepared-*", "samples-*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What an erasure removed, and what it could not.

    `store` counts rows by table, `artifacts` maps the id of an artifact that held the person to
    the one written in its place, `caches` counts folders of prepared data, `llm_answers` answers
    about the person. `pending` says what goes on in the background, `sources` where rows are left
    that are not ours to remove (they are not read again). `retrain` says whether an artifact is
    left whose learned numbers the person contributed to.
    """

    receipt: str
    time: str
    store: Mapping[str, int]
    artifacts: Mapping[str, str]
    caches: int
    llm_answers: int
    report: bool
    retrain: bool
    pending: tuple[str, ...] = ()
    sources: tuple[Mapping[str, Any], ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "pending": list(self.pending), "sources": list(self.sources)}


def erase(project: Project, store: Store, user: str) -> Receipt:
    """Erase `user` from store, artifacts, caches and answers of the language model.

    An id that nobody knows gets a receipt too, and is remembered as erased. Erasing again is fine,
    and finishes what a crash left. A source that cannot be read keeps nobody from being erased: the
    receipt says so under `pending`. Raises `UsageError` for what cannot be an id, `StoreError` and
    `DiskFull`; what was done before stays done.
    """
    fault = find_id_fault(user)
    if fault is not None:
        raise UsageError(f"Nobody can be erased by this id: {fault}.")
    held, unread = _held(project, user)
    shelf = ArtifactShelf.of(project.path)
    erasures = Erasures(project.path, store)
    removed = erasures.erase(user, _moment(project, shelf, [one.last for one in held]))
    with cleaning_lock(project.path):
        rewritten, pending = clean_artifacts(shelf, erasures.everyone())
    try:
        with training_lock(project.path):
            caches = clear_caches(project.path)
    except UsageError:
        caches, pending = 0, (*pending, TRAINING)
    report = project.path / REPORT
    told = report.is_file() and user.encode() in report.read_bytes()
    if told:
        report.unlink()
    return Receipt(
        receipt=new_request_id(),
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        store=removed,
        artifacts=rewritten,
        caches=caches,
        llm_answers=_forget_answers(project.path, user),
        report=told,
        retrain=bool(rewritten),
        pending=(*pending, *unread),
        sources=tuple(
            {"section": one.section, "source": one.source, "rows": one.rows.height} for one in held
        ),
    )


def _held(project: Project, user: str) -> tuple[list[Held], tuple[str, ...]]:
    """What the sources hold of somebody, and why that is not known."""
    try:
        return rows_about(project, user), ()
    except (DataError, MissingExtra) as error:
        return [], (f"sources may hold rows; they could not be looked through: {error}",)


def clean_artifacts(
    shelf: ArtifactShelf, forgotten: Forgotten
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Write every artifact that holds an erased person anew: (old id to new id, what failed).

    One that was trained after an erasure says so, and holds only what came after it.
    """
    rewritten, failed = {}, []
    for artifact_id in shelf.ids() if forgotten else ():
        try:
            people = _erased_in(shelf.path(artifact_id), forgotten)
            if people:
                rewritten[artifact_id] = _rewrite(shelf, artifact_id, people)
        except ArtifactError:
            failed.append(f"artifact `{artifact_id}` is damaged and may hold the person: remove it")
    return rewritten, tuple(failed)


def _gone(model: Model, forgotten: Forgotten) -> list[str]:
    people = forgotten.left_out(model.catalog.users.ids.values.to_list())
    known = model.learned.erased
    return [one for one, moment in people.items() if known.get(forgotten.digest(one)) != moment]


def _erased_in(folder: Path, forgotten: Forgotten) -> Collection[str]:
    """Whom of the erased an artifact knows from before; cheap where it knows nobody."""
    if not forgotten.left_out(open_catalog(folder).users.ids.values.to_list()):
        return ()
    return _gone(open_model(folder), forgotten)


def _rewrite(shelf: ArtifactShelf, artifact_id: str, people: Collection[str]) -> str:
    old = shelf.path(artifact_id)
    model = without_people(open_model(old), people)
    report = [{**row, "examples": []} for row in open_report(old)]
    folder = shelf.new()
    try:
        with watch_disk(folder):
            save_dataset(Dataset(model.catalog, model.events, report), folder)
            save_model(model, folder)
    except BaseException:
        shelf.discard(folder)
        raise
    return shelf.replace(artifact_id, folder)


def erased_people(project: Project) -> Forgotten:
    """Everyone that the project's store remembers as erased."""
    store = open_project_store(project)
    try:
        return Erasures(project.path, store).everyone()
    finally:
        store.close()


def clear_caches(folder: Path) -> int:
    """Remove prepared data and samples, for whoever holds the lock; how many folders."""
    cache = folder / ".recprism" / "cache"
    found = [path for pattern in _CACHES for path in cache.glob(pattern)]
    for path in found:
        shutil.rmtree(path, ignore_errors=True)
    return len(found)


def _forget_answers(folder: Path, user: str) -> int:
    if not (folder / LEDGER).exists():
        return 0
    ledger = Ledger(folder / LEDGER)
    try:
        return ledger.forget(hash_text(user))
    finally:
        ledger.close()


def _moment(project: Project, shelf: ArtifactShelf, last: Iterable[int | None]) -> datetime:
    """Now on the clock of the sources: after all that they or an artifact hold of the person."""
    past = [one + 1 for one in last if one is not None]
    for artifact_id in shelf.ids():
        with suppress(ArtifactError):  # a damaged one is told of later
            past.append(parse_time(read_manifest(shelf.path(artifact_id))["until"]))
    if project.spec.clock == "wall":
        past.append(to_micros(datetime.now(UTC).replace(tzinfo=None)))
    return from_micros(max(past, default=0))
