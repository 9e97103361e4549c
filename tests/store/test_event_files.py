"""Events from files: good rows are kept, bad ones are told by their line."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from recprism.errors import DataError
from recprism.store import MemoryStore
from recprism.store.files import BATCH, FileResult, add_file
from recprism.testing.stores import NOW, an_event

FULL = an_event(
    "1029",
    "1082185",
    time=datetime(2017, 11, 30, 8, 15),
    value=2.5,
    session="s1",
    context={"store": "367"},
    offer="18",
    request_id="r1",
    slot="front",
    idempotency_key="k1",
)


def add(folder: Path, name: str, text: str | bytes) -> tuple[MemoryStore, FileResult]:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    store = MemoryStore()
    return store, add_file(store, path, NOW)


def bad_rows(folder: Path, name: str, text: str) -> dict[int, str]:
    return {bad.line: bad.error for bad in add(folder, name, text)[1].rejected}


def test_all_of_an_event_comes_from_jsonl(tmp_path: Path) -> None:
    line = (
        '{"user": 1029, "kind": "products", "item": "1082185", "action": "purchase",'
        ' "time": "2017-11-30T10:15+02:00", "value": 2.5, "session": "s1",'
        ' "context": {"store": 367, "aisle": null}, "offer": "18", "request_id": "r1",'
        ' "slot": "front", "idempotency_key": "k1"}'
    )
    store, result = add(tmp_path, "e.jsonl", f"\n{line}\n{line}\n")
    assert store.events_of("1029") == [FULL]
    assert result.to_dict() == {"accepted": 1, "duplicates": 1, "rejected": []}


def test_all_of_an_event_comes_from_csv(tmp_path: Path) -> None:
    text = (
        "user,kind,item,action,time,value,session,context,offer,request_id,slot,idempotency_key\n"
        '1029,products,1082185,purchase,2017-11-30T08:15,2.5,s1,"{""store"": ""367""}",18,r1,'
        "front,k1\n"
        "7,products,1,view,,,,,,,,\n"
    )
    store, result = add(tmp_path, "e.csv", text)
    assert store.events_of("1029") == [FULL]
    assert store.events_of("7") == [an_event("7", "1", action="view", time=NOW)]
    assert result.accepted == 2


def test_all_of_an_event_comes_from_parquet(tmp_path: Path) -> None:
    names = ("kind", "action", "session", "offer", "request_id", "slot", "idempotency_key")
    row: dict[str, Any] = {name: getattr(FULL, name) for name in names}
    row |= {"user": 1029, "item": 1082185, "time": FULL.time, "value": 2.5, "context.store": 367}
    other = {**dict.fromkeys(row), "user": 7, "item": 1, "kind": "products", "action": "view"}
    pl.DataFrame([row, other]).write_parquet(tmp_path / "e.parquet")
    store = MemoryStore()
    assert add_file(store, tmp_path / "e.parquet", NOW).accepted == 2
    assert store.events_of("1029") == [FULL]
    assert store.events_of("7") == [an_event("7", "1", action="view", time=NOW)]


def test_a_struct_is_a_context_too(tmp_path: Path) -> None:
    base = {"user": "u1", "kind": "products", "item": "milk", "action": "purchase"}
    rows = [{**base, "context": {"store": "1", "aisle": None}}, {**base, "context": None}]
    pl.DataFrame(rows).write_parquet(tmp_path / "e.parquet")
    store = MemoryStore()
    assert add_file(store, tmp_path / "e.parquet", NOW).accepted == 2
    assert [e.context for e in store.events_of("u1")] == [{"store": "1"}, {}]


def test_bad_lines_of_jsonl_are_told_and_the_rest_is_kept(tmp_path: Path) -> None:
    good = '{"user": "u1", "kind": "products", "item": "milk", "action": "purchase"%s}'
    lines = [
        good % "",
        "{",
        "[1]",
        '{"user": "u1"}',
        good % ', "tme": "2017-11-30"',
        good % ', "time": "yesterday"',
        good % ', "value": "much"',
        good % ', "value": NaN',
        good % ', "context": [1]',
        good % ', "session": 1.5',
        good % ', "time": "2018-11-30"',
        "[" * 100_000,
        good % ', "value": 3',
    ]
    store, result = add(tmp_path, "e.jsonl", "\n".join(lines))
    assert len(store.events_of("u1")) == result.accepted == 2
    told = {bad.line: bad.error for bad in result.rejected}
    assert list(told) == list(range(2, 13))
    expected = {
        2: "found no JSON",
        3: "found list, an object is needed",
        4: "`kind`: every event needs one",
        5: "`tme` is no part of an event; did you mean `time`?",
        6: "`time`: found `yesterday`",
        7: "`value`: found `much`, a number is needed",
        8: "`value`: found `nan`, a finite number is needed",
        9: "`context`: found list",
        10: "`session`: an id must be text, found float `1.5`",
        11: "is over 5 minutes ahead of now",
        12: "found no JSON",
    }
    assert {line: part in told[line] for line, part in expected.items()} == dict.fromkeys(
        expected, True
    )


def test_bad_lines_of_csv_are_told_and_the_rest_is_kept(tmp_path: Path) -> None:
    text = (
        "user,kind,item,action,value,context\n"
        'u1,products,"mi\nlk",purchase,,\n'
        "u1,products,milk\n"
        "u1,products,milk,purchase,much,\n"
        "u1,products,milk,purchase,,{\n"
        "u1,,milk,purchase,,\n"
        "\n"
        "u1,products,milk,purchase,1,\n"
    )
    told = bad_rows(tmp_path, "e.csv", text)
    assert told == {
        2: r"`item`: the id 'mi\nlk' holds a control character",
        4: "found 3 cells, the header has 6",
        5: "`value`: `much` cannot be read",
        6: "`context`: `{` cannot be read",
        7: "`kind`: every event needs one",
    }


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("e.txt", "", r"e\.txt: is of no kind that holds events; known: `\.jsonl`"),
        ("e.csv", "user,kind,item,acton\n", "`acton` is no part of an event; did you mean `action"),
        ("e.csv", "user,kind,item\n", "there is no column `action`"),
        ("e.csv", "user,kind,item,action,user\n", "two columns have one name"),
        ("e.csv", "", "there is no column `user`"),
        ("e.csv", 'user,kind,item,action\n"a"b,c,d,e\n', "row 2: the line is not RFC 4180"),
        ("e.jsonl", b"\xff\xfe", "cannot be read: 'utf-8' codec"),
        ("e.jsonl", " " * 1_048_577, "row 1: the line is over 1,048,576 characters long"),
        ("e.parquet", "no parquet", "cannot be read: "),
    ],
)
def test_a_file_that_holds_no_events_is_refused(
    tmp_path: Path, name: str, text: str | bytes, problem: str
) -> None:
    with pytest.raises(DataError, match=problem):
        add(tmp_path, name, text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"e\.csv: cannot be read: .*No such file"):
        add_file(MemoryStore(), tmp_path / "e.csv", NOW)


def test_a_long_file_is_added_batch_by_batch(tmp_path: Path) -> None:
    line = '{"user": "u1", "kind": "products", "item": "i", "action": "view"}\n'
    path = tmp_path / "e.jsonl"
    told: list[int] = []
    path.write_text(line * (2 * BATCH + 5), encoding="utf-8")
    result = add_file(MemoryStore(), path, NOW, told.append)
    assert result.accepted == 2 * BATCH + 5
    assert told == [BATCH, 2 * BATCH, 2 * BATCH + 5]
