"""Events in a span of time agree with what a full load holds."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.data.small_project import spec, write_project

from recprism.data.build import load_dataset
from recprism.data.live import FIRST_SESSION, load_events
from recprism.data.times import to_micros
from recprism.errors import DataError
from recprism.project import Project, load_project
from recprism.testing import shops


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return load_project(shops.write_shop(tmp_path_factory.mktemp("live")))


SINCE = to_micros(shops.START + timedelta(weeks=9))
BEFORE = to_micros(shops.START + timedelta(weeks=15))


@pytest.mark.parametrize("before", [None, BEFORE])
@pytest.mark.parametrize("users", [None, [shops.STRANGE_USER, "nobody"], [shops.MILK_BUYER]])
def test_a_span_of_time_is_what_the_log_holds_of_it(
    shop: Project, users: list[str] | None, before: int | None
) -> None:
    dataset = load_dataset(shop)
    live = load_events(shop, dataset.catalog, since=SINCE, before=before, users=users)
    end = np.iinfo(np.int64).max if before is None else before
    log = dataset.events.between(SINCE, end)
    names = dataset.catalog.users.ids
    wanted = users if users is not None else names.values.to_list()
    assert live.skipped == 0
    found = 0
    for name in wanted:
        mine, theirs = live.span(name), log.span(names.index(name))
        found += mine.stop - mine.start
        for column in ("item", "action", "time", "value", "offer"):
            np.testing.assert_array_equal(
                getattr(live.log, column)[mine], getattr(log, column)[theirs]
            )
        for context, codes in log.context.items():
            np.testing.assert_array_equal(live.log.context[context][mine], codes[theirs])
    assert found == len(live.log) > 0


def test_sessions_never_meet_those_of_the_log(shop: Project) -> None:
    catalog = load_dataset(shop).catalog
    session = load_events(shop, catalog, since=SINCE).log.session
    assert ((session == -1) | (session >= FIRST_SESSION)).all()
    assert (session >= FIRST_SESSION).any()


def append(folder: Path, name: str, text: str) -> None:
    with (folder / name).open("a", encoding="utf-8") as file:
        file.write(text)


def test_new_users_come_back_and_unknown_items_are_skipped(tmp_path: Path) -> None:
    project = write_project(tmp_path)
    catalog = load_dataset(project).catalog
    append(tmp_path, "events.csv", "new,milk,2024-04-01,3\nann,brandnew,2024-04-02,3\n")
    live = load_events(project, catalog, since=to_micros(datetime(2024, 4, 1)))
    assert live.users.values.to_list() == ["new"]
    assert live.skipped == 1
    assert live.log.value.tolist() == [3.0]
    assert live.span("ann") == slice(0, 0)
    assert load_events(project, catalog, since=0, users=[]).log.n_users == 0


@pytest.mark.parametrize(
    "ids",
    [
        pl.Series([7, 12, 7], dtype=pl.Int32),
        pl.Series([7.0, 12.0, 7.0]),
        pl.Series(["7", "0012", "7"]),
        pl.Series(["7", "0012", "7"], dtype=pl.Categorical),
    ],
)
def test_users_are_found_whatever_the_type_of_their_column(tmp_path: Path, ids: pl.Series) -> None:
    days = [datetime(2024, 3, day) for day in (3, 1, 2)]
    frame = pl.DataFrame({"user": ids, "item": ["milk", "milk", "bread"], "when": days})
    frame.write_parquet(tmp_path / "e.parquet")
    section = {k: v for k, v in spec()["events"][0].items() if k != "value"}
    project = write_project(tmp_path, events=[{**section, "source": "e.parquet"}])
    catalog = load_dataset(project).catalog
    live = load_events(project, catalog, since=0, users=["7", "007"])
    assert live.users.values.to_list() == ["7"]
    assert [catalog.item_id(item) for item in live.log.item] == ["bread", "milk"]


@pytest.mark.parametrize("rule", ["drop", "impute", "mark"])
def test_missing_values_follow_the_rule_here_too(tmp_path: Path, rule: str) -> None:
    section: dict[str, Any] = {**spec()["events"][0], "missing": {"paid": rule}}
    project = write_project(tmp_path, events=[section])
    dataset = load_dataset(project)
    live = load_events(project, dataset.catalog, since=0, users=["ann"])
    span = dataset.events.span(dataset.catalog.users.ids.index("ann"))
    np.testing.assert_array_equal(live.log.value, dataset.events.value[span])


def test_actions_that_are_new_are_skipped(tmp_path: Path) -> None:
    section = {**spec()["events"][0], "action_column": "what"}
    del section["action"]
    events = "user,item,when,paid,what\nann,milk,2024-03-01,1,buy\n"
    project = write_project(tmp_path, {"events.csv": events}, events=[section])
    catalog = load_dataset(project).catalog
    append(tmp_path, "events.csv", "ann,milk,2024-03-02,1,steal\n")
    assert load_events(project, catalog, since=0).skipped == 1
    other = write_project(tmp_path, events=[{**spec()["events"][0], "action": "view"}],
                          tasks={"goods": {"recommend": "goods"}})  # fmt: skip
    assert load_events(other, catalog, since=0).skipped == 3


def test_a_kind_that_training_did_not_know_is_an_error(tmp_path: Path) -> None:
    catalog = load_dataset(write_project(tmp_path)).catalog
    items = {"wares": spec()["items"]["goods"]}
    events = [{**spec()["events"][0], "kind": "wares"}]
    tasks = {"wares": {"recommend": "wares", "goal": "buy"}}
    project = write_project(tmp_path, items=items, events=events, tasks=tasks)
    with pytest.raises(DataError, match="events on the kind `wares`, which was not there"):
        load_events(project, catalog, since=0)
