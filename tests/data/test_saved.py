"""A saved data set opens as it was, mapped and read-only."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.data.small_project import write_project

from recprism.data import saved
from recprism.data.build import load_dataset
from recprism.data.dataset import Dataset, EventLog, Grouped, Ids
from recprism.data.saved import open_catalog, open_events, open_report, save_dataset
from recprism.errors import ArtifactError, DiskFull
from recprism.project import load_project
from recprism.testing import shops


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The small shop: coupons with an audience, ads by store and week."""
    return load_dataset(load_project(shops.write_shop(tmp_path_factory.mktemp("shop"))))


def same(left: Any, right: Any) -> None:
    """Assert that two values of a data set are equal, field by field."""
    if isinstance(left, np.ndarray):
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)
    elif isinstance(left, pl.Series):
        assert left.to_list() == right.to_list()
    elif isinstance(left, pl.DataFrame):
        assert left.equals(right)
    elif dataclasses.is_dataclass(left):
        for field in dataclasses.fields(left):
            same(getattr(left, field.name), getattr(right, field.name))
    elif isinstance(left, dict):
        assert list(left) == list(right)
        for key, value in left.items():
            same(value, right[key])
    elif isinstance(left, (list, tuple)):
        assert list(left) == list(right)
    else:
        assert left == right


def test_what_was_saved_is_what_opens(shop: Dataset, tmp_path: Path) -> None:
    save_dataset(shop, tmp_path)
    same(shop.catalog, open_catalog(tmp_path))
    same(shop.events, open_events(tmp_path))
    assert open_report(tmp_path) == list(shop.report)


def test_arrays_are_read_only_views_of_their_files(shop: Dataset, tmp_path: Path) -> None:
    save_dataset(shop, tmp_path)
    log = open_events(tmp_path)
    offers = open_catalog(tmp_path).kinds["ads"].offers
    assert offers is not None
    for array in (log.item, log.time, offers.item, offers.placement):
        assert array is not None
        assert not array.flags.writeable
        assert not array.flags.owndata
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    # Written in the file, seen in the array: nothing was copied.
    path = tmp_path / "events.item.npy"
    raw = bytearray(path.read_bytes())
    raw[-4:] = np.int32(123_456).tobytes()
    with path.open("r+b") as file:
        file.write(raw)
    assert log.item[-1] == 123_456


def test_a_project_without_events_and_links_opens_too(tmp_path: Path) -> None:
    users = {"source": "users.csv", "id": "id", "text": "wish", "language": "lang"}
    files = {"users.csv": "id,wish,lang\nann,Tee,de\n"}
    project = write_project(
        tmp_path, files, events=[], users=users, tasks={"goods": {"recommend": "goods"}}
    )
    dataset = load_dataset(project)
    assert len(dataset.events) == 0
    save_dataset(dataset, tmp_path / "saved")
    same(dataset.catalog, open_catalog(tmp_path / "saved"))
    same(dataset.events, open_events(tmp_path / "saved"))
    language = open_catalog(tmp_path / "saved").users.language
    assert language is not None
    assert language.to_list() == ["de"]


@pytest.mark.parametrize("name", ["catalog.json", "events.time.npy", "items.products.arrow"])
def test_a_missing_or_damaged_file_is_named(shop: Dataset, tmp_path: Path, name: str) -> None:
    def reopen() -> None:
        open_catalog(tmp_path)
        open_events(tmp_path)

    save_dataset(shop, tmp_path)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArtifactError, match=rf"{name}` cannot be read .* Train again"):
        reopen()
    (tmp_path / name).unlink()
    with pytest.raises(ArtifactError, match=rf"{name}` cannot be read \(.*No such file"):
        reopen()


def test_a_catalog_that_lacks_a_part_is_damaged(shop: Dataset, tmp_path: Path) -> None:
    save_dataset(shop, tmp_path)
    (tmp_path / "catalog.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"catalog\.json` lacks 'kinds', the file is damaged"):
        open_catalog(tmp_path)


def test_a_full_disk_is_one_sentence(shop: Dataset, small_disk: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "filler").write_bytes(bytes(shutil.disk_usage(small_disk).free + 1))
    with pytest.raises(DiskFull, match=r"The disk filled while writing `.*`"):
        save_dataset(shop, small_disk)


def test_arrays_on_a_full_disk_say_so_too() -> None:
    with pytest.raises(DiskFull, match="/dev/full"):
        saved._write_array(Path("/dev/full"), np.zeros(10_000, np.int64))


def test_a_folder_that_cannot_be_written_is_not_called_full(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        saved._write_array(tmp_path, np.zeros(3, np.int64))
    with pytest.raises(IsADirectoryError):
        saved._write_bytes(tmp_path, b"x")


def test_ids_and_groups_of_nothing_round_trip(shop: Dataset, tmp_path: Path) -> None:
    none = np.zeros(0, np.int32)
    log = EventLog(
        none, none, none, np.zeros(0, np.int64), np.zeros(0, np.float32), none, none, {},
        np.zeros(1, np.int64),
    )  # fmt: skip
    save_dataset(Dataset(shop.catalog, log), tmp_path)
    assert len(open_events(tmp_path)) == 0
    assert Grouped.build(none, none, 0).offsets.tolist() == [0]
    assert len(Ids(pl.Series([], dtype=pl.String))) == 0
