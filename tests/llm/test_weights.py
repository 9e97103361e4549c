"""Weights: found, joined, fetched; and downloads that break off."""

from __future__ import annotations

import hashlib
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from recprism.errors import DiskFull, LLMUnavailable, UnknownName
from recprism.llm import weights as module
from recprism.llm.download import Source, checksum, fetch
from recprism.llm.weights import KNOWN, Weights, find, get_known, locate, obtain, weights_folder

CONTENT = bytes(range(256)) * 12_000
SUM = hashlib.sha256(CONTENT).hexdigest()


class Hub:
    """Serves `CONTENT` in ranges; `breaks_at` cuts the next answer short."""

    def __init__(self) -> None:
        self.breaks_at: int | None = None
        self.ranges: list[str | None] = []
        self.honors_ranges = True
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = self.headers["Range"]
                hub.ranges.append(asked)
                start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
                start = start if hub.honors_ranges else 0
                if start >= len(CONTENT):
                    self.send_error(416)
                    return
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(CONTENT) - start))
                self.end_headers()
                end, hub.breaks_at = hub.breaks_at, None
                self.wfile.write(CONTENT[start:end])

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/model.gguf"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub()
    yield hub
    hub.close()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where fetched weights lie."""
    monkeypatch.setenv("RECPRISM_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path / "weights"


@pytest.fixture
def known(folder: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Weights:
    """Small weights on the hub, without a package."""
    assert not folder.exists()
    small = replace(
        KNOWN["smollm2-135m"],
        name="small",
        file="small.gguf",
        size_bytes=len(CONTENT),
        package="recprism_no_such_package",
        install="pip install small",
        source=Source(url=hub.url, sha256=SUM),
    )
    monkeypatch.setattr(module, "KNOWN", {"small": small})
    return small


def test_a_download_that_breaks_off_goes_on_where_it_was(hub: Hub, tmp_path: Path) -> None:
    source, target = Source(url=hub.url, sha256=SUM), tmp_path / "deep" / "model.gguf"
    hub.breaks_at = 1_000_000
    with pytest.raises(LLMUnavailable, match=r"broke off.*is kept; run the command again to go on"):
        fetch(source, target)
    assert not target.exists()
    heard: list[tuple[int, int | None]] = []
    assert fetch(source, target, lambda have, total: heard.append((have, total))) == target
    assert target.read_bytes() == CONTENT
    assert hub.ranges == [None, "bytes=1000000-"]
    assert heard[-1] == (len(CONTENT), len(CONTENT))
    assert [file.name for file in target.parent.iterdir()] == ["model.gguf"]


def test_a_server_without_ranges_starts_anew(hub: Hub, tmp_path: Path) -> None:
    source, target = Source(url=hub.url, sha256=SUM), tmp_path / "model.gguf"
    hub.breaks_at, hub.honors_ranges = 1_000_000, False
    with pytest.raises(LLMUnavailable, match="broke off"):
        fetch(source, target)
    assert checksum(fetch(source, target)) == SUM


def test_what_is_whole_is_not_fetched_again(hub: Hub, tmp_path: Path) -> None:
    source, target = Source(url=hub.url, sha256=SUM), tmp_path / "model.gguf"
    (tmp_path / "model.gguf.part").write_bytes(CONTENT)
    fetch(source, target)
    fetch(source, target)
    assert hub.ranges == [f"bytes={len(CONTENT)}-"]


def test_a_wrong_checksum_leaves_nothing(tmp_path: Path) -> None:
    there = tmp_path / "other.gguf"
    there.write_bytes(b"other")
    source = Source(url=there.as_uri(), sha256=SUM)
    with pytest.raises(LLMUnavailable, match=f"gave a file with SHA-256 .*{SUM[:12]}... was exp"):
        fetch(source, tmp_path / "model.gguf")
    assert [file.name for file in tmp_path.iterdir()] == ["other.gguf"]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/x.gguf", "file:///no/such/file.gguf"], ids=["nobody", "no file"]
)
def test_nobody_there_is_told(url: str, tmp_path: Path) -> None:
    with pytest.raises(LLMUnavailable, match="broke off"):
        fetch(Source(url=url, sha256=SUM), tmp_path / "model.gguf")


def test_a_full_disk_is_told(small_disk: Path, tmp_path: Path) -> None:
    there = tmp_path / "big.gguf"
    there.write_bytes(CONTENT * 2)
    source = Source(url=there.as_uri(), sha256=checksum(there))
    with pytest.raises(DiskFull, match=r"The disk filled while writing `.*model\.gguf`"):
        fetch(source, small_disk / "model.gguf")


def test_weights_are_not_fetched_unless_asked(known: Weights, hub: Hub, folder: Path) -> None:
    with pytest.raises(LLMUnavailable, match="Run `recprism llm get small` or `pip install small`"):
        locate("small")
    assert (find(known), hub.ranges) == (None, [])
    assert obtain(known) == obtain(known) == folder / "small.gguf"
    assert len(hub.ranges) == 1
    assert known.to_dict()["here"] is True


def test_the_license_is_said_once(known: Weights, caplog: pytest.LogCaptureFixture) -> None:
    obtain(known)
    with caplog.at_level(logging.WARNING):
        first, second = locate("small"), locate("small")
    assert first == second
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "The weights `small` are under `Apache-2.0` (https://www.apache.org/licenses/LICENSE-2.0)."
    ]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, bytes], str]:
    """Makes an installed package with a file of weights, or with code that joins it."""

    def make(code: str, content: bytes) -> str:
        place = tmp_path / "site" / "small_weights"
        place.mkdir(parents=True)
        (place / "__init__.py").write_text(code)
        (place / "small.gguf").write_bytes(content)
        monkeypatch.syspath_prepend(str(place.parent))
        monkeypatch.delitem(sys.modules, "small_weights", raising=False)
        return "small_weights"

    return make


def test_a_package_with_the_whole_file_is_used_where_it_is(
    known: Weights, package: Callable[[str, bytes], str], tmp_path: Path
) -> None:
    code = "raise RuntimeError('it need not be imported')"
    packed = replace(known, package=package(code, CONTENT))
    assert find(packed) == tmp_path / "site" / "small_weights" / "small.gguf"


def test_a_package_with_parts_is_joined_once(
    known: Weights,
    package: Callable[[str, bytes], str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = (
        "def assemble(path, overwrite):\n"
        "    print('joined', end=' ')\n"
        f"    path.write_bytes(bytes(range(256)) * {len(CONTENT) // 256})\n"
    )
    packed = replace(known, package=package(code, b""))
    monkeypatch.setattr(module, "KNOWN", {"small": packed})
    assert locate("small") == locate("small") == folder / "small.gguf"
    assert checksum(folder / "small.gguf") == SUM
    assert not list(folder.glob("*.joining"))


def test_paths_of_any_weights_are_relative_to_the_project(tmp_path: Path) -> None:
    (tmp_path / "my.gguf").write_bytes(b"GGUF")
    assert locate("my.gguf", tmp_path) == tmp_path / "my.gguf"
    with pytest.raises(LLMUnavailable, match=r"no weights at `.*none\.gguf`"):
        locate("none.gguf", tmp_path)


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean `gemma3-270m`"):
        get_known("gema3-270m")


def test_the_folder_follows_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECPRISM_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert weights_folder() == Path("/cache/recprism/weights")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert weights_folder() == Path.home() / ".cache" / "recprism" / "weights"


def test_known_weights_have_what_a_choice_needs() -> None:
    for name, known in KNOWN.items():
        assert known.name == name
        assert all(known.to_dict()[key] for key in ("license", "languages", "fit_for", "install"))
        assert len(known.source.sha256) == 64
        assert known.source.url.startswith("https://")
