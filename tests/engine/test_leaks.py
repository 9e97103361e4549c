"""Nothing that comes after a moment changes what is answered at that moment."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.engine.shop_facts import UNTIL

from recprism.engine import Engine, open_engine
from recprism.pipeline import train
from recprism.project import load_project
from recprism.store import MemoryStore
from recprism.testing.shops import MILK_BUYER, NEVER_SOLD, shop_users

pytestmark = pytest.mark.slow

CUT = datetime.fromisoformat(UNTIL)
LATER = CUT + timedelta(days=5)


def plant(shop: Path, users: list[str], start: datetime) -> None:
    """Let `users` buy what nobody ever bought, and milk, every hour from `start` on for a day."""
    with (shop / "data" / "purchases.csv").open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for user in users:
            for hour in range(24):
                time = start + timedelta(hours=hour)
                for product in (*NEVER_SOLD, "p01"):
                    writer.writerow([user, product, time.isoformat(), 1.0, f"planted-{user}", "2"])
    with (shop / "data" / "redemptions.csv").open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows(
            [user, "c-milk", "7", f"{start + timedelta(days=1):%Y-%m-%d}"] for user in users
        )


def answers(engine: Engine, at: datetime) -> Mapping[str, Any]:
    """What all users and a stranger are shown at `at`, to the last digit of a score."""
    return {
        str(user): engine.recommend(user, at=at).to_dict()["lists"]
        for user in [*shop_users(), None]
    }


@pytest.fixture
def planted(past_shop: Path, tmp_path: Path) -> Path:
    """A copy of the shop, without artifacts, to plant events in."""
    ignored = shutil.ignore_patterns("artifacts", "prepared-*", "samples-*")
    return Path(shutil.copytree(past_shop, tmp_path / "shop", ignore=ignored))


@pytest.fixture(scope="module")
def truth(past_shop: Path) -> Mapping[str, Any]:
    return answers(open_engine(past_shop, store=MemoryStore()), CUT)


def test_training_until_a_moment_sees_nothing_after_it(
    planted: Path, truth: Mapping[str, Any]
) -> None:
    plant(planted, shop_users(), CUT)
    train(load_project(planted), until=UNTIL)
    assert answers(open_engine(planted, store=MemoryStore()), CUT) == truth


def test_people_who_come_later_change_nothing_either(
    planted: Path, truth: Mapping[str, Any]
) -> None:
    plant(planted, [f"new {n}" for n in range(8)], CUT)
    train(load_project(planted), until=UNTIL)
    assert answers(open_engine(planted, store=MemoryStore()), CUT) == truth


def test_the_same_events_before_the_moment_do_change_answers(
    planted: Path, truth: Mapping[str, Any]
) -> None:
    plant(planted, shop_users(), CUT - timedelta(days=2))
    train(load_project(planted), until=UNTIL)
    assert answers(open_engine(planted, store=MemoryStore()), CUT) != truth


def test_events_of_others_after_training_change_no_score(past_shop: Path, planted: Path) -> None:
    shutil.copytree(past_shop / ".recprism" / "artifacts", planted / ".recprism" / "artifacts")
    before = answers(open_engine(planted, store=MemoryStore()), LATER)
    plant(planted, [MILK_BUYER], CUT + timedelta(days=1))
    after = answers(open_engine(planted, store=MemoryStore()), LATER)
    assert {user for user in before if before[user] != after[user]} == {MILK_BUYER}


def test_own_events_after_the_asked_moment_change_no_score(past_shop: Path, planted: Path) -> None:
    shutil.copytree(past_shop / ".recprism" / "artifacts", planted / ".recprism" / "artifacts")
    before = answers(open_engine(planted, store=MemoryStore()), LATER)
    plant(planted, [MILK_BUYER, "u20"], LATER)
    assert answers(open_engine(planted, store=MemoryStore()), LATER) == before
