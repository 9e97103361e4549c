"""Items that come and go between two trainings: seen by every engine, hidden from everyone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from tests.engine.contract import check_answer, ids

from recprism.engine import Engine, ItemSaid, open_engine
from recprism.errors import StoreError, UnknownItem, UnknownName, UsageError
from recprism.project.schema import Cap
from recprism.records import DISMISS, Event
from recprism.store import MemoryStore
from recprism.testing.shops import MILK, MILK_BUYER, shop_products
from recprism.testing.stores import together

pytestmark = pytest.mark.slow

NOW = datetime(2024, 5, 20)
GOAT = ItemSaid(text="goat milk, dairy", title="goat milk")
SIZES = {"products": 10, "coupons": 3, "ads": 6}


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def live(trained_shop: Path, store: MemoryStore) -> Engine:
    return open_engine(trained_shop, store=store)


@pytest.fixture
def other(trained_shop: Path, store: MemoryStore) -> Engine:
    """Another worker over the same store, which has answered before."""
    engine = open_engine(trained_shop, store=store)
    engine.recommend(MILK_BUYER)
    return engine


def put(engine: Engine, item: str = "goat", said: ItemSaid = GOAT, kind: str = "products") -> None:
    engine.put_item(kind, item, said)


def products(engine: Engine, user: str | None = MILK_BUYER, size: int = 61) -> list[str]:
    return ids(engine.recommend(user, ["products"], size=size).lists["products"])


def test_an_item_that_was_put_is_in_the_next_list_of_another_engine(
    live: Engine, other: Engine
) -> None:
    assert "goat" not in products(other)
    put(live)
    answer = other.recommend(MILK_BUYER, ["products"], size=61)
    check_answer(answer, {"products": 61})
    found = {item.id: item for item in answer.lists["products"].items}
    assert set(found) == {*shop_products(), "goat"}
    assert found["goat"].title == "goat milk"
    assert found["goat"].labels == {"department": "dairy", "family": "milk"}
    assert 0 < found["goat"].probability["purchase"] < 1
    assert found["goat"].reason.text
    assert {one.signal for one in found["goat"].reason.evidence} <= {"content", "trend", "text"}


def test_strangers_are_shown_new_items_by_how_popular_their_like_are(
    live: Engine, other: Engine
) -> None:
    put(live)
    found = other.recommend(None, ["products"], size=61).lists["products"]
    assert len(found.items) == 61
    assert ids(found).index("goat") < 50
    assert found.items[ids(found).index("goat")].reason.text == "New here."


def test_a_wish_finds_a_new_item_and_rules_it_out(live: Engine, other: Engine) -> None:
    put(live, "sake", ItemSaid(text="japanese rice wine, sake", title="sake"))
    wished = other.recommend(MILK_BUYER, ["products"], query="japanese rice wine", size=3)
    assert "sake" in ids(wished.lists["products"])
    answer = other.recommend(MILK_BUYER, ["products"], query="something to drink, no sake", size=60)
    assert "sake" not in ids(answer.lists["products"])


def test_lists_without_news_stay_as_they_were(live: Engine, other: Engine) -> None:
    before = {name: ids(one) for name, one in other.recommend(MILK_BUYER, at=NOW).lists.items()}
    put(live)
    live.delete_item("products", "goat")
    after = {name: ids(one) for name, one in other.recommend(MILK_BUYER, at=NOW).lists.items()}
    assert after == before


def test_a_changed_item_is_shown_as_it_is_now(live: Engine, other: Engine) -> None:
    put(live)
    products(other)
    put(live, said=replace(GOAT, title="GOAT MILK", labels={"department": "farm"}))
    ranked = other.recommend(MILK_BUYER, ["products"], size=61).lists["products"]
    (goat,) = [item for item in ranked.items if item.id == "goat"]
    assert (goat.title, goat.labels["department"]) == ("GOAT MILK", "farm")
    assert other.title("products", "goat") == "GOAT MILK"


@pytest.mark.parametrize("user", [MILK_BUYER, None])
def test_a_deleted_item_vanishes_from_every_list_with_its_ads(
    live: Engine, other: Engine, user: str | None
) -> None:
    before = other.recommend(user, size=61, context={"store": "1"})
    assert MILK in ids(before.lists["products"])
    live.delete_item("products", MILK)
    after = other.recommend(user, size=61, context={"store": "1"})
    assert len(products(other, user)) == 59
    for ranked in after.lists.values():
        if ranked.kind != "coupons":
            assert MILK not in ids(ranked)
    assert MILK not in [near["id"] for near in other.similar("products", "p02", 60)]
    put(live, MILK, ItemSaid(text="whole milk"))
    assert MILK in products(other, user)


def test_a_new_item_follows_the_rules_of_the_user(live: Engine, other: Engine) -> None:
    put(live)
    put(live, "oat")
    live.observe(Event(user=MILK_BUYER, kind="products", item="goat", action=DISMISS))
    assert "goat" not in products(other)
    assert "oat" in products(other)
    live.observe(Event(user=MILK_BUYER, kind="products", item="oat", action="purchase"))
    tasks = other.model.project.tasks
    never = {**tasks, "products": tasks["products"].model_copy(update={"repeat": "never"})}
    strict = other.with_tasks(other.model.project.model_copy(update={"tasks": never}))
    assert "oat" not in products(strict)
    assert "oat" in products(other)


def test_a_new_item_is_not_shown_more_often_than_its_cap(live: Engine) -> None:
    put(live)
    tasks = live.model.project.tasks
    cap = {"cap": Cap(shows=1, per="day")}
    capped = {**tasks, "products": tasks["products"].model_copy(update=cap)}
    engine = live.with_tasks(live.model.project.model_copy(update={"tasks": capped}))
    shown = [
        ids(engine.recommend("u05", ["products"], size=61, record=True).lists["products"])
        for _ in range(2)
    ]
    assert ["goat" in one for one in shown] == [True, False]


def test_labels_rule_new_items_out(live: Engine) -> None:
    put(live)
    tasks = live.model.project.tasks
    rule = {"exclude": {"department": ["dairy"]}}
    ruled = {**tasks, "products": tasks["products"].model_copy(update=rule)}
    engine = live.with_tasks(live.model.project.model_copy(update={"tasks": ruled}))
    assert "goat" not in products(engine)


def test_why_a_new_item_stands_where_it_does(live: Engine) -> None:
    put(live)
    found = live.explain(MILK_BUYER, "products", "goat")
    assert found.rank is not None
    assert found.title == "goat milk"


def test_a_new_item_of_a_kind_with_offers_waits_for_a_training(live: Engine) -> None:
    put(live, "c-new", ItemSaid(text="a coupon"), "coupons")
    assert not live.is_recommendable("coupons", "c-new")
    assert live.is_recommendable("products", "goat")
    check_answer(live.recommend("u05"), SIZES)


def test_many_new_items_are_shortlisted_by_what_fits(live: Engine, other: Engine) -> None:
    for n in range(150):
        put(live, f"n{n}", ItemSaid(text=f"soap number {n}"))
    put(live)
    found = other.recommend(MILK_BUYER, ["products"], query="goat milk", size=20)
    assert "goat" in ids(found.lists["products"])
    assert len(products(other, size=300)) <= 160


@pytest.mark.parametrize(
    ("kind", "said", "error", "message"),
    [
        ("product", GOAT, UnknownName, "product"),
        ("products", ItemSaid(text=" <b></b> "), UsageError, "found only blanks or markup"),
        ("products", replace(GOAT, labels={"famly": "x"}), UnknownName, "famly"),
        ("products", replace(GOAT, numbers={"price": 1.0}), UnknownName, "price"),
        ("products", replace(GOAT, labels={"family": ""}), UsageError, "must not be empty"),
    ],
)
def test_what_makes_no_item_is_refused(
    live: Engine, kind: str, said: ItemSaid, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        put(live, said=said, kind=kind)
    with pytest.raises(UnknownItem, match="goat"):
        live.title("products", "goat")
    with pytest.raises(UnknownItem, match="goat"):
        live.delete_item("products", "goat")


def test_a_store_that_is_away_has_no_news(live: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    put(live)
    assert "goat" in products(live, None)

    def away(arrival: int, n: int) -> None:
        raise StoreError(f"away: {arrival}, {n}")

    monkeypatch.setattr(live.store, "items_after", away)
    assert "goat" in products(live, None)


def test_items_come_and_go_while_lists_are_made(live: Engine, other: Engine) -> None:
    made = [live.new_item("products", f"n{n}", ItemSaid(text=f"tea {n}")) for n in range(4)]

    def work(number: int) -> None:
        for n in range(12):
            if number == 0:
                live.store.put_item(made[n % 4])
            elif number == 1:
                live.store.delete_item("products", ("n1", MILK)[n % 2], NOW)
            else:
                check_answer(other.recommend("u05"), SIZES)

    together(4, work)
    live.store.delete_item("products", "n1", NOW)
    assert {"n0", "n2", "n3"} < {*products(other)}
    assert not {"n1", MILK} & {*products(other)}


def test_an_item_that_names_an_erased_person_is_gone_for_every_engine(
    live: Engine, other: Engine
) -> None:
    someone = "somebody-with-a-long-id"
    put(live, "letter", ItemSaid(text=f"a letter from {someone}"))
    put(live)
    assert {"letter", "goat"} < {*products(other)}
    live.store.erase(someone, "digest", NOW)
    assert "letter" not in products(other)
    assert "goat" in products(other)
