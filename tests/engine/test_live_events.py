"""What happens after training changes the next answer, and asking changes nothing."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.engine.contract import check_answer, ids
from tests.engine.shop_facts import UNTIL, ShopFacts

from recprism.engine import Engine, open_engine
from recprism.records import Event
from recprism.store import MemoryStore, Person
from recprism.testing.shops import END, NEVER_SOLD, STRANGE_USER

pytestmark = pytest.mark.slow


def purchase(user: str, product: str, **more: object) -> Event:
    return Event(user=user, kind="products", item=product, action="purchase", **more)  # type: ignore[arg-type]


@pytest.fixture
def live(trained_shop: Path) -> Engine:
    """An engine with a store of its own."""
    return open_engine(trained_shop, store=MemoryStore())


@pytest.fixture
def past(past_shop: Path) -> Engine:
    return open_engine(past_shop, store=MemoryStore())


def evidence_of(engine: Engine, user: str, product: str, signal: str) -> list[int]:
    ranked = engine.recommend(user, ["products"], size=60).lists["products"]
    return [
        evidence.events
        for item in ranked.items
        if item.id == product
        for evidence in item.reason.evidence
        if evidence.signal == signal
    ]


def test_an_observed_purchase_is_in_the_next_answer(live: Engine) -> None:
    before = live.recommend("u05", ["products"], size=60).lists["products"]
    assert evidence_of(live, "u05", NEVER_SOLD[0], "repeat") == []
    assert live.observe(purchase("u05", NEVER_SOLD[0])).accepted == 1
    after = live.recommend("u05", ["products"], size=60).lists["products"]
    place = [ids(ranked).index(NEVER_SOLD[0]) for ranked in (before, after)]
    assert place[1] < place[0]
    assert evidence_of(live, "u05", NEVER_SOLD[0], "repeat") == [1]
    found = next(item for item in after.items if item.id == NEVER_SOLD[0])
    assert found.reason.text == "You bought bird-seed today."


def test_who_wants_no_personal_lists_gets_those_of_a_stranger_at_once(live: Engine) -> None:
    live.observe(purchase("u05", NEVER_SOLD[0]))
    assert not live.recommend("u05", at=END).cold
    said = Person(id="u05", personalize=False, changed=datetime(2024, 5, 1))
    live.store.put_person(said)
    answer = live.recommend("u05", at=END)
    assert answer.cold
    stranger = live.recommend(None, at=END)
    assert {n: ids(r) for n, r in answer.lists.items()} == {
        name: ids(ranked) for name, ranked in stranger.lists.items()
    }
    assert live.profile("u05").to_dict()["cold"]
    live.store.put_person(replace(said, personalize=True))
    assert not live.recommend("u05", at=END).cold


def test_observed_purchases_are_in_the_profile(live: Engine) -> None:
    before = live.profile("u05")
    for _ in range(3):
        live.observe(purchase("u05", "p40", value=4.5))
    after = live.profile("u05")
    newest = after.history[0]
    assert (newest.item, newest.title, newest.action, newest.value) == (
        *("p40", "tea", "purchase"),
        4.5,
    )
    counts = [profile.habits["purchase"].to_dict()["count"] for profile in (before, after)]
    assert counts[1] == counts[0] + 3
    assert after.taste != before.taste


def test_a_stranger_is_known_from_the_first_event_on(live: Engine) -> None:
    assert live.recommend("new 🦊").cold
    live.observe(purchase("new 🦊", "p57"))
    answer = live.recommend("new 🦊")
    check_answer(answer, {"products": 10, "coupons": 3, "ads": 6})
    assert not answer.cold
    assert "p57" in ids(answer.lists["products"])
    assert not live.profile("new 🦊").cold


def test_only_the_asked_users_own_events_count(live: Engine) -> None:
    at = END + timedelta(minutes=1)
    before = live.recommend("u05", at=at).to_dict()["lists"]
    for n in range(20):
        live.observe(purchase(f"crowd {n}", "p60"))
    assert live.recommend("u05", at=at).to_dict()["lists"] == before


def test_an_event_has_its_own_time_and_later_ones_are_not_seen(live: Engine) -> None:
    live.observe(purchase("u05", "p60", time=datetime(2024, 5, 1)))
    seen = [evidence_of_at(live, datetime(2024, 5, 1) + timedelta(seconds=n)) for n in (0, 1)]
    assert seen == [False, True]


def evidence_of_at(engine: Engine, at: datetime) -> bool:
    ranked = engine.recommend("u05", ["products"], size=60, at=at).lists["products"]
    item = next(item for item in ranked.items if item.id == "p60")
    return any(evidence.signal == "repeat" for evidence in item.reason.evidence)


@pytest.mark.parametrize(
    "event",
    [
        purchase("u05", "never heard of"),
        Event(user="u05", kind="watches", item="p60", action="purchase"),
        Event(user="u05", kind="products", item="p60", action="juggle"),
        purchase("u05", "p60", time=datetime(2024, 5, 19), context={"shop": "9", "store": "77"}),
    ],
)
def test_events_on_things_the_artifact_does_not_know_do_no_harm(live: Engine, event: Event) -> None:
    assert live.observe(event).accepted == 1
    check_answer(live.recommend("u05"), {"products": 10, "coupons": 3, "ads": 6})


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (purchase("", "p01"), "`user`: an id must not be empty"),
        (purchase("u05", "p01", time=END + timedelta(days=9)), "over 5 minutes ahead of now"),
        (purchase("u05", "p01", value=float("nan")), "`value`: found `nan`"),
    ],
)
def test_a_faulty_event_is_rejected_with_the_reason(live: Engine, event: Event, said: str) -> None:
    result = live.observe(event)
    assert result.accepted == 0
    assert said in result.rejected[0].error


def test_a_live_store_decides_the_usual_store(live: Engine, facts: ShopFacts) -> None:
    usual = facts.usual_store("u05", END)
    other = "2" if usual == "1" else "1"
    for _ in range(300):
        live.observe(purchase("u05", "p40", time=datetime(2024, 5, 19), context={"store": other}))
    shown = ids(live.recommend("u05", ["ads"], at=datetime(2024, 5, 20)).lists["ads"])
    assert set(shown) <= set(facts.ads_in(other, datetime(2024, 5, 20)))


def rows_in(file: Path, table: str) -> int:
    with sqlite3.connect(file) as db:
        return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_only_a_recording_request_leaves_impressions(shop_copy: Path) -> None:
    file = shop_copy / ".recprism" / "store.sqlite"
    engine = open_engine(shop_copy)
    engine.recommend(STRANGE_USER)
    engine.profile(STRANGE_USER)
    engine.explain(STRANGE_USER, "products", "p01")
    assert not file.exists()
    answer = engine.recommend(STRANGE_USER, ["ads"], record=True)
    shown = engine.store.impressions_of(STRANGE_USER, datetime.min)
    assert [(s.item, s.slot, s.position) for s in shown] == [
        (item.id, item.slot, place) for place, item in enumerate(answer.lists["ads"].items)
    ]
    assert {s.request_id for s in shown} == {answer.request_id}
    # Impressions are on wall time, whatever the clock of the project is.
    now = datetime.now(UTC).replace(tzinfo=None)
    assert all(timedelta(0) <= now - s.time < timedelta(minutes=1) for s in shown)
    assert rows_in(file, "impressions") == len(shown)
    engine.recommend(None, record=True)
    assert rows_in(file, "impressions") == len(shown)
    engine.store.close()


def test_events_of_the_store_are_there_after_a_restart(shop_copy: Path) -> None:
    engine = open_engine(shop_copy)
    engine.observe(purchase("u05", "p60"))
    engine.store.close()
    again = open_engine(shop_copy)
    assert evidence_of_at(again, END + timedelta(hours=1))
    again.store.close()


def test_a_store_named_in_the_project_lies_beside_it(
    shop_copy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with (shop_copy / "recprism.yaml").open("a", encoding="utf-8") as file:
        file.write("\nstore: {url: 'sqlite:///live.sqlite'}\n")
    monkeypatch.chdir(tmp_path)
    engine = open_engine(shop_copy)
    engine.observe(purchase("u05", "p60"))
    engine.store.close()
    assert rows_in(shop_copy / "live.sqlite", "events") == 1


def test_later_rows_of_the_tables_are_live_events(past: Engine, facts: ShopFacts) -> None:
    for user in ("mia", "u20", STRANGE_USER):
        for at in (datetime(2024, 5, 8), datetime(2024, 5, 18, 12)):
            ranked = past.recommend(user, ["products"], size=60, at=at).lists["products"]
            counts = {
                item.id: evidence.facts["count"]
                for item in ranked.items
                for evidence in item.reason.evidence
                if evidence.signal == "repeat"
            }
            mine = [row.product for row in facts.of(user, at)]
            assert counts
            assert counts == {product: mine.count(product) for product in counts}


def test_asked_at_its_end_an_artifact_sees_nothing_later(past: Engine, facts: ShopFacts) -> None:
    at = datetime.fromisoformat(UNTIL)
    later = [row for row in facts.bought if row.user == "mia" and row.time >= at]
    assert later
    profile = past.profile("mia", at=at)
    assert max(event.time for event in profile.history) < at
    now = past.recommend("mia").at
    # Now is the last event that the artifact knows, and the time since it was opened.
    last = max(row.time for row in facts.bought if row.time < at)
    assert timedelta(0) < now - last < timedelta(minutes=10)
