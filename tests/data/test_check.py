"""`check` names every problem of the data at once, with its place."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.data.small_project import EVENTS, ITEMS, spec, write_project

from recprism.data.check import check_data, examine
from recprism.project import load_project
from recprism.testing import shops

USERS = {"source": "users.csv", "id": "id", "traits": ["age"]}


def sentences(folder: Path, files: dict[str, str], **changes: Any) -> list[str]:
    return [str(problem) for problem in check_data(write_project(folder, files, **changes))]


def test_good_data_has_no_problems_and_a_report(tmp_path: Path) -> None:
    found = examine(load_project(shops.write_shop(tmp_path)))
    assert found.problems == []
    assert found.warnings == []
    assert found.report[0]["rule"] == "rows-read"


def test_every_problem_is_found_at_once(tmp_path: Path) -> None:
    files = {
        "items.csv": "sku,name,shelve\nmilk,Milk,x\nmilk,Tea,y\n",
        "events.csv": "user,item,when,paid\nann,milk,soon,1\nbob,milk,2024-03-01,much\n",
        "users.csv": "id,age\nann,3\nann,4\n",
    }
    links = {
        "pairs": {
            "source": "missing.csv",
            "from": {"kind": "goods", "column": "a"},
            "to": {"kind": "goods", "column": "b"},
        }
    }
    found = sentences(tmp_path, files, users=USERS, links=links)
    expected = [
        "items.csv, column `shelf`: has no column `shelf`; found: `sku`, `name`, `shelve`. "
        "Did you mean `shelve`?",
        "missing.csv: there is no such file",
        "users.csv, row 2, column `id`: the id `ann` was met before, in row 1",
        "events.csv, row 2, column `paid`: holds `much`, a number is expected.",
        "events.csv, row 1, column `when`: holds `soon`, a time is expected.",
    ]
    assert len(found) == len(expected)
    for sentence, beginning in zip(found, expected, strict=True):
        assert sentence.startswith(beginning)


def test_unreadable_times_are_counted_behind_the_first(tmp_path: Path) -> None:
    events = EVENTS + "ann,milk,,1\nann,milk,soon,1\nann,milk,later,1\n"
    (sentence,) = sentences(tmp_path, {"events.csv": events})
    assert sentence.startswith("events.csv, row 5, column `when`: holds `soon`")
    assert "(2 such rows in all)" in sentence


def test_a_join_that_matches_nothing_shows_both_sides(tmp_path: Path) -> None:
    files = {"events.csv": EVENTS.replace(",milk,", ",MILK,").replace("bread", "BREAD")}
    files["events.csv"] = files["events.csv"].replace("0012", "12")
    files["users.csv"] = "id,age\nAnn,3\n"
    found = sentences(tmp_path, files, users=USERS)
    assert found == [
        "events.csv, column `user`: none of the 2 users (such as `ann`) is in column `id` of "
        "`users.csv` (such as `Ann`). Name the columns that hold the same ids, written the same "
        "way.",
        "events.csv, column `item`: none of the 3 items (such as `12`) is in column `sku` of "
        "`items.csv` (such as `0012`). Name the columns that hold the same ids, written the same "
        "way.",
    ]


def test_joins_of_offers_links_and_audiences_are_looked_at(tmp_path: Path) -> None:
    coupons = {
        "source": "coupons.csv",
        "id": "coupon",
        "rows": "links",
        "offer": "campaign",
        "links": {"covers": {"kind": "goods", "column": "sku"}},
        "audience": {
            "source": "mailed.csv",
            "user": "user",
            "offer": "campaign",
            "window": {"source": "dates.csv", "offer": "name", "until": "stop"},
        },
    }
    files = {
        "coupons.csv": "coupon,campaign,sku\nc1,7,x\n",
        "mailed.csv": "user,campaign\nNOBODY,8\n",
        "dates.csv": "name,stop\n9,2024-03-01\n",
    }
    items = {"goods": spec()["items"]["goods"], "coupons": coupons}
    found = sentences(tmp_path, files, items=items)
    assert [sentence.split(" is in column")[0] for sentence in found] == [
        "coupons.csv, column `sku`: none of the 1 links (such as `x`)",
        "mailed.csv, column `user`: none of the 1 users (such as `NOBODY`)",
        "mailed.csv, column `campaign`: none of the 1 offers (such as `8`)",
        "dates.csv, column `name`: none of the 1 offers (such as `9`)",
    ]


def test_a_goal_that_no_event_has_names_the_line_and_the_actions(tmp_path: Path) -> None:
    section = {**spec()["events"][0], "action_column": "what"}
    del section["action"]
    events = "user,item,when,paid,what\nann,milk,2024-03-01,1,bought\nann,milk,2024-03-01,1,view\n"
    project = write_project(
        tmp_path,
        {"events.csv": events},
        events=[section],
        tasks={"goods": {"recommend": "goods", "goal": "bough"}},
    )
    (problem,) = check_data(project)
    line = project.line_of("tasks", "goods", "goal")
    expected = f"recprism.yaml:{line}: no event has the action `bough` on `goods`; found: `bought`"
    assert expected in str(problem)
    assert "Did you mean `bought`?" in str(problem)


def test_an_action_of_a_funnel_that_no_event_has_is_named(tmp_path: Path) -> None:
    events = (
        "user,item,when,paid,what\nann,milk,2024-03-01,1,bought\nann,milk,2024-03-01,1,viewed\n"
    )
    section = {**spec()["events"][0], "action_column": "what"}
    del section["action"]
    task = {"recommend": "goods", "goal": "bought", "funnel": ["view", "viewed"]}
    (sentence,) = sentences(
        tmp_path, {"events.csv": events}, events=[section], tasks={"goods": task}
    )
    assert "no event has the action `view` on `goods`; found: `bought`, `viewed`." in sentence
    assert "Did you mean `viewed`?" in sentence


def test_old_data_on_the_wall_clock_is_worth_a_warning(tmp_path: Path) -> None:
    old = examine(write_project(tmp_path / "old", clock="wall"))
    assert old.problems == []
    assert len(old.warnings) == 1
    assert old.warnings[0].startswith("The newest event is of 2024-03-03, ")
    assert "Write `clock: data`" in old.warnings[0]
    day = datetime.now() - timedelta(days=3)
    events = f"user,item,when,paid\nann,milk,{day},1\n"
    new = examine(write_project(tmp_path / "new", {"events.csv": events}, clock="wall"))
    assert new.warnings == []
    assert examine(write_project(tmp_path / "data", clock="data")).warnings == []


def test_the_same_broken_table_is_named_once(tmp_path: Path) -> None:
    section = spec()["events"][0]
    found = sentences(
        tmp_path,
        {"events.csv": "", "items.csv": ITEMS},
        events=[section, {**section, "action": "x"}],
    )
    assert found == ["events.csv: is empty, a table is expected. Fill or remove the file."]
