"""One engine for all reading tests, and one whose artifact ends in the past."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.engine.composers import door_to
from tests.engine.shop_facts import UNTIL, ShopFacts, read_facts

from recprism.engine import Engine, open_engine
from recprism.llm.backend import Backend
from recprism.pipeline import train
from recprism.project import load_project
from recprism.store import MemoryStore


@pytest.fixture(scope="session")
def engine(trained_shop: Path) -> Engine:
    """The shop's engine, asked only; tests that write open one of their own."""
    return open_engine(trained_shop, store=MemoryStore())


@pytest.fixture(scope="session")
def facts(trained_shop: Path) -> ShopFacts:
    """What the shop's tables say, read with plain Python."""
    return read_facts(trained_shop)


@pytest.fixture(scope="session")
def past_shop(trained_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop, trained on what was known before `UNTIL`; its tables go on after it."""
    folder = tmp_path_factory.mktemp("past") / "shop"
    shutil.copytree(trained_shop, folder, ignore=shutil.ignore_patterns("artifacts"))
    train(load_project(folder), until=UNTIL)
    return folder


@pytest.fixture
def with_composer(trained_shop: Path) -> Iterator[Callable[..., Engine]]:
    """Opens the shop with a model behind the door; all that was opened is closed."""
    opened: list[Engine] = []

    def open_(backend: Backend, *arguments: Any, **settings: Any) -> Engine:
        door = door_to(backend, *arguments, **settings)
        opened.append(open_engine(trained_shop, store=MemoryStore(), door=door))
        return opened[-1]

    yield open_
    for engine in opened:
        engine.close()
