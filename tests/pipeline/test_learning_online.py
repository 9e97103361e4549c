"""What the store observed reaches the next training, once, and nobody who asked to be left out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.data.small_project import counts, write_project

from recprism.data.build import load_dataset
from recprism.data.report import balance
from recprism.engine import Engine, ItemSaid, open_engine
from recprism.pipeline import prepare, train
from recprism.pipeline.online import read_store
from recprism.project import Project
from recprism.records import Event
from recprism.store import Erasures, MemoryStore, Person, open_project_store

LAST = datetime(2024, 3, 3, 10)
"""The last event of the small project's sources."""
AHEAD = LAST + timedelta(minutes=1)
USERS = {"source": "users.csv", "id": "id", "traits": ["age", "time"]}
FILES = {"users.csv": "id,age,time\nann,30,late\nbob,40,late\n"}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Two people, three events, nothing to encode."""
    return write_project(tmp_path, FILES, users=USERS, content={"encoder": "none"})


def event(user: str = "ann", item: str = "bread", **others: Any) -> Event:
    fields = {"kind": "goods", "action": "buy", "time": LAST, **others}
    return Event(user=user, item=item, **fields)


def add(project: Project, *events: Event) -> None:
    with closing(open_project_store(project)) as store:
        assert store.add_events(events, LAST).accepted == len(events)


@pytest.fixture
def engines() -> Iterator[list[Engine]]:
    """Engines that are closed at the end."""
    opened: list[Engine] = []
    yield opened
    for engine in opened:
        engine.close()


def history(project: Project, engines: list[Engine], user: str = "ann") -> list[str]:
    engine = open_engine(project.path)
    engines.append(engine)
    return [past.item for past in engine.profile(user, at=AHEAD).history]


def learned_items(project: Project, user: str = "ann") -> list[str]:
    workspace = prepare(project)
    catalog, log = workspace.ground.catalog, workspace.log
    return [catalog.item_id(item) for item in log.item[log.span(catalog.users.ids.index(user))]]


def test_an_observed_event_is_learned_and_counts_once(
    project: Project, engines: list[Engine]
) -> None:
    train(project)
    add(project, event(time=LAST - timedelta(days=1)))
    assert history(project, engines) == ["0012", "bread", "milk"]
    assert learned_items(project) == ["milk", "bread", "0012"]
    artifact = train(project)
    assert engines[0].model.learned.arrival == 0
    assert history(project, engines) == ["0012", "bread", "milk"]
    learned = engines[1].model.learned
    assert (learned.arrival, len(learned.store)) == (1, 32)
    assert f'"store": "{learned.store}"' in (artifact.path / "manifest.json").read_text("utf-8")


def test_what_comes_after_the_training_is_folded_in_whatever_its_time(
    project: Project, engines: list[Engine]
) -> None:
    add(project, event())
    train(project)
    add(project, event(item="milk", time=LAST - timedelta(days=300)))
    assert history(project, engines) == ["bread", "0012", "milk", "milk"]


def test_what_lies_after_until_is_held_out_and_folded_in(
    project: Project, engines: list[Engine]
) -> None:
    until = LAST - timedelta(days=1)
    add(project, event(time=until), event(item="milk", time=until - timedelta(hours=1)))
    train(project, until=until)
    assert history(project, engines) == ["0012", "bread", "milk", "milk"]
    assert len(engines[0].model.events) == 2


def test_another_store_hides_nothing(project: Project, engines: list[Engine]) -> None:
    add(project, event())
    train(project)
    engine = open_engine(project.path, store=MemoryStore())
    engines.append(engine)
    engine.observe(event(item="milk", time=None))
    assert [past.item for past in engine.profile("ann", at=AHEAD).history] == [
        "milk", "bread", "0012", "milk",
    ]  # fmt: skip


def test_people_items_and_actions_that_were_only_observed_are_known(project: Project) -> None:
    add(project, event("zoë", "cake", action="view", value=2.0, session="s"))
    catalog = prepare(project).ground.catalog
    assert "zoë" in catalog.users.ids.values.to_list()
    assert "cake" in catalog.kinds["goods"].ids.values.to_list()
    assert list(catalog.actions) == ["buy", "view"]


def test_what_cannot_be_learned_is_counted(project: Project) -> None:
    add(project, event(kind="films"), event(action="dismiss"), event())
    report = prepare(project).report
    assert counts(report, "unknown-kind") == {"store:kind": 1}
    assert counts(report, "not-learned") == {"store:action": 1}
    assert counts(report, "rows-kept")["store"] == 1
    assert set(balance(report).values()) == {0}


def test_contexts_of_the_sources_are_learned_from_the_store_too(tmp_path: Path) -> None:
    rows = "user,item,when,paid,shop\nann,milk,2024-03-01,1,7\n"
    section = {
        "source": "events.csv",
        "user": "user",
        "kind": "goods",
        "item": "item",
        "action": "buy",
        "time": "when",
        "context": {"store": "shop"},
    }
    project = write_project(tmp_path, {"events.csv": rows}, events=[section])
    add(project, event(context={"store": "9", "mood": "good"}))
    dataset = load_dataset(project, online=read_store(project).online)
    assert dataset.catalog.contexts == {"store": ["7", "9"]}
    assert dataset.events.context["store"].tolist() == [0, 1]


def test_the_data_is_loaded_again_only_when_the_store_changed(project: Project) -> None:
    first = prepare(project).folder
    add(project, event())
    second = prepare(project).folder
    assert second != first
    assert prepare(project).folder == second
    with closing(open_project_store(project)) as store:
        store.put_person(Person(id="bob", personalize=False, changed=LAST))
    assert prepare(project).folder != second


def test_nothing_is_learned_from_who_wants_no_personal_lists(project: Project) -> None:
    add(project, event(), event("bob"))
    with closing(open_project_store(project)) as store:
        store.put_person(Person(id="ann", personalize=False, changed=LAST))
    workspace = prepare(project)
    assert workspace.ground.catalog.users.ids.values.to_list() == ["bob"]
    assert len(workspace.log) == 2
    left = counts(workspace.report, "left-out")
    assert left == {"events[0]: events.csv": 2, "store": 1, "users: users.csv": 1}
    assert set(balance(workspace.report).values()) == {0}


def test_rows_from_before_an_erasure_are_left_out(project: Project) -> None:
    with closing(open_project_store(project)) as store:
        Erasures(project.path, store).erase("ann", LAST - timedelta(days=1))
    add(project, event("bob"))
    dataset = load_dataset(project, online=read_store(project).online)
    users = dataset.catalog.users.ids
    # The table of users has no times, so all that is left of ann is what she did since.
    assert users.values.to_list() == ["bob", "ann"]
    log = dataset.events
    assert [dataset.catalog.item_id(i) for i in log.item[log.span(users.index("ann"))]] == ["0012"]


def test_old_events_are_removed_before_they_are_learned(tmp_path: Path) -> None:
    project = write_project(tmp_path, content={"encoder": "none"}, privacy={"retention": "10d"})
    old = event(item="milk", time=LAST - timedelta(days=11))
    add(project, old, event())
    assert learned_items(project) == ["milk", "0012", "bread"]
    with closing(open_project_store(project)) as store:
        assert [e.item for e in store.events_of("ann")] == ["milk", "bread"]
        assert train(project).training["tasks"] == {}
        assert [e.item for e in store.events_of("ann")] == ["bread"]


def test_on_the_wall_clock_old_means_old_now(tmp_path: Path) -> None:
    project = write_project(tmp_path, clock="wall", privacy={"retention": "10d"})
    now = datetime.now(UTC).replace(tzinfo=None)
    with closing(open_project_store(project)) as store:
        store.add_events([event(), event(item="milk", time=now - timedelta(days=9))], now)
        observed = read_store(project, purge=True)
        assert observed.online.events["item"].to_list() == ["milk"]
        assert [e.item for e in store.events_of("ann")] == ["milk"]


def test_items_put_online_are_trained_and_those_deleted_stay_hidden(
    project: Project, engines: list[Engine]
) -> None:
    train(project)
    first = open_engine(project.path)
    engines.append(first)
    said = ItemSaid(text="Oat milk", title="OATS", labels={"shelf": "vegan"})
    first.store.put_item(first.new_item("goods", "oats", said))
    first.store.put_item(first.new_item("goods", "bread", ItemSaid(text="Rye bread")))
    first.store.put_item(first.new_item("goods", "gone", said))
    for item in ("gone", "0012"):
        first.store.delete_item("goods", item, LAST)
    assert shown(first) == {"milk", "bread", "oats"}
    add(project, event(item="oats", time=LAST - timedelta(days=1)))
    report = train(project) and prepare(project).report
    assert counts(report, "put-online") == {"items.goods": 2}
    assert "items.goods" not in counts(report, "only-in-events")
    second = open_engine(project.path)
    engines.append(second)
    assert list(second.ids("goods").values) == ["milk", "bread", "0012", "oats"]
    assert second.new_ids("goods") == []
    assert second.title("goods", "oats") == "OATS"
    assert second.title("goods", "bread") == "Rye bread"
    assert second.labels("goods", "bread") == {"shelf": "bakery"}
    assert second.labels("goods", "oats") == {"shelf": "vegan"}
    assert shown(second) == {"milk", "bread", "oats"}


def shown(engine: Engine) -> set[str]:
    return {item.id for item in engine.recommend("ann", ["goods"]).lists["goods"].items}
