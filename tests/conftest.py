"""Fixtures that several stages share."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from recprism.testing.postgres import PostgresServer

os.environ.setdefault("OMP_NUM_THREADS", "1")
"""On a busy machine threads that wait for each other make small trainings take minutes."""

SMALL_DISK_BYTES = 4 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of four megabytes."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk takes root")
    place = tmp_path / "small-disk"
    place.mkdir()
    size = f"size={SMALL_DISK_BYTES}"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(place)], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"this machine does not mount a tmpfs: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture(scope="session")
def trained_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small shop, trained once on all its data. Read it only; `shop_copy` may be changed."""
    from recprism.pipeline import train
    from recprism.project import load_project
    from recprism.testing.shops import write_shop

    folder = write_shop(tmp_path_factory.mktemp("trained") / "shop")
    train(load_project(folder))
    return folder


@pytest.fixture
def shop_copy(trained_shop: Path, tmp_path: Path) -> Path:
    """A trained shop of one's own."""
    return Path(shutil.copytree(trained_shop, tmp_path / "shop"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of our own; skips where none can be started."""
    pytest.importorskip("psycopg")
    from recprism.testing.postgres import NoPostgres, running_postgres

    try:
        with running_postgres() as server:
            yield server
    except NoPostgres as why:
        pytest.skip(f"no PostgreSQL here: {why}")
