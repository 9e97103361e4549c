"""Projects at the edge: a result or one clear sentence, and never a number that is none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.data.small_project import write_project
from tests.engine.contract import check_answer, ids

from recprism.data.saved import open_report
from recprism.engine import Engine, open_engine
from recprism.errors import DataError, RecPrismError, UsageError
from recprism.pipeline import Artifact, plan, train
from recprism.records import Event
from recprism.store import MemoryStore

START = datetime(2024, 1, 1, 9)
NO_EVENTS: dict[str, Any] = {"events": [], "tasks": {"goods": {"recommend": "goods"}}}
HEADER = "user,item,when,paid\n"
ITEMS = ("milk", "bread", "0012")


def events(rows: Sequence[tuple[str, str, datetime]]) -> str:
    return HEADER + "".join(f"{user},{item},{time.isoformat()},1\n" for user, item, time in rows)


def weekly(users: Sequence[str], weeks: int) -> str:
    """Every user buys one of three things each week."""
    return events(
        [
            (user, ITEMS[(n + week) % 3], START + timedelta(weeks=week, hours=n))
            for week in range(weeks)
            for n, user in enumerate(users)
        ]
    )


def trained(folder: Path, files: dict[str, str], **sections: Any) -> tuple[Artifact, Engine]:
    small = {"hidden": [4], "epochs": 1, "embedding_size": 2}
    project = write_project(folder, files, **{"ranker": small, **sections})
    artifact = train(project)
    return artifact, open_engine(folder, store=MemoryStore())


def check_everybody(engine: Engine, sizes: dict[str, int]) -> None:
    """All users, a stranger, a wish and a look at an item get whole answers."""
    users = [*engine.model.catalog.users.ids.values.to_list(), "nobody", None]
    for user in users:
        check_answer(engine.recommend(user), sizes)
        if len(engine.model.content.vectors):
            check_answer(engine.recommend(user, query="milk"), sizes)
        check_answer(engine.recommend(user, context={"viewing": "goods/bread"}), sizes)
        if user is not None:
            assert engine.profile(user).to_dict()


def test_no_events_at_all(tmp_path: Path) -> None:
    artifact, engine = trained(tmp_path, {}, **NO_EVENTS)
    assert artifact.training["tasks"] == {}
    assert "goal" in artifact.training["note"]
    check_everybody(engine, {"goods": 10})
    ranked = engine.recommend(None).lists["goods"]
    assert sorted(ids(ranked)) == sorted(ITEMS)
    assert ranked.short_because == "there are only 3 goods"


def test_no_events_before_the_end_is_one_sentence(tmp_path: Path) -> None:
    project = write_project(tmp_path, **NO_EVENTS)
    with pytest.raises(UsageError, match=r"`--until 2024-01-01`.*has no events: train without"):
        train(project, until="2024-01-01")
    assert plan(project)["lists"] == 0


def test_a_table_of_events_without_rows_is_one_sentence(tmp_path: Path) -> None:
    project = write_project(tmp_path, {"events.csv": HEADER})
    with pytest.raises(DataError, match=r"events\.csv"):
        train(project)


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(events([("ann", "milk", START)]), id="one event"),
        pytest.param(
            events([(f"u{n}", item, START) for n in range(6) for item in ITEMS]),
            id="all at one time",
        ),
        pytest.param(weekly(["ann"], 12), id="one user"),
        pytest.param(weekly(["ann", "bob"], 12), id="two users"),
        pytest.param(
            events([(f"u{n}", "milk", START + timedelta(days=n)) for n in range(90)]),
            id="one item is all that anybody bought",
        ),
        pytest.param(
            events([("ann", "milk", START), ("bob", "milk", START + timedelta(days=9000))]),
            id="decades apart",
        ),
    ],
)
def test_little_data_is_enough_for_an_answer(tmp_path: Path, rows: str) -> None:
    artifact, engine = trained(tmp_path, {"events.csv": rows})
    assert artifact.training["tasks"] or artifact.training["note"]
    check_everybody(engine, {"goods": 10})
    engine.observe(Event(user="ann", kind="goods", item="0012", action="buy"))
    check_answer(engine.recommend("ann"), {"goods": 10})


@pytest.mark.parametrize(
    "items", ["sku,name,shelf\nmilk,Milk 1 l,dairy\n", "sku,name,shelf\nmilk,,\n"]
)
def test_one_item(tmp_path: Path, items: str) -> None:
    users = [f"u{n}" for n in range(5)]
    rows = [(user, "milk", START + timedelta(weeks=week)) for week in range(8) for user in users]
    _, engine = trained(tmp_path, {"items.csv": items, "events.csv": events(rows)})
    answer = engine.recommend("u0")
    check_answer(answer, {"goods": 10})
    assert ids(answer.lists["goods"]) == ["milk"]
    assert answer.lists["goods"].short_because is not None
    assert engine.similar("goods", "milk") == []


def test_without_encoder_and_text_behavior_is_left(tmp_path: Path) -> None:
    goods = {"source": "items.csv", "id": "sku"}
    users = [f"u{n}" for n in range(8)]
    artifact, engine = trained(
        tmp_path,
        {"events.csv": weekly(users, 10)},
        items={"goods": goods},
        content={"encoder": "none"},
    )
    assert "goods" in artifact.training["tasks"]
    answer = engine.recommend("u0")
    check_answer(answer, {"goods": 10})
    assert [item.title for item in answer.lists["goods"].items] == ids(answer.lists["goods"])
    assert {e.signal for item in answer.lists["goods"].items for e in item.reason.evidence} <= {
        *("repeat", "follow", "taste", "trend")
    }
    check_answer(engine.recommend(None, context={"viewing": "goods/milk"}), {"goods": 10})
    with pytest.raises(UsageError, match="Items of `goods` have no labels to choose from"):
        engine.classify("goods", "milk")


def test_labels_for_texts_need_an_encoder(tmp_path: Path) -> None:
    _, engine = trained(tmp_path, {}, content={"encoder": "none"})
    with pytest.raises(UsageError, match=r"need an encoder, found `content.encoder: none`"):
        engine.classify("goods", "milk")
    with pytest.raises(
        UsageError, match=r"A query needs an encoder, found `content.encoder: none`"
    ):
        engine.recommend("ann", query="milk")


def test_a_label_that_all_share_is_nothing_to_choose(tmp_path: Path) -> None:
    items = "sku,name,shelf\nmilk,Milk,food\nbread,Bread,food\n0012,Tea,\n"
    _, engine = trained(tmp_path, {"items.csv": items})
    with pytest.raises(RecPrismError, match="at least two are needed to choose one"):
        engine.classify("goods")


def test_items_without_a_label_get_a_guess(tmp_path: Path) -> None:
    items = "sku,name,shelf\nmilk,Milk,dairy\nbread,Bread,bakery\n0012,Cheese,\n"
    _, engine = trained(tmp_path, {"items.csv": items})
    (row,) = engine.classify("goods")["items"]
    assert (row["id"], row["text"]) == ("0012", "Cheese")
    label = row["labels"]["shelf"]
    assert label["value"] in ("dairy", "unknown")
    assert label["source"] == "encoder"


def test_guessed_labels_are_used_and_counted_but_never_taken_for_given(tmp_path: Path) -> None:
    words = {"dairy": ["milk", "cheese", "yogurt", "butter"], "tools": ["hammer", "saw", "pliers"]}
    rows = [f"{shelf}-{n},{w},{shelf}" for shelf, own in words.items() for n, w in enumerate(own)]
    items = "\n".join(["sku,name,shelf", *rows, "x,goat cheese,", "y,claw hammer,", "z,Milk,"])
    artifact, engine = trained(tmp_path, {"items.csv": items + "\n"})
    shown = {row["id"]: row["labels"]["shelf"] for row in engine.classify("goods")["items"]}
    assert [shown[item]["value"] for item in "xyz"] == ["dairy", "tools", "dairy"]
    assert {label["source"] for label in shown.values()} == {"encoder"}
    table = engine.model.catalog.kinds["goods"]
    place = table.ids.index("x")
    assert table.table["label:shelf"][place] is None
    assert table.label("shelf")[place] == "dairy"
    assert engine.model.labels.of(table.start + place) == {"shelf": "dairy"}
    (line,) = [r for r in open_report(artifact.path) if r["rule"] == "label-guessed"]
    assert (line["source"], line["count"]) == ("items.goods:shelf", 3)
    assert line["examples"] == ["from examples"]


def test_two_tasks_on_one_kind_show_nothing_twice(tmp_path: Path) -> None:
    items = "sku,name,shelf\n" + "".join(f"p{n},Thing {n},shelf {n % 4}\n" for n in range(30))
    users = [f"u{n}" for n in range(12)]
    rows = [
        (user, f"p{(3 * n + week * week) % 30}", START + timedelta(weeks=week, hours=n))
        for week in range(10)
        for n, user in enumerate(users)
    ]
    _, engine = trained(
        tmp_path,
        {"items.csv": items, "events.csv": events(rows)},
        tasks={
            "again": {"recommend": "goods", "goal": "buy", "size": 8},
            "fresh": {"recommend": "goods", "goal": "buy", "size": 8, "repeat": "never"},
            "alike": {"recommend": "goods", "size": 8},
        },
    )
    for user in [*users, None]:
        answer = engine.recommend(user)
        check_answer(answer, {"again": 8, "fresh": 8, "alike": 8})
        assert all(len(ranked.items) == 8 for ranked in answer.lists.values())
        bought = {item for who, item, _ in rows if who == user}
        assert not bought & set(ids(answer.lists["fresh"]))
        assert answer.lists["alike"].to_dict()["goal"] is None


def test_rules_that_leave_nothing_say_so(tmp_path: Path) -> None:
    _, engine = trained(
        tmp_path,
        {"events.csv": weekly(["ann", "bob"], 12)},
        tasks={
            "fresh": {"recommend": "goods", "goal": "buy", "repeat": "never"},
            "dry": {"recommend": "goods", "goal": "buy", "exclude": {"shelf": ["drinks", "dairy"]}},
        },
    )
    fresh = engine.recommend("ann", ["fresh"]).lists["fresh"]
    assert (ids(fresh), fresh.short_because) == (
        [],
        "the rules of the task leave none of the goods for this user",
    )
    dry = engine.recommend(None, ["dry"]).lists["dry"]
    assert ids(dry) == ["bread"]
    assert dry.short_because == "the rules of the task leave only 1 of the goods for this user"


def test_a_large_catalog_fills_any_list(tmp_path: Path) -> None:
    """Most items nobody ever bought, the popular ones are ruled out, and the list is long."""
    items = "sku,name,shelf\n" + "".join(
        f"p{n},Thing {n},{'sold' if n < 200 else 'new'}\n" for n in range(900)
    )
    rows = [
        (f"u{n % 20}", f"p{n % 200}", START + timedelta(days=n // 20, minutes=n))
        for n in range(600)
    ]
    _, engine = trained(
        tmp_path,
        {"items.csv": items, "events.csv": events(rows)},
        content={"encoder": "none"},
        tasks={
            "new": {"recommend": "goods", "goal": "buy", "exclude": {"shelf": "sold"}, "size": 50},
            "all": {"recommend": "goods", "goal": "buy", "size": 10},
        },
    )
    for user in ("u3", None):
        answer = engine.recommend(user)
        check_answer(answer, {"new": 50, "all": 10})
        assert [len(ranked.items) for ranked in answer.lists.values()] == [50, 10]
        long = engine.recommend(user, ["all"], size=700)
        check_answer(long, {"all": 700})
        assert len(long.lists["all"].items) == 700


def test_an_action_that_is_no_goal_is_not_called_one(tmp_path: Path) -> None:
    """Views and purchases of one kind: a sentence on both of them says neither."""
    users = [f"u{n}" for n in range(8)]
    header = "user,item,when,paid,what\n"
    rows = "".join(
        f"{user},{ITEMS[(n + week) % 3]},{(START + timedelta(weeks=week, hours=n)).isoformat()},1,"
        f"{'buy' if (n + week) % 4 == 0 else 'view'}\n"
        for week in range(10)
        for n, user in enumerate(users)
    )
    section = {
        "source": "events.csv",
        "user": "user",
        "kind": "goods",
        "item": "item",
        "action_column": "what",
        "time": "when",
        "value": "paid",
    }
    _, engine = trained(tmp_path, {"events.csv": header + rows}, events=[section])
    for user in [*users, None]:
        answer = engine.recommend(user)
        check_answer(answer, {"goods": 10})
        for item in answer.lists["goods"].items:
            first = item.reason.evidence[0]
            if first.signal == "trend":
                assert item.reason.text.startswith("Seen by")
            if first.signal == "repeat":
                bought = item.reason.text.startswith(("You buy", "You bought"))
                assert bought
                assert first.events == sum(
                    line.startswith(f"{user},{item.id},") and line.endswith(",buy")
                    for line in rows.splitlines()
                )
