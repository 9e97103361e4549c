"""From the `store:` section of a project to a store."""

from __future__ import annotations

from pathlib import Path

from recprism.errors import StoreError
from recprism.project import Project
from recprism.store.memory import MemoryStore
from recprism.store.sqlite import SqliteStore
from recprism.store.store import Store


def open_project_store(project: Project) -> Store:
    """The store of a project: the one that it names, else `.recprism/store.sqlite`."""
    usual = project.path / ".recprism" / "store.sqlite"
    return open_store(project.spec.store.url, usual, project.path)


def open_store(url: str | None, default_path: Path, base: Path | None = None) -> Store:
    """The store that `url` names, the SQLite file `default_path` when there is none.

    `sqlite:///live.sqlite` is a file relative to `base` (the project directory),
    `sqlite:////srv/live.sqlite` an absolute one, `memory:` forgets when the process ends. Nothing
    is made before the first write. Raises `StoreError` for any other address.
    """
    if url is None:
        return SqliteStore(default_path)  # type: ignore[return-value]
    if url == "memory:":
        return MemoryStore()
    scheme, _, rest = url.partition(":///")
    if scheme != "sqlite" or not rest:
        raise StoreError(
            f"`{url}` is no store that this version knows. "
            "Write `sqlite:///FILE` or `memory:` under `store: url:`."
        )
    return SqliteStore((base or Path()) / rest)  # type: ignore[return-value]
