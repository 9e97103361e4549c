"""`recprism events` and `recprism store`, through the real application."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.data.small_project import write_project
from tests.store.test_migrations import old_store
from typer.testing import CliRunner, Result

from recprism.cli.app import app
from recprism.pipeline import train
from recprism.project import Project
from recprism.store import open_project_store
from recprism.store.opening import URL_VARIABLE
from recprism.testing.postgres import PostgresServer

LINE = '{"user": "ann", "kind": "goods", "item": "milk", "action": "buy"%s}\n'


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def document(*words: object) -> Any:
    result = run(*words, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return write_project(tmp_path / "p", content={"encoder": "none"})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with one event that is kept and one that is not."""
    path = tmp_path / "new.jsonl"
    path.write_text(LINE % "" + LINE % ', "value": "much"', encoding="utf-8")
    return path


def events_of(project: Project, user: str = "ann") -> list[str]:
    with closing(open_project_store(project)) as store:
        return [f"{event.item} {event.time:%Y-%m-%d}" for event in store.events_of(user)]


def test_events_are_added_and_bad_rows_are_told(project: Project, file: Path) -> None:
    result = run("events", "add", project.path, file)
    assert result.exit_code == 0
    assert result.stdout == "Added 1 events; 0 were known, 1 refused.\n"
    assert f"{file}:2: `value`: found `much`, a number is needed." in result.stderr


def test_events_are_added_in_json(project: Project, file: Path) -> None:
    added = document("events", "add", project.path, file)
    assert (added["accepted"], added["duplicates"]) == (1, 0)
    assert [bad["line"] for bad in added["rejected"]] == [2]


def test_an_event_without_time_happens_on_the_clock_of_the_data(
    project: Project, file: Path
) -> None:
    train(project)
    run("events", "add", project.path, file)
    assert events_of(project) == ["milk 2024-03-03"]


def test_before_a_training_now_is_now(project: Project, file: Path) -> None:
    run("events", "add", project.path, file)
    assert events_of(project)[0] >= f"milk {datetime(2024, 4, 1):%Y-%m-%d}"


def test_a_file_of_nothing_but_bad_rows_is_a_mistake(project: Project, file: Path) -> None:
    file.write_text("{\n" * 30, encoding="utf-8")
    result = run("events", "add", project.path, file)
    assert result.exit_code == 2
    assert "10 more rows were refused." in result.stderr


def test_a_file_that_cannot_be_read_is_a_mistake(project: Project, tmp_path: Path) -> None:
    result = run("events", "add", project.path, tmp_path / "none.csv")
    assert result.exit_code == 2
    assert "none.csv: cannot be read" in result.stderr


def test_an_old_store_is_refused_until_it_is_migrated(project: Project, file: Path) -> None:
    store = project.path / ".recprism" / "store.sqlite"
    store.parent.mkdir()
    old_store(store)
    refused = run("events", "add", project.path, file)
    assert refused.exit_code == 2
    assert "has schema version 1, this RecPrism needs 3. Run `recprism store mig" in refused.stderr
    assert run("train", project.path).exit_code == 2
    assert document("store", "migrate", project.path)["found"] == 1
    assert "is at version 3." in run("store", "migrate", project.path).stdout
    assert run("events", "add", project.path, file).exit_code == 0
    assert len(events_of(project, "u1")) == 2


def test_there_is_nothing_to_migrate_before_the_first_event(project: Project) -> None:
    said = document("store", "migrate", project.path)
    assert (said["found"], said["version"]) == (0, 0)
    assert "holds nothing yet" in run("store", "migrate", project.path).stdout


def test_a_store_is_backed_up_and_restored(project: Project, file: Path, tmp_path: Path) -> None:
    backup = tmp_path / "b.sqlite"
    assert run("store", "backup", project.path, backup).exit_code == 2
    run("events", "add", project.path, file)
    assert document("store", "backup", project.path, backup)["bytes"] == backup.stat().st_size
    run("events", "add", project.path, file)
    assert len(events_of(project)) == 2
    assert "is what" in run("store", "restore", project.path, backup).stdout
    assert len(events_of(project)) == 1
    assert document("store", "restore", project.path, backup)["file"] == str(backup)


def test_a_store_in_memory_has_nothing_to_care_for(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URL_VARIABLE, "memory:")
    result = run("store", "migrate", project.path)
    assert result.exit_code == 2
    assert "`memory:` forgets when the process ends" in result.stderr


def test_a_project_may_keep_its_store_in_postgres(
    postgres: PostgresServer, project: Project, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URL_VARIABLE, postgres.fresh_url())
    assert run("events", "add", project.path, file).exit_code == 0
    assert len(events_of(project)) == 1
    assert document("store", "migrate", project.path)["found"] == 3
    refused = run("store", "backup", project.path, file)
    assert "`pg_dump` makes a backup" in refused.stderr
    assert postgres.password not in refused.stderr
    assert not (project.path / ".recprism" / "store.sqlite").exists()
