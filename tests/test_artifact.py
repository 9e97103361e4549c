"""The shelf: what is published is whole, what fails leaves the earlier artifact serving."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from recprism.artifact import (
    FORMAT_VERSION,
    MANIFEST,
    ArtifactShelf,
    read_arrays,
    read_manifest,
    write_arrays,
)
from recprism.errors import ArtifactError, DiskFull, NotTrained, UnknownName

BUILDER = """
import sys, time
from recprism.artifact import ArtifactShelf
shelf = ArtifactShelf(sys.argv[1])
folder = shelf.new()
(folder / "big.bin").write_bytes(b"x" * 1000)
print(folder, flush=True)
time.sleep(60)
"""

# Dies by SIGKILL in the middle of publish, at the step named by the argument.
DYING_PUBLISHER = """
import os, signal, sys
from pathlib import Path
from recprism import artifact
def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
shelf = artifact.ArtifactShelf(sys.argv[1])
folder = shelf.new()
(folder / "data.bin").write_bytes(b"new")
owner, name = {"write": (artifact, "_write_manifest"), "sync": (artifact, "_sync_tree"),
               "rename": (Path, "rename"), "point": (artifact.ArtifactShelf, "_point"),
               "replace": (Path, "replace")}[sys.argv[2]]
setattr(owner, name, die)
shelf.publish(folder, {})
"""


def publish(shelf: ArtifactShelf, text: str = "one", **manifest: object) -> str:
    folder = shelf.new()
    (folder / "sub").mkdir()
    (folder / "sub" / "data.txt").write_text(text)
    return shelf.publish(folder, manifest)


@pytest.fixture
def shelf(tmp_path: Path) -> ArtifactShelf:
    return ArtifactShelf(tmp_path / "shop" / ".recprism" / "artifacts")


def test_before_training_there_is_nothing_to_serve(shelf: ArtifactShelf) -> None:
    assert shelf.ids() == []
    with pytest.raises(NotTrained, match="shop` has no trained artifact"):
        shelf.current()


def test_a_published_folder_is_current_and_whole(shelf: ArtifactShelf) -> None:
    artifact_id = publish(shelf, project="shop")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ-[0-9a-f]{4}", artifact_id)
    folder = shelf.current()
    assert folder.name == artifact_id
    assert (folder / "sub" / "data.txt").read_text() == "one"
    manifest = read_manifest(folder)
    assert manifest["project"] == "shop"
    assert manifest["id"] == artifact_id
    assert manifest["files"] == {"sub/data.txt": 3}
    assert manifest["format_version"] == FORMAT_VERSION


def test_the_newest_is_served_unless_one_is_pinned(shelf: ArtifactShelf) -> None:
    first, second = publish(shelf), publish(shelf)
    assert shelf.current().name == second
    assert sorted([first, second]) == shelf.ids()
    shelf.use(first)
    third = publish(shelf)
    assert shelf.current().name == first
    assert shelf.pinned() == first
    shelf.unpin()
    shelf.unpin()
    assert shelf.current().name == third


@pytest.mark.parametrize("name", ["2020-01-01T00-00-00Z-0000", "../shop", "", "current"])
def test_an_unknown_artifact_cannot_be_used(shelf: ArtifactShelf, name: str) -> None:
    known = publish(shelf)
    with pytest.raises(UnknownName, match=re.escape(f"no artifact `{name}`; known: `{known}`")):
        shelf.use(name)


def test_a_current_artifact_that_was_deleted_is_named(shelf: ArtifactShelf) -> None:
    artifact_id = publish(shelf)
    (shelf.current() / MANIFEST).unlink()
    with pytest.raises(ArtifactError, match=f"`{artifact_id}`, which is missing"):
        shelf.current()


def test_a_folder_without_manifest_is_no_artifact(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"has no `manifest\.json`"):
        read_manifest(tmp_path)


def test_an_artifact_of_a_newer_version_is_refused(shelf: ArtifactShelf) -> None:
    publish(shelf)
    path = shelf.current() / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": 99}))
    with pytest.raises(ArtifactError, match=r"format version 99, this RecPrism .* up to 1"):
        read_manifest(path.parent)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format_version": "x"}', '"text"'])
def test_a_damaged_manifest_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(ArtifactError, match=r"manifest\.json` is damaged"):
        read_manifest(tmp_path)


def test_a_truncated_file_is_found(shelf: ArtifactShelf) -> None:
    publish(shelf)
    (shelf.current() / "sub" / "data.txt").write_text("o")
    with pytest.raises(ArtifactError, match=r"`sub/data.txt` has 1 bytes instead of 3"):
        read_manifest(shelf.current())
    (shelf.current() / "sub" / "data.txt").unlink()
    with pytest.raises(ArtifactError, match=r"`sub/data.txt` has 0 bytes instead of 3"):
        shelf.use(shelf.current().name)


@pytest.mark.parametrize("step", ["write", "sync", "rename", "point", "replace"])
def test_a_kill_while_publishing_leaves_the_earlier_artifact_serving(
    shelf: ArtifactShelf, step: str
) -> None:
    first = publish(shelf, "earlier")
    died = subprocess.run(
        [sys.executable, "-c", DYING_PUBLISHER, str(shelf.root), step], timeout=60
    )
    assert died.returncode == -signal.SIGKILL
    assert shelf.current().name == first
    assert (shelf.current() / "sub" / "data.txt").read_text() == "earlier"
    assert publish(shelf, "later") == shelf.current().name
    assert not list(shelf.root.glob(".building-*"))


def test_remains_of_a_killed_run_are_swept_and_a_living_one_is_not(shelf: ArtifactShelf) -> None:
    command = [sys.executable, "-c", BUILDER, str(shelf.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as builder:
        assert builder.stdout is not None
        folder = Path(builder.stdout.readline().strip())
        shelf.discard(shelf.new())
        assert (folder / "big.bin").exists()
        builder.kill()
    shelf.discard(shelf.new())
    assert not folder.exists()


def test_old_artifacts_go_and_never_the_serving_or_the_pinned_one(shelf: ArtifactShelf) -> None:
    ids = [publish(shelf) for _ in range(5)]
    assert shelf.keep_newest(9) == []
    pinned = min(shelf.ids())
    shelf.use(pinned)
    gone = shelf.keep_newest(1)
    left = shelf.ids()
    assert sorted([*gone, *left]) == sorted(ids)
    assert set(left) == {pinned, ids[-1], max(ids)}  # within a second ids are in no order
    assert shelf.current().name == pinned


def test_an_artifact_that_is_used_elsewhere_stays(shelf: ArtifactShelf) -> None:
    for _ in range(4):
        publish(shelf)
    used = min(shelf.ids())
    shelf.keep_newest(1, used=[used, "gone"])
    assert used in shelf.ids()


def test_an_artifact_is_replaced_with_all_that_names_it(shelf: ArtifactShelf) -> None:
    old = publish(shelf, until="then")
    shelf.use(old)
    folder = shelf.new()
    (folder / "new.txt").write_text("new", encoding="utf-8")
    new = shelf.replace(old, folder)
    assert shelf.ids() == [new]
    assert new.startswith(old)
    assert shelf.pinned() == new
    assert shelf.successor(old) == shelf.successor(new) == new
    assert shelf.successor(old[:-1]) is None
    manifest = read_manifest(shelf.current())
    assert (manifest["id"], manifest["until"]) == (new, "then")


def test_a_discarded_folder_is_gone(shelf: ArtifactShelf) -> None:
    folder = shelf.new()
    shelf.discard(folder)
    shelf.discard(folder)
    assert not folder.exists()
    assert shelf.ids() == []


def test_descriptors_are_given_back(shelf: ArtifactShelf) -> None:
    publish(shelf)
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
    for _ in range(5):
        publish(shelf)
        shelf.discard(shelf.new())
    after = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
    assert after == before


def test_a_full_disk_leaves_the_earlier_artifact_serving(small_disk: Path) -> None:
    shelf = ArtifactShelf(small_disk / "artifacts")
    first = publish(shelf, "earlier")
    folder = shelf.new()
    write_arrays(folder / "small.safetensors", {"x": np.zeros(10)})
    with pytest.raises(DiskFull, match=r"big\.safetensors`; the artifact that was serving"):
        write_arrays(folder / "big.safetensors", {"x": np.ones(1 << 20)})
    assert shelf.current().name == first
    assert (shelf.current() / "sub" / "data.txt").read_text() == "earlier"
    shelf.discard(folder)
    assert publish(shelf, "later") == shelf.current().name


def fill(disk: Path) -> None:
    """Write until the disk takes no more."""
    try:
        with (disk / "fill.bin").open("wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


def test_a_disk_that_fills_at_publishing_gives_the_space_back(small_disk: Path) -> None:
    shelf = ArtifactShelf(small_disk / "artifacts")
    first = publish(shelf, "earlier")
    folder = shelf.new()
    fill(folder)
    with pytest.raises(DiskFull, match="The disk filled"):
        shelf.publish(folder, {})
    assert shelf.current().name == first
    assert shelf.ids() == [first]
    assert publish(shelf, "later") == shelf.current().name


def test_rolling_back_on_a_full_disk_changes_nothing(small_disk: Path) -> None:
    shelf = ArtifactShelf(small_disk / "artifacts")
    first, second = publish(shelf), publish(shelf)
    fill(small_disk)
    with pytest.raises(DiskFull, match="artifacts"):
        shelf.use(first)
    assert shelf.current().name == second
    assert shelf.pinned() is None


@settings(deadline=None, max_examples=60)
@given(
    array=arrays_of.arrays(
        dtype=st.sampled_from(
            ["f8", "f4", "f2", "i8", "u8", "i4", "u4", "i2", "u2", "i1", "u1", "?"]
        ),
        shape=arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
    )
)
def test_arrays_survive_writing_and_reading(
    array: np.ndarray, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("a") / "x.safetensors"
    write_arrays(path, {"plain": array, "turned": array.T})
    read = read_arrays(path)
    for name, expected in {"plain": array, "turned": array.T}.items():
        assert read[name].dtype == expected.dtype
        np.testing.assert_array_equal(read[name], expected)


def test_read_arrays_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_arrays(path, {"x": np.arange(4)})
    with pytest.raises(ValueError, match="read-only"):
        read_arrays(path)["x"][0] = 1


@pytest.mark.parametrize("damage", ["missing", "empty", "header", "cut", "dtype"])
def test_damaged_arrays_are_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "x.safetensors"
    write_arrays(path, {"x": np.arange(40)})
    whole = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(
            {
                "empty": b"",
                "header": b"\xff" * 40,
                "cut": whole[:-100],
                "dtype": whole.replace(b'"I64"', b'"Q64"'),
            }[damage]
        )
    with pytest.raises(ArtifactError, match=r"x\.safetensors` cannot be read as arrays"):
        read_arrays(path)
