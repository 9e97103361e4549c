"""From a project to a data set: numbering, cleaning, and a report that accounts for every row."""

from __future__ import annotations

import csv
import io
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.small_project import EVENTS, ITEMS, counts, spec, write_project

from recprism.data.build import load_dataset
from recprism.data.report import RULES, balance
from recprism.data.times import from_micros
from recprism.errors import DataError


def test_a_small_project_becomes_a_data_set(tmp_path: Path) -> None:
    dataset = load_dataset(write_project(tmp_path))
    goods = dataset.catalog.kinds["goods"]
    assert goods.ids.values.to_list() == ["milk", "bread", "0012"]
    assert goods.table.row(0, named=True) == {
        "title": "Milk 1 l",
        "text": "Milk 1 l",
        "label:shelf": "dairy",
    }
    assert goods.label_names == ["shelf"]
    log = dataset.events
    assert [dataset.catalog.users.ids[u] for u in log.user] == ["ann", "ann", "bob"]
    assert [dataset.catalog.item_id(i) for i in log.item] == ["milk", "0012", "bread"]
    assert from_micros(log.time[0]) == datetime(2024, 3, 1, 10)
    assert log.value.tolist()[::2] == [1.5, 2.0]
    assert np.isnan(log.value[1])
    assert log.session.tolist() == [-1, -1, -1]
    assert log.offsets.tolist() == [0, 2, 3]


def test_progress_goes_from_nothing_to_all(tmp_path: Path) -> None:
    parts: list[float] = []
    load_dataset(write_project(tmp_path), progress=lambda _phrase, part: parts.append(part))
    assert parts[0] == 0.0
    assert parts[-1] == 1.0
    assert parts == sorted(parts)


def test_ids_seen_only_in_events_are_full_rows_and_counted(tmp_path: Path) -> None:
    events = EVENTS + 'zoë,"a ""new"" one, 🦊",2024-03-04,1\n'
    users = {"source": "users.csv", "id": "id", "traits": ["age", "id"], "text": "wish"}
    files = {"events.csv": events, "users.csv": "id,age,wish\nbob,30,\n7,,Some  <b>tea</b>\n"}
    dataset = load_dataset(write_project(tmp_path, files, users=users))
    catalog = dataset.catalog
    assert catalog.users.ids.values.to_list() == ["bob", "7", "ann", "zoë"]
    assert catalog.users.traits["age"].to_list() == ["30", None, None, None]
    assert catalog.users.text is not None
    assert catalog.users.text.to_list() == [None, "Some tea", None, None]
    goods = catalog.kinds["goods"]
    assert goods.ids.values.to_list()[-1] == 'a "new" one, 🦊'
    assert goods.table.row(-1) == (None, None, None)
    assert counts(dataset.report, "only-in-events") == {"users": 2, "items.goods": 1}


def test_titles_are_the_column_named_or_the_first_text_as_written(tmp_path: Path) -> None:
    items = "sku,name,shelf\nmilk,MILK  1 <b>l</b>,dairy\ntea,,drinks\n"
    files = {"items.csv": items}
    first = load_dataset(write_project(tmp_path, files)).catalog.kinds["goods"].table
    assert first["title"].to_list()[:2] == ["MILK  1 <b>l</b>", None]
    assert first["text"].to_list()[:2] == ["MILK 1 l", None]
    goods = {"source": "items.csv", "id": "sku", "title": "shelf", "text": ["name", "shelf"]}
    named = load_dataset(write_project(tmp_path, files, items={"goods": goods}))
    table = named.catalog.kinds["goods"].table
    assert table["title"].to_list()[:2] == ["dairy", "drinks"]
    assert table["text"].to_list()[:2] == ["MILK 1 l, dairy", "drinks"]
    assert counts(named.report, "text-normalized") == {"items.goods: items.csv:name": 1}


def test_an_exact_repeat_is_dropped_and_a_near_one_is_kept(tmp_path: Path) -> None:
    items = "sku,name,shelf\na,Tea,x\nb,Tea,x\na,Tea,x\nc,Milk,x\n"
    dataset = load_dataset(write_project(tmp_path, {"items.csv": items}))
    assert dataset.catalog.kinds["goods"].ids.values.to_list()[:3] == ["a", "b", "c"]
    label = "items.goods: items.csv"
    assert counts(dataset.report, "exact-duplicate") == {label: 1}
    assert counts(dataset.report, "near-duplicate") == {label: 1}
    assert counts(dataset.report, "constant-column") == {f"{label}:shelf": 3}


def test_an_id_with_two_contents_is_an_error_with_both_rows(tmp_path: Path) -> None:
    items = "sku,name,shelf\na,Tea,x\nb,Milk,x\na,Coffee,x\n"
    message = r"items\.csv, row 3, column `sku`: the id `a` was met before, in row 1"
    with pytest.raises(DataError, match=message):
        load_dataset(write_project(tmp_path, {"items.csv": items}))


def test_repeated_events_count_each(tmp_path: Path) -> None:
    row = "ann,milk,2024-03-01T10:00:00,1.5\n"
    dataset = load_dataset(write_project(tmp_path, {"events.csv": EVENTS + row}))
    assert len(dataset.events) == 4
    assert counts(dataset.report, "repeated-event") == {"events[0]: events.csv": 1}


def test_rows_that_cannot_be_used_are_dropped_by_rule(tmp_path: Path) -> None:
    long = "x" * 513
    events = (
        "user,item,when,paid\n"
        ",milk,2024-03-01,1\n"
        f"{long},milk,2024-03-01,1\n"
        "ann,,2024-03-01,1\n"
        "ann,milk,,1\n"
        "ann,milk,soon,1\n"
        "ann,milk,2024-03-01,1\n"
    )
    dataset = load_dataset(write_project(tmp_path, {"events.csv": events}))
    assert len(dataset.events) == 1
    label = "events[0]: events.csv"
    assert counts(dataset.report, "missing-id") == {f"{label}:user": 1, f"{label}:item": 1}
    assert counts(dataset.report, "invalid-id") == {f"{label}:user": 1}
    assert counts(dataset.report, "missing-time") == {f"{label}:when": 1}
    assert counts(dataset.report, "unparsable-time") == {f"{label}:when": 1}
    unreadable = next(row for row in dataset.report if row["rule"] == "unparsable-time")
    assert unreadable["examples"] == ["soon"]
    assert unreadable["share"] == pytest.approx(1 / 6, abs=1e-6)


def test_events_from_the_future_are_dropped_by_the_wall_clock_only(tmp_path: Path) -> None:
    now = datetime.fromtimestamp(time.time(), UTC).replace(tzinfo=None)
    soon, later = now + timedelta(minutes=2), now + timedelta(minutes=9)
    events = f"user,item,when,paid\nann,milk,{soon},1\nann,milk,{later},1\n"
    wall = load_dataset(write_project(tmp_path, {"events.csv": events}, clock="wall"))
    assert len(wall.events) == 1
    assert counts(wall.report, "future-time") == {"events[0]: events.csv:when": 1}
    data = load_dataset(write_project(tmp_path, {"events.csv": events}, clock="data"))
    assert len(data.events) == 2


@pytest.mark.parametrize(
    ("rule", "shelves", "counted"),
    [
        ("drop", ["x", "y", "x"], "missing-dropped"),
        ("impute", ["x", "x", "y", "x"], "missing-imputed"),
        ("mark", ["x", None, "y", "x"], "missing-marked"),
    ],
)
def test_missing_values_follow_the_rule_of_their_column(
    tmp_path: Path, rule: str, shelves: list[str | None], counted: str
) -> None:
    items = "sku,name,shelf\na,Tea,x\nb,Milk, \nc,Salt,y\nd,Beer,x\n"
    goods = {**spec()["items"]["goods"], "missing": {"shelf": rule}}
    events = "user,item,when,paid\nann,a,2024-03-01,1\n"
    files = {"items.csv": items, "events.csv": events}
    dataset = load_dataset(write_project(tmp_path, files, items={"goods": goods}))
    assert dataset.catalog.kinds["goods"].table["label:shelf"].to_list() == shelves
    label = "items.goods: items.csv"
    assert counts(dataset.report, counted) == {f"{label}:shelf": 1}
    assert balance(dataset.report) == {label: 0, "events[0]: events.csv": 0}


def test_text_in_a_value_column_is_an_error_with_its_row(tmp_path: Path) -> None:
    events = EVENTS + "bob,milk,2024-03-05,a lot\n"
    message = r"events\.csv, row 4, column `paid`: holds `a lot`, a number is expected"
    with pytest.raises(DataError, match=message):
        load_dataset(write_project(tmp_path, {"events.csv": events}))


def test_a_value_column_of_times_is_refused(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user": ["a"], "item": ["milk"], "when": [datetime(2024, 3, 1)]})
    frame.write_parquet(tmp_path / "e.parquet")
    section = {**spec()["events"][0], "source": "e.parquet", "value": "when"}
    message = r"column `when`: holds values of the type `Datetime.*numbers are expected"
    with pytest.raises(DataError, match=message):
        load_dataset(write_project(tmp_path, events=[section]))


def test_actions_come_from_a_column_or_the_section(tmp_path: Path) -> None:
    rows = ["user,item,when,what", "ann,milk,2024-03-01,view", "ann,milk,2024-03-02,"]
    clicks = "\n".join([*rows, "bob,milk,2024-03-02,like"])
    column = {**spec()["events"][0], "source": "c.csv", "action_column": "what"}
    del column["action"], column["value"]
    sections = [spec()["events"][0], column]
    dataset = load_dataset(write_project(tmp_path, {"c.csv": clicks}, events=sections))
    assert dataset.catalog.actions == ["buy", "like", "view"]
    ann = dataset.events.span(dataset.catalog.users.ids.index("ann"))
    assert [dataset.catalog.actions[a] for a in dataset.events.action[ann]] == [
        "view",
        "buy",
        "buy",
    ]
    assert counts(dataset.report, "missing-action") == {"events[1]: c.csv:what": 1}


def test_sessions_of_one_name_are_one_session_across_tables(tmp_path: Path) -> None:
    one = "user,item,when,s\nann,milk,2024-03-01,x\nann,milk,2024-03-02,\n"
    two = "user,item,when,s\nann,milk,2024-03-03,x\nann,milk,2024-03-04,y\n"
    base = {k: v for k, v in spec()["events"][0].items() if k != "value"}
    sections = [{**base, "source": name, "session": "s"} for name in ("1.csv", "2.csv")]
    log = load_dataset(
        write_project(tmp_path, {"1.csv": one, "2.csv": two}, events=sections)
    ).events
    assert log.session[0] == log.session[2] != log.session[3]
    assert log.session[1] == -1


def test_ties_in_time_keep_the_order_of_the_sources(tmp_path: Path) -> None:
    rows = [f"ann,i{n},2024-03-01,1" for n in range(50)]
    events = "\n".join(["user,item,when,paid", *rows[25:], *rows[:25]])
    dataset = load_dataset(write_project(tmp_path, {"events.csv": events}))
    names = [dataset.catalog.item_id(item) for item in dataset.events.item]
    assert names == [f"i{n}" for n in [*range(25, 50), *range(25)]]


cell = st.sampled_from(["", "a", "b", "0012", "x\ty", "ü" * 300, "🦊 'q' \"r\", s"])
stamp = st.sampled_from(["", "2024-03-01", "2024-03-02T10:00:00Z", "nonsense", "2999-01-01"])
events_rows = st.lists(st.tuples(cell, cell, stamp, st.sampled_from(["", "1", "2.5"])), min_size=1)
item_rows = st.lists(st.tuples(cell, st.sampled_from(["", "x"])), min_size=1)


def as_csv(header: str, rows: list[Any]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows([header.split(","), *rows])
    return out.getvalue()


@settings(deadline=None, max_examples=40)
@given(events_rows, item_rows, st.sampled_from(["drop", "impute", "mark"]))
def test_nothing_disappears_uncounted(events: list[Any], items: list[Any], rule: str) -> None:
    first: dict[str, str] = {}
    rows = [(sku, first.setdefault(sku, shelf), first[sku]) for sku, shelf in items]
    files = {
        "items.csv": as_csv("sku,name,shelf", rows),
        "events.csv": as_csv("user,item,when,paid", events),
    }
    goods = {**spec()["items"]["goods"], "missing": {"shelf": rule}}
    section = {**spec()["events"][0], "missing": {"paid": rule}}
    with tempfile.TemporaryDirectory() as folder:
        project = write_project(
            Path(folder), files, items={"goods": goods}, events=[section], clock="wall"
        )
        dataset = load_dataset(project)
    left = balance(dataset.report)
    assert left == {"items.goods: items.csv": 0, "events[0]: events.csv": 0}
    assert counts(dataset.report, "rows-read")["events[0]: events.csv"] == len(events)
    assert counts(dataset.report, "rows-kept")["events[0]: events.csv"] == len(dataset.events)
    assert all(row["rule"] in RULES for row in dataset.report)
    assert all(0 <= row["share"] <= 1 and len(row["examples"]) <= 3 for row in dataset.report)


@settings(deadline=None, max_examples=30)
@given(events_rows)
def test_the_log_is_sorted_by_user_then_time(events: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = {"events.csv": as_csv("user,item,when,paid", events), "items.csv": ITEMS}
        dataset = load_dataset(write_project(Path(folder), files))
    log = dataset.events
    assert log.n_users == len(dataset.catalog.users)
    for user in range(log.n_users):
        span = log.span(user)
        assert (log.user[span] == user).all()
        assert (np.diff(log.time[span]) >= 0).all()
