"""Who was erased, known by digests alone."""

from __future__ import annotations

import stat
from pathlib import Path

import polars as pl
import pytest
from tests.data.small_project import write_project

from recprism.data.build import load_dataset
from recprism.data.forgotten import KEY_FILE, Forgotten, digest_of, erasure_key
from recprism.data.held import rows_about
from recprism.data.live import load_events
from recprism.data.online import SCHEMA, Online
from recprism.data.reading import Reading
from recprism.data.report import balance
from recprism.errors import UsageError

KEY = b"k" * 32


def erased(**moments: int) -> Forgotten:
    return Forgotten(KEY, {digest_of(KEY, user): moment for user, moment in moments.items()})


def test_rows_from_before_are_not_read_and_later_ones_are() -> None:
    reading = Reading(Path(), left_out=erased(ann=10, **{"7": 5}).left_out)
    note = (reading.report, "clicks")
    frame = pl.DataFrame({"who": ["ann", "bob", "ann", "ann", None]})
    time = pl.Series([1, 1, 10, None, 1])
    kept = reading.without_left_out(frame, "who", note, time)
    assert kept["who"].to_list() == ["bob", "ann", None]
    assert reading.without_left_out(frame, "who", note)["who"].to_list() == ["bob", None]
    assert [row["count"] for row in reading.report.rows()] == [2, 3]
    numbers = pl.DataFrame({"who": pl.Series([7, 8, None], dtype=pl.Float64)})
    assert reading.without_left_out(numbers, "who", note)["who"].to_list() == [8.0, None]


def test_another_key_knows_nobody() -> None:
    other = Forgotten(b"o" * 32, erased(ann=10).moments)
    assert other.moment("ann") is None
    assert erased(ann=10).moment("ann") == 10
    assert "ann" not in str(erased(ann=10))


def test_a_data_set_is_read_without_them_and_the_account_still_adds_up(tmp_path: Path) -> None:
    project = write_project(tmp_path)
    whole = load_dataset(project)
    gone = whole.catalog.users.ids[0]
    left_out = erased(**{gone: 2**60}).left_out
    nothing = pl.DataFrame(schema=SCHEMA)
    rest = load_dataset(project, online=Online(nothing, left_out))
    assert rest.catalog.users.ids.index(gone) == -1
    assert len(rest.events) == len(whole.events) - whole.events.span(0).stop
    left = [row for row in rest.report if row["rule"] == "left-out"]
    assert left
    assert not any(row["examples"] for row in left)
    assert not any(gone in example for row in rest.report for example in row["examples"])
    assert balance(rest.report) == balance(whole.report)
    live = load_events(project, whole.catalog, since=0, left_out=left_out)
    assert live.users.index(gone) == -1
    held = rows_about(project, gone)
    assert held
    assert all(one.rows.height for one in held)


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    assert erasure_key(tmp_path) == b""
    key = erasure_key(tmp_path, make=True)
    assert len(key) == 32
    assert erasure_key(tmp_path, make=True) == erasure_key(tmp_path) == key
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600


def test_machines_may_share_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECPRISM_ERASURE_KEY", KEY.hex())
    assert erasure_key(tmp_path, make=True) == KEY
    assert not (tmp_path / KEY_FILE).exists()


def test_a_key_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECPRISM_ERASURE_KEY", "secret")
    with pytest.raises(UsageError, match="must be 64 hexadecimal digits"):
        erasure_key(tmp_path)
