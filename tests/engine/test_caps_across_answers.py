"""Caps hold over all answers of a user, however many are asked for at once."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.engine.contract import check_list

from recprism.engine import Engine, open_engine
from recprism.project import load_project
from recprism.project.edits import edit_task
from recprism.records import Answer
from recprism.store import Impression, MemoryStore, Store, open_project_store

USER, SHOWS = "u05", 2


@pytest.fixture
def capped_shop(shop_copy: Path) -> Path:
    spec = load_project(shop_copy).spec
    edit_task(shop_copy, spec, "products", {"cap": {"shows": SHOWS, "per": "day"}}, [])
    return shop_copy


@pytest.fixture
def capped(capped_shop: Path) -> Engine:
    return open_engine(capped_shop, store=MemoryStore())


def shown(*answers: Answer) -> list[str]:
    return [item.id for answer in answers for item in answer.lists["products"].items]


def ask(engine: Engine, **asked: object) -> Answer:
    return engine.recommend(USER, ["products"], record=True, **asked)  # type: ignore[arg-type]


def test_an_item_makes_room_for_the_next_best_when_its_cap_is_reached(capped: Engine) -> None:
    uncapped = shown(capped.recommend(USER, ["products"], size=60))
    first, second, third = (ask(capped) for _ in range(3))
    assert shown(first) == shown(second) == uncapped[:10]
    assert set(shown(third)).isdisjoint(shown(first))
    assert shown(third) == uncapped[10:20]
    check_list(third.lists["products"], 10)


def test_what_is_not_recorded_neither_counts_nor_is_capped(capped: Engine) -> None:
    preview = shown(capped.recommend(USER, ["products"]))
    for _ in range(5):
        capped.recommend(USER, ["products"])
    assert shown(ask(capped)) == shown(ask(capped)) == preview
    assert shown(capped.recommend(USER, ["products"])) == preview


def test_a_catalog_that_is_used_up_says_why_the_list_is_short(capped: Engine) -> None:
    for _ in range(SHOWS):
        assert len(shown(ask(capped, size=60))) == 60
    empty = ask(capped).lists["products"]
    assert empty.items == ()
    assert "shown" in (empty.short_because or ""), empty.short_because


def test_a_cap_counts_the_last_period_only(capped: Engine) -> None:
    top = shown(capped.recommend(USER, ["products"]))
    store, now = capped.store, datetime.now(UTC).replace(tzinfo=None)
    for age in (timedelta(hours=25), timedelta(hours=25), timedelta(hours=23)):
        earlier = Impression(
            user=USER,
            time=now - age,
            request_id="earlier",
            task="products",
            kind="products",
            item=top[0],
            position=0,
        )
        store.reserve([earlier], {})
    assert top[0] in shown(ask(capped))
    assert top[0] not in shown(ask(capped))


def test_lists_without_a_cap_are_recorded_too(capped: Engine) -> None:
    answer = capped.recommend(USER, record=True)
    found = Counter(one.task for one in capped.store.impressions_of(USER, datetime(2000, 1, 1)))
    assert found == {name: len(ranked.items) for name, ranked in answer.lists.items()}


def test_strangers_have_no_caps(capped: Engine) -> None:
    answers = [capped.recommend(None, ["products"], record=True) for _ in range(4)]
    assert len({tuple(shown(answer)) for answer in answers}) == 1


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_thirty_two_clients_never_exceed_a_cap(capped_shop: Path, kind: str) -> None:
    store: Store = MemoryStore()
    if kind == "file":
        store = open_project_store(load_project(capped_shop))
    engine = open_engine(capped_shop, store=store)
    with ThreadPoolExecutor(32) as clients:
        answers = list(clients.map(lambda _: ask(engine), range(32)))
    counts = Counter(shown(*answers))
    assert max(counts.values()) <= SHOWS
    # Much of the catalog was shown as often as it may be; how much is up to who races with whom.
    assert sum(counts.values()) >= 0.4 * SHOWS * 60
    recorded = Counter(one.item for one in store.impressions_of(USER, datetime(2000, 1, 1)))
    assert max(recorded.values()) <= SHOWS
    assert all(recorded[item] >= n for item, n in counts.items())
    engine.close()
