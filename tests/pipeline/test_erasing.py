"""Erasing a person: nothing of them is left, and nothing brings them back."""

from __future__ import annotations

import json
import secrets
import shutil
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from recprism.artifact import ArtifactShelf, read_arrays
from recprism.cli.app import app
from recprism.data.forgotten import KEY_FILE
from recprism.engine import open_engine
from recprism.errors import StoreError, UsageError
from recprism.model import open_model
from recprism.pipeline import (
    Receipt,
    erase,
    export_person,
    fit,
    prepare,
    publish,
    train,
    training_lock,
)
from recprism.project import Project, load_project
from recprism.records import Event
from recprism.store import open_project_store
from recprism.testing.shops import END, MILK_BUYER, write_shop

pytestmark = pytest.mark.slow
OTHER = "u03"
PERSON = secrets.token_hex(16)
"""An id that occurs nowhere by chance."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop, in which the buyer of milk has an id of 32 characters, trained twice."""
    folder = write_shop(tmp_path_factory.mktemp("erasing") / "shop")
    for table in (folder / "data").glob("*.csv"):
        text = table.read_text(encoding="utf-8")
        table.write_text(text.replace(f"{MILK_BUYER},", f"{PERSON},"), encoding="utf-8")
    project = load_project(folder)
    train(project, until="2024-05-06")
    train(project)
    return folder


@pytest.fixture
def shop(trained: Path, tmp_path: Path) -> Project:
    """A copy that has live events and impressions of the person."""
    folder = Path(shutil.copytree(trained, tmp_path / "shop"))
    with open_engine(folder) as engine:
        for user in (PERSON, OTHER):
            seen = Event(user=user, kind="products", item="p05", action="purchase", session=user)
            assert engine.observe(seen).accepted == 1
            engine.recommend(user, record=True)
    return load_project(folder)


def forget(project: Project, user: str = PERSON) -> Receipt:
    store = open_project_store(project)
    try:
        return erase(project, store, user)
    finally:
        store.close()


def holders(folder: Path) -> list[str]:
    """The files below `folder` that hold the id: in their bytes, or in a table once decoded."""
    found = []
    for file in sorted(folder.rglob("*")):
        if not file.is_file():
            continue
        tables = [pl.read_ipc(file)] if file.suffix == ".arrow" else []
        decoded = any(PERSON in str(frame.rows()) for frame in tables)
        if PERSON.encode() in file.read_bytes() or decoded:
            found.append(file.relative_to(folder).as_posix())
    return found


def lists_of(folder: Path, user: str) -> Any:
    with open_engine(folder) as engine:
        lists = engine.recommend(user, at=END).lists.values()
    return [(item.id, item.score) for one in lists for item in one.items]


def test_nothing_of_the_person_is_left_and_the_receipt_says_where_it_was(shop: Project) -> None:
    assert holders(shop.path / ".recprism")
    receipt = forget(shop)
    assert holders(shop.path / ".recprism") == []
    assert PERSON not in json.dumps(receipt.to_dict())
    assert receipt.store["events"] == 1
    assert receipt.store["impressions"] > 0
    assert len(receipt.artifacts) == 2
    assert receipt.caches >= 1
    assert receipt.retrain
    assert receipt.pending == ()
    sections = {place["section"]: place["rows"] for place in receipt.sources}
    assert set(sections) == {"users", "items.coupons.audience", "events[0]", "events[1]"}
    assert sections["users"] == 1


def test_others_keep_their_lists_and_the_person_is_a_stranger(shop: Project) -> None:
    before = lists_of(shop.path, OTHER)
    forget(shop)
    assert lists_of(shop.path, OTHER) == before
    with open_engine(shop.path) as engine:
        assert engine.recommend(PERSON).cold
        assert engine.profile(PERSON).to_dict()["cold"]


def test_the_learned_arrays_stay_and_the_persons_own_are_empty(shop: Project) -> None:
    shelf = ArtifactShelf(shop.path / ".recprism" / "artifacts")
    old = open_model(shelf.current())
    row = old.catalog.users.ids.index(PERSON)
    factors = np.array(read_arrays(shelf.current() / "snapshot.safetensors")["svd/factors"])
    forget(shop)
    new = open_model(shelf.current())
    assert len(new.catalog.users) == len(old.catalog.users)
    assert new.events.span(row) == slice(new.events.span(row).start, new.events.span(row).start)
    assert new.snapshot.segments.of_user[row] == -1
    assert new.catalog.users.traits.row(row) == (None, None)
    kept = read_arrays(shelf.current() / "snapshot.safetensors")["svd/factors"]
    assert np.array_equal(kept, factors)


def test_what_served_before_serves_again_under_its_new_name(shop: Project) -> None:
    shelf = ArtifactShelf(shop.path / ".recprism" / "artifacts")
    first, last = shelf.ids()
    shelf.use(first)
    receipt = forget(shop)
    assert set(receipt.artifacts) == {first, last}
    assert shelf.pinned() == receipt.artifacts[first]
    assert shelf.ids() == [receipt.artifacts[first], receipt.artifacts[last]]


def test_a_training_from_the_same_sources_does_not_bring_the_person_back(shop: Project) -> None:
    forget(shop)
    artifact = train(shop)
    assert open_model(artifact.path).catalog.users.ids.index(PERSON) == -1
    assert holders(shop.path / ".recprism") == []


def test_what_somebody_does_after_the_erasure_is_theirs_again(shop: Project) -> None:
    forget(shop)
    with open_engine(shop.path) as engine:
        engine.observe(Event(user=PERSON, kind="products", item="p09", action="purchase"))
        state = engine.state(PERSON)
        assert len(state.item) == 1
        assert state.user_idx == -1
    with (shop.path / "data" / "purchases.csv").open("a", encoding="utf-8") as file:
        file.write(f"{PERSON},p09,2024-06-03T10:00:00,1.0,back,1\n")
    model = open_model(train(shop).path)
    row = model.catalog.users.ids.index(PERSON)
    assert model.events.span(row).stop - model.events.span(row).start == 2


def test_an_erasure_during_a_training_is_in_what_it_publishes(shop: Project) -> None:
    workspace = prepare(shop)
    model = fit(workspace)
    forget(shop)
    artifact = publish(workspace, model)
    assert artifact.path.is_dir()
    assert ArtifactShelf(artifact.path.parent).current() == artifact.path
    assert holders(shop.path / ".recprism" / "artifacts") == []


def test_a_training_at_work_keeps_its_caches_and_the_receipt_says_so(shop: Project) -> None:
    with training_lock(shop.path):
        receipt = forget(shop)
    assert receipt.caches == 0
    assert "a training is at work" in receipt.pending[0]
    again = forget(shop)
    assert again.caches >= 1
    assert again.pending == ()
    assert not again.retrain


def test_two_trainings_of_one_project_do_not_run_at_once(shop: Project) -> None:
    said: list[str] = []

    def other() -> None:
        try:
            train(shop)
        except UsageError as error:
            said.append(str(error))

    with training_lock(shop.path):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(said) == 1
    assert "Another training or evaluation" in said[0]


def test_without_the_key_nobody_is_learned_again(shop: Project) -> None:
    forget(shop)
    (shop.path / KEY_FILE).unlink()
    with pytest.raises(StoreError, match="remembers 1 erased people, and the key"):
        train(shop)


def test_somebody_unknown_gets_a_receipt_and_a_bad_id_a_sentence(shop: Project) -> None:
    receipt = forget(shop, "nobody-knows-me")
    assert receipt.artifacts == {}
    assert not receipt.retrain
    assert receipt.sources == ()
    with pytest.raises(UsageError, match="an id must not be empty"):
        forget(shop, "")


def test_a_source_that_is_gone_keeps_nobody_from_being_erased(shop: Project) -> None:
    (shop.path / "data" / "mailings.csv").unlink()
    receipt = forget(shop)
    assert "mailings.csv" in receipt.pending[0]
    assert len(receipt.artifacts) == 2
    assert holders(shop.path / ".recprism") == []


def test_the_commands_export_and_forget(shop: Project) -> None:
    words = ["export-user", str(shop.path), "--user", PERSON, "--json"]
    exported = json.loads(CliRunner().invoke(app, words).stdout)
    assert {part["section"] for part in exported["sources"]} >= {"users", "events[0]"}
    assert exported["events"][0]["item"] == "p05"
    assert exported["impressions"][0]["user"] == PERSON
    assert exported["profile"]["user"] == PERSON
    told = CliRunner().invoke(app, ["forget", str(shop.path), "--user", PERSON])
    assert told.exit_code == 0, told.stderr
    assert "artifacts written anew: 2" in told.stdout
    assert PERSON not in told.stdout
    assert "they are not read again" in " ".join(told.stdout.split())
    with open_engine(shop.path) as engine:
        assert export_person(shop, engine, PERSON)["events"] == []


def test_an_erasure_is_at_a_moment_on_the_clock_of_the_sources(shop: Project) -> None:
    forget(shop)
    store = open_project_store(shop)
    (moment,) = store.erasures().values()
    store.close()
    assert END - moment < datetime(2024, 1, 3) - datetime(2024, 1, 1)
