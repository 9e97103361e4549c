"""What training publishes and serving maps into memory: versioned folders on a shelf.

In comes a folder that training filled, out goes an artifact with an id. The one decision worth
knowing: a folder appears under its final name by one atomic rename, after everything in it reached
the disk, and only then does `current` name it. A crash at any point leaves the earlier one serving.

    artifacts/
      2026-11-24T02-10-00Z-3f9c/   manifest.json and whatever the stages wrote
      current                      id of the newest artifact
      pinned                       id to serve instead, while somebody rolled back
      .building-...                a training run at work, or the remains of one that died
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from recprism.errors import ArtifactError, NotTrained, UnknownName, watch_disk

FORMAT_VERSION: Final = 1
"""Raised whenever an older RecPrism could not read what this one writes."""

ARTIFACTS: Final = Path(".recprism") / "artifacts"
"""Where they lie in a project directory."""
MANIFEST: Final = "manifest.json"
_BUILDING = ".building-"
_DTYPES: Mapping[str, type[np.generic]] = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "I64": np.int64,
    "U64": np.uint64,
    "I32": np.int32,
    "U32": np.uint32,
    "I16": np.int16,
    "U16": np.uint16,
    "I8": np.int8,
    "U8": np.uint8,
    "BOOL": np.bool_,
}


class ArtifactShelf:
    """The artifacts of one project, under `root` (see `of`)."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self._locks: dict[Path, int] = {}

    @classmethod
    def of(cls, directory: Path) -> Self:
        """The shelf of the project in `directory`."""
        return cls(directory / ARTIFACTS)

    def new(self) -> Path:
        """An empty folder to build an artifact in; remains of dead runs are swept first.

        Raises `DiskFull` when there is no room even for the folder.
        """
        with watch_disk(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            self._sweep()
            while True:
                folder = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=self.root))
                # A sweep of another process may come between the folder and its lock: try again.
                lock = _try_lock(folder)
                if lock is not None:
                    self._locks[folder] = lock
                    folder.chmod(0o755)
                    return folder

    def discard(self, folder: Path) -> None:
        """Remove a folder of `new()` that will not be published; missing is fine."""
        shutil.rmtree(folder, ignore_errors=True)
        self._unlock(folder)

    def publish(self, folder: Path, manifest: Mapping[str, Any]) -> str:
        """Make `folder` the current artifact and return its id.

        `manifest` gains the keys `id`, `created`, `format_version`, `recprism` and `files` (path to
        bytes, by which `read_manifest` finds damage). While an older artifact is pinned it goes on
        serving. Raises `DiskFull`; the folder is then removed to give its space back.
        """
        artifact_id = self._fresh_id()
        try:
            with watch_disk(folder):
                _write_manifest(folder, artifact_id, manifest)
                _sync_tree(folder)
                folder.rename(self.root / artifact_id)
                _sync(self.root)
                self._point("current", artifact_id)
        except Exception:
            shutil.rmtree(self.root / artifact_id, ignore_errors=True)
            self.discard(folder)
            raise
        self._unlock(folder)
        return artifact_id

    def replace(self, artifact_id: str, folder: Path) -> str:
        """Publish `folder` in place of an artifact, which is removed; the new id.

        The manifest is the old one's. Whatever named the old artifact names the new one; a crash in
        between leaves both. Raises as `publish` and `path` do.
        """
        old = self.path(artifact_id)
        manifest = json.loads((old / MANIFEST).read_text(encoding="utf-8"))
        fresh_id = f"{artifact_id}-{secrets.token_hex(2)}"
        serving = [name for name in ("current", "pinned") if self._pointed(name) == artifact_id]
        try:
            with watch_disk(folder):
                _write_manifest(folder, fresh_id, manifest)
                _sync_tree(folder)
                folder.rename(self.root / fresh_id)
                _sync(self.root)
                for pointer in serving:
                    self._point(pointer, fresh_id)
        except Exception:
            self.discard(folder)
            raise
        self._unlock(folder)
        self.remove(artifact_id)
        return fresh_id

    def keep_newest(self, n: int, used: Iterable[str] = ()) -> list[str]:
        """Remove all but the `n` newest artifacts, never the serving or the pinned one, nor those
        of `used`; their ids.

        Whoever has an artifact open keeps its files until they let go of them.
        """
        served = {self._pointed("current"), self.pinned(), *map(self.successor, used)}
        old = [one for one in self.ids()[:-n] if one not in served]
        for artifact_id in old:
            self.remove(artifact_id)
        return old

    def remove(self, artifact_id: str) -> None:
        """Remove an artifact that nothing names: out of sight in one step, then its files."""
        gone = self.root / f"{_BUILDING}{artifact_id}"
        (self.root / artifact_id).rename(gone)
        _sync(self.root)
        shutil.rmtree(gone, ignore_errors=True)

    def ids(self) -> list[str]:
        """Ids of all published artifacts, oldest first; empty before the first training."""
        if not self.root.is_dir():
            return []
        found = [p.name for p in self.root.iterdir() if (p / MANIFEST).is_file()]
        return sorted(name for name in found if not name.startswith("."))

    def path(self, artifact_id: str) -> Path:
        """Folder of one artifact. Raises `UnknownName`."""
        if artifact_id not in self.ids():
            raise UnknownName("artifact", artifact_id, self.ids())
        return self.root / artifact_id

    def successor(self, artifact_id: str) -> str | None:
        """The artifact of this id, or the one that `replace` put in its place; None for none."""
        ids = self.ids()
        if artifact_id in ids:
            return artifact_id
        return next((one for one in ids if one.startswith(f"{artifact_id}-")), None)

    def current(self) -> Path:
        """Folder of the artifact to serve: the pinned one, else the newest.

        Raises `NotTrained` before the first training, `ArtifactError` when the folder is gone.
        """
        serving = self.pinned() or self._pointed("current")
        if serving is None:
            raise NotTrained(self._project())
        if not (self.root / serving / MANIFEST).is_file():
            raise ArtifactError(
                f"`{self.root}` should hold the artifact `{serving}`, which is missing. Choose "
                f"another with `recprism artifacts use {self._project()} ID`, or train again."
            )
        return self.root / serving

    def pinned(self) -> str | None:
        """Id of the artifact that `use` chose, None when the newest is served."""
        return self._pointed("pinned")

    def use(self, artifact_id: str) -> Path:
        """Serve this artifact until `unpin`, also after further trainings.

        Raises `UnknownName`, and `ArtifactError` when the artifact cannot be read.
        """
        folder = self.path(artifact_id)
        read_manifest(folder)
        with watch_disk(self.root):
            self._point("pinned", artifact_id)
        return folder

    def unpin(self) -> None:
        """Serve the newest artifact again; fine when nothing is pinned."""
        (self.root / "pinned").unlink(missing_ok=True)

    def _project(self) -> Path:
        """The project directory, when the shelf has its usual place."""
        return self.root.parent.parent if self.root.parent.name == ".recprism" else self.root

    def _pointed(self, pointer: str) -> str | None:
        try:
            return (self.root / pointer).read_text(encoding="utf-8").strip() or None
        except FileNotFoundError:
            return None

    def _point(self, pointer: str, artifact_id: str) -> None:
        """Replace a pointer in one step; readers see the old id or the new one."""
        fresh = self.root / f".{pointer}-{secrets.token_hex(4)}"
        try:
            fresh.write_text(artifact_id + "\n", encoding="utf-8")
            _sync(fresh)
            fresh.replace(self.root / pointer)
        finally:
            fresh.unlink(missing_ok=True)
        _sync(self.root)

    def _fresh_id(self) -> str:
        while True:
            stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
            artifact_id = f"{stamp}-{secrets.token_hex(2)}"
            if not (self.root / artifact_id).exists():
                return artifact_id

    def _sweep(self) -> None:
        """Remove folders whose builder died: the kernel let go of its lock, so we can take it."""
        for folder in self.root.glob(f"{_BUILDING}*"):
            lock = _try_lock(folder)
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)

    def _unlock(self, folder: Path) -> None:
        lock = self._locks.pop(folder, None)
        if lock is not None:
            os.close(lock)


def read_manifest(folder: Path | str) -> dict[str, Any]:
    """The manifest of an artifact whose files are all there with their sizes.

    Raises `ArtifactError` when the folder is missing, damaged, or written by a newer version.
    """
    path = Path(folder) / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        written = int(manifest["format_version"])
        files = dict(manifest["files"])
    except FileNotFoundError:
        raise ArtifactError(f"`{folder}` is no artifact: it has no `{MANIFEST}`.") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"`{path}` is damaged ({error}). "
            "Train again, or roll back with `recprism artifacts use`."
        ) from error
    if written > FORMAT_VERSION:
        raise ArtifactError(
            f"`{folder}` has format version {written}, this RecPrism ({version('recprism')}) reads "
            f"up to {FORMAT_VERSION}. Upgrade RecPrism, or train again with this version."
        )
    for name, size in files.items():
        found = _size(Path(folder) / name)
        if found != size:
            raise ArtifactError(
                f"`{folder}` is damaged: `{name}` has {found} bytes instead of {size}. "
                "Train again, or roll back with `recprism artifacts use`."
            )
    return dict(manifest)


def write_arrays(path: Path | str, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays to one safetensors file. Raises `DiskFull`."""
    dense = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    for name, array in arrays.items():
        # ascontiguousarray turns a single number into a vector; the file knows shape [] too.
        dense[name] = dense[name].reshape(array.shape)
    with watch_disk(path):
        save_file(dense, str(path))
        Path(path).chmod(0o644)  # it is written for its owner alone, another one may serve it


def read_arrays(path: Path | str) -> dict[str, NDArray[Any]]:
    """The arrays of a safetensors file: read-only, mapped into memory, nothing is copied.

    Raises `ArtifactError` when the file is missing or damaged.
    """
    try:
        with Path(path).open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        start = 8 + int.from_bytes(mapped[:8], "little")
        header = json.loads(mapped[8:start])
        header.pop("__metadata__", None)
        return {name: _array(mapped, start, entry) for name, entry in header.items()}
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise ArtifactError(
            f"`{path}` cannot be read as arrays ({error}). "
            "Train again, or roll back with `recprism artifacts use`."
        ) from error


def _array(mapped: mmap.mmap, start: int, entry: Mapping[str, Any]) -> NDArray[Any]:
    begin, end = entry["data_offsets"]
    dtype = np.dtype(_DTYPES[entry["dtype"]])
    if end == begin:
        return np.zeros(entry["shape"], dtype)
    count = (end - begin) // dtype.itemsize
    return np.frombuffer(mapped, dtype, count, start + begin).reshape(entry["shape"])


def _write_manifest(folder: Path, artifact_id: str, manifest: Mapping[str, Any]) -> None:
    files = {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / MANIFEST
    }
    full = {
        **manifest,
        "id": artifact_id,
        "created": manifest.get("created") or datetime.now(UTC).isoformat(timespec="seconds"),
        "format_version": FORMAT_VERSION,
        "recprism": version("recprism"),
        "files": files,
    }
    text = json.dumps(full, ensure_ascii=False, indent=1)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _try_lock(folder: Path) -> int | None:
    """A descriptor that holds the folder's lock, None when another one holds it or it is gone."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    if not folder.is_dir():
        os.close(lock)
        return None
    return lock


def _sync_tree(folder: Path) -> None:
    """Push every file and folder below `folder`, and itself, to the disk."""
    for path in sorted(folder.rglob("*"), reverse=True):
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
