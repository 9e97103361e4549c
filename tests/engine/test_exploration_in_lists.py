"""Some places of a list go to items of which little is known, and it is known how likely."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.engine.contract import check_list, check_nothing_twice

from recprism.engine import Engine, open_engine
from recprism.engine import engine as engine_module
from recprism.engine.exploring import Tally
from recprism.errors import UsageError
from recprism.project import load_project
from recprism.project.edits import edit_task
from recprism.records import Answer
from recprism.store import Impression, MemoryStore

USER = "u05"
ASKED = 400
EARLIEST = datetime(2000, 1, 1)
Open = Callable[..., Engine]


@pytest.fixture
def exploring(shop_copy: Path) -> Open:
    """Opens the shop with settings of tasks."""

    def open_(**tasks: dict[str, Any]) -> Engine:
        for name, settings in tasks.items():
            edit_task(shop_copy, load_project(shop_copy).spec, name, settings, [])
        return open_engine(shop_copy, store=MemoryStore())

    return open_


@pytest.fixture(autouse=True)
def numbered_requests(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Request ids that are the same in each run."""
    numbers = count()
    monkeypatch.setattr(engine_module, "new_request_id", lambda: f"{next(numbers):026d}")
    return iter(())


def ask(engine: Engine, *tasks: str, **asked: Any) -> Answer:
    return engine.recommend(USER, list(tasks) or None, record=True, explain=False, **asked)


def ids(answer: Answer, task: str, *, explored: bool | None = None) -> list[str]:
    items = answer.lists[task].items
    return [item.id for item in items if explored is None or item.explored == explored]


def recorded(engine: Engine) -> list[Impression]:
    return engine.store.impressions_of(USER, EARLIEST)


def test_nothing_is_explored_unless_a_task_says_so(exploring: Open) -> None:
    answer = ask(exploring())
    assert not any(item.explored for ranked in answer.lists.values() for item in ranked.items)
    assert all("explored" not in item for item in answer.to_dict()["lists"]["ads"]["items"])


def test_the_last_places_go_to_others_and_say_so(exploring: Open) -> None:
    engine = exploring(products={"explore": 0.2})
    usual = engine.recommend(USER, ["products"])
    answer = ask(engine, "products")
    assert ids(answer, "products", explored=False) == ids(usual, "products")[:8]
    new = ids(answer, "products", explored=True)
    assert len(new) == 2
    assert set(new).isdisjoint(ids(usual, "products"))
    assert [
        item["id"] for item in answer.to_dict()["lists"]["products"]["items"] if "explored" in item
    ] == new
    scores = [item.score for item in answer.lists["products"].items]
    assert scores == sorted(scores, reverse=True)


def test_what_is_not_recorded_and_what_is_wished_for_explores_nothing(exploring: Open) -> None:
    engine = exploring(products={"explore": 0.5})
    assert not ids(engine.recommend(USER, ["products"]), "products", explored=True)
    assert not ids(ask(engine, "products", query="milk"), "products", explored=True)
    nobody = engine.recommend(None, ["products"], record=True)
    assert not ids(nobody, "products", explored=True)


def test_items_are_shown_as_often_as_their_propensities_say(exploring: Open) -> None:
    """2.5 places of ten on average: two are always explored, a third one every other time. Products
    and their ads, which are never shown together, are explored in one answer."""
    setting = {"explore": {"share": 0.25, "candidates": 12}}
    engine = exploring(products=setting, ads=setting)
    for _ in range(ASKED):
        ask(engine, "products", "ads")
    shown, said = Counter[tuple[str, str]](), dict[tuple[str, str], float]()
    for one in recorded(engine):
        shown[one.task, one.item] += 1
        # The clock of the data runs on, and probabilities with it.
        known = said.setdefault((one.task, one.item), one.propensity)
        assert known == pytest.approx(one.propensity, rel=0.01)
    products = [propensity for (task, _), propensity in said.items() if task == "products"]
    assert sum(products) == pytest.approx(10, abs=0.5)  # but for those never drawn
    assert (products.count(1.0), products.count(0.5)) == (7, 1)
    for item, propensity in said.items():
        spread = (propensity * (1 - propensity) / ASKED) ** 0.5
        assert abs(shown[item] / ASKED - propensity) < 5 * spread + 0.003, item


def test_a_request_is_drawn_by_its_id(exploring: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = exploring(products={"explore": 0.2})
    drawn = defaultdict(set)
    for request_id in ("A", "B", "C", "D") * 2:
        monkeypatch.setattr(engine_module, "new_request_id", lambda one=request_id: one)
        drawn[request_id].add(tuple(ids(ask(engine, "products"), "products")))
    assert all(len(lists) == 1 for lists in drawn.values())
    assert len(set.union(*drawn.values())) > 1


def test_several_lists_explore_without_showing_anything_twice(exploring: Open) -> None:
    engine = exploring(products={"explore": 0.5}, ads={"explore": 0.5})
    for _ in range(20):
        answer = engine.recommend(USER, record=True)
        check_nothing_twice(answer)
        for task, size in (("products", 10), ("ads", 6)):
            check_list(answer.lists[task], size)
        products = {item.id for item in answer.lists["products"].items}
        assert products.isdisjoint(item.id for item in answer.lists["ads"].items)


def test_caps_hold_for_what_is_explored(exploring: Open) -> None:
    cap = {"cap": {"shows": 2, "per": "day"}, "explore": 0.5}
    engine = exploring(products=cap)
    answers = [ask(engine, "products") for _ in range(8)]
    counts = Counter(item for answer in answers for item in ids(answer, "products"))
    assert max(counts.values()) <= 2
    found = recorded(engine)
    assert Counter(one.item for one in found) == counts
    assert any(one.propensity < 1 for one in found)


def test_what_disappointed_is_drawn_less_often(exploring: Open) -> None:
    engine = exploring(products={"explore": {"share": 0.1, "candidates": 10}})
    before = Counter(
        item for _ in range(60) for item in ids(ask(engine, "products"), "products", explored=True)
    )
    favorite, n = before.most_common(1)[0]
    engine.tallies = {"products": {favorite: Tally(shows=5000, reached=0)}}
    after = [ids(ask(engine, "products"), "products", explored=True) for _ in range(60)]
    assert sum(favorite in new for new in after) < n


def test_a_task_without_goal_cannot_explore(exploring: Open, shop_copy: Path) -> None:
    exploring()
    spec = load_project(shop_copy).spec
    task = spec.tasks["products"].model_copy(update={"goal": None})
    bare = spec.model_copy(update={"tasks": {**spec.tasks, "products": task}})
    with pytest.raises(UsageError, match="without a `goal`, there is nothing to tell what explor"):
        edit_task(shop_copy, bare, "products", {"explore": 0.1}, [])
