"""Large files by HTTP: resumed where they broke off, published only with the right checksum."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from recprism.errors import LLMUnavailable, watch_disk

TIMEOUT_S = 30.0
_BLOCK = 1 << 20
_PARTIAL = 206
_NOTHING_LEFT = 416


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a file comes from, and its SHA-256."""

    url: str
    sha256: str


def fetch(
    source: Source, target: Path, progress: Callable[[int, int | None], None] | None = None
) -> Path:
    """The file of `source` at `target`; `progress` hears the bytes so far and in all.

    What arrives is kept in `target` with `.part` behind it, and a later call goes on from there.
    Raises `LLMUnavailable` when the download breaks off or has another checksum, and `DiskFull`.
    """
    if target.is_file() and checksum(target) == source.sha256:
        return target
    partial = target.with_name(target.name + ".part")
    with watch_disk(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            _download(source.url, partial, progress)
        except (urllib.error.URLError, TimeoutError, ConnectionError, HTTPException) as error:
            raise LLMUnavailable(
                f"`{source.url}` broke off: {getattr(error, 'reason', None) or error}. What came "
                "so far is kept; run the command again to go on."
            ) from error
        found = checksum(partial)
        if found != source.sha256:
            partial.unlink()
            raise LLMUnavailable(
                f"`{source.url}` gave a file with SHA-256 {found[:12]}..., {source.sha256[:12]}... "
                "was expected; it was removed. Run the command again, or report it if it recurs."
            )
        partial.replace(target)
    return target


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(url: str, partial: Path, progress: Callable[[int, int | None], None] | None) -> None:
    have = partial.stat().st_size if partial.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            have = have if getattr(answer, "status", None) == _PARTIAL else 0
            total = int(answer.headers["Content-Length"] or 0) + have or None
            with partial.open("ab" if have else "wb") as file:
                _copy(answer, file, have, total, progress)
    except urllib.error.HTTPError as error:
        if error.code != _NOTHING_LEFT:
            raise


def _copy(
    answer: Any,
    file: Any,
    have: int,
    total: int | None,
    progress: Callable[[int, int | None], None] | None,
) -> None:
    while block := answer.read(_BLOCK):
        file.write(block)
        have += len(block)
        if progress:
            progress(have, total)
    if total is not None and have < total:
        raise ConnectionError(f"{have:,} of {total:,} bytes came")
