"""From the `store:` section of a project, or the environment, to a store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from recprism.errors import StoreError
from recprism.project import Project
from recprism.store.database import Database
from recprism.store.memory import MemoryStore
from recprism.store.postgres import PostgresDatabase, is_postgres
from recprism.store.sql import SqlStore
from recprism.store.sqlite import SqliteFile
from recprism.store.store import Store

URL_VARIABLE: Final = "RECPRISM_STORE_URL"
"""Set, this environment variable takes the place of `store: url:`."""
MEMORY: Final = "memory:"


def open_project_store(project: Project) -> Store:
    """The store of a project: what its file or the environment names, else a file in `.recprism`.

    See `open_store`.
    """
    return open_store(project.spec.store.url, _usual(project), project.path)


def project_database(project: Project) -> Database:
    """The database of a project's store. Raises `StoreError` where it is `memory:`."""
    return find_database(project.spec.store.url, _usual(project), project.path)


def _usual(project: Project) -> Path:
    return project.path / ".recprism" / "store.sqlite"


def open_store(url: str | None, default_path: Path, base: Path | None = None) -> Store:
    """The store that `url` names, the SQLite file `default_path` when there is none.

    `sqlite:///live.sqlite` is a file relative to `base` (the project directory),
    `sqlite:////srv/live.sqlite` an absolute one, `postgresql://USER:PASSWORD@HOST/DATABASE` a
    database, `memory:` forgets when the process ends. The environment variable `RECPRISM_STORE_URL`
    comes before all of them. Nothing is made before the first write. Raises `StoreError` for any
    other address.
    """
    if (os.environ.get(URL_VARIABLE) or url) == MEMORY:
        return MemoryStore()
    return SqlStore(find_database(url, default_path, base))


def find_database(url: str | None, default_path: Path, base: Path | None = None) -> Database:
    """The database that `open_store` would open. Raises `StoreError` for `memory:` too."""
    url = os.environ.get(URL_VARIABLE) or url
    if url == MEMORY:
        raise StoreError(f"The store `{MEMORY}` forgets when the process ends; nothing is kept.")
    if url is None:
        return SqliteFile(default_path)
    if is_postgres(url):
        return PostgresDatabase(url)
    scheme, _, rest = url.partition(":///")
    if scheme != "sqlite" or not rest:
        raise StoreError(
            f"`{_without_user(url)}` is no store that this version knows. Write "
            "`sqlite:///FILE`, `postgresql://...` or `memory:` under `store: url:` or in the "
            f"environment variable `{URL_VARIABLE}`."
        )
    return SqliteFile((base or Path()) / rest)


def _without_user(url: str) -> str:
    """An address that may be shown: what stands before an `@` could be a password."""
    scheme, separator, rest = url.rpartition("://")
    place = rest.rpartition("@")[2].partition("?")[0]
    return f"{scheme}{separator}{place}"
