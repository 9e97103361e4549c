"""Vectors of texts that were encoded before, kept by content.

A text is known by the hash of its bytes; encoder, version and role choose the folder. Every batch
of new texts becomes one more file, written beside and renamed, so that a stopped run loses little
and two runs at once do no harm. A file that cannot be read, or whose digest is wrong, is removed
with a warning and its texts are encoded again.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import tempfile
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from recprism.content.encoder import Encoder
from recprism.errors import DiskFull

HalfArray = NDArray[np.float16]
Progress = Callable[[int, int], None]

BATCH = 32
SAVE_EVERY = 1_024
_log = logging.getLogger(__name__)


class VectorCache:
    """The vectors of one encoder in one role under `folder`, which need not exist yet."""

    def __init__(self, folder: Path, encoder: Encoder, *, is_query: bool = False) -> None:
        role = "query" if is_query else "passage"
        name = re.sub(r"[^A-Za-z0-9._-]", "_", f"{encoder.name}-{encoder.version}-{role}")
        self.folder = folder / name
        self._size = encoder.size
        self._found: dict[bytes, NDArray[np.float16]] = {}
        for file in sorted(self.folder.glob("*.safetensors")):
            self._read(file)

    def __len__(self) -> int:
        return len(self._found)

    def get(self, key: bytes) -> NDArray[np.float16] | None:
        """The vector [size] of the text with this key, None when it is not here."""
        return self._found.get(key)

    def add(self, keys: Sequence[bytes], vectors: HalfArray) -> None:
        """Keep `vectors` [len(keys), size] in one new file; raises `DiskFull`."""
        packed = np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), -1)
        arrays: dict[str, NDArray[Any]] = {
            "keys": packed,
            "vectors": vectors,
            "digest": _digest(packed, vectors),
        }
        _write_whole(self.folder / f"{text_key(b''.join(keys)).hex()}.safetensors", save(arrays))
        self._found.update(zip(keys, vectors, strict=True))

    def _read(self, file: Path) -> None:
        try:
            arrays = load(file.read_bytes())
            keys, vectors = arrays["keys"], arrays["vectors"]
            intact = vectors.shape == (len(keys), self._size) and np.array_equal(
                arrays["digest"], _digest(keys, vectors)
            )
        except (OSError, SafetensorError, KeyError) as error:
            intact, problem = False, str(error)
        else:
            problem = "its content does not fit its digest"
        if not intact:
            _log.warning("`%s` is damaged (%s); its texts are encoded again", file, problem)
            file.unlink(missing_ok=True)
            return
        self._found.update(zip(map(bytes, keys), vectors, strict=True))


def text_key(text: str | bytes) -> bytes:
    """16 bytes that stand for a text."""
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return blake2b(raw, digest_size=16).digest()


def encode_texts(
    encoder: Encoder,
    texts: Sequence[str],
    *,
    is_query: bool = False,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> HalfArray:
    """Unit vectors of `texts`, shape [len(texts), encoder.size], each distinct text encoded once.

    With `cache` (a folder) known texts are read and new ones kept. `progress(done, total)` counts
    the texts to be encoded; it is not called when all are known. Texts go in order of length, so
    that a batch holds texts that take equally long. Rounded to half precision, cold and warm alike.
    """
    keys = [text_key(text) for text in texts]
    known = VectorCache(cache, encoder, is_query=is_query) if cache is not None else None
    found = {key: known.get(key) if known else None for key in keys}
    missing = [(key, text) for key, text in dict(zip(keys, texts, strict=True)).items()]
    missing = sorted((m for m in missing if found[m[0]] is None), key=lambda m: len(m[1]))
    if progress is not None and missing:
        progress(0, len(missing))
    for first in range(0, len(missing), SAVE_EVERY):
        part = missing[first : first + SAVE_EVERY]
        vectors = _encode_part(encoder, part, is_query, _shifted(progress, first, len(missing)))
        if known is not None:
            known.add([key for key, _ in part], vectors)
        found.update(zip((key for key, _ in part), vectors, strict=True))
    out = np.zeros((len(keys), encoder.size), np.float16)
    for row, key in enumerate(keys):
        out[row] = found[key]
    return out


def _encode_part(
    encoder: Encoder, part: Sequence[tuple[bytes, str]], is_query: bool, tell: Callable[[int], None]
) -> HalfArray:
    rows = []
    for first in range(0, len(part), BATCH):
        batch = [text for _, text in part[first : first + BATCH]]
        rows.append(encoder.encode(batch, is_query=is_query).astype(np.float16))
        tell(first + len(batch))
    return np.concatenate(rows)


def _shifted(progress: Progress | None, done: int, total: int) -> Callable[[int], None]:
    return (lambda _n: None) if progress is None else (lambda n: progress(done + n, total))


def _digest(keys: NDArray[np.uint8], vectors: HalfArray) -> NDArray[np.uint8]:
    digest = blake2b(keys.tobytes() + vectors.tobytes(), digest_size=16).digest()
    return np.frombuffer(digest, np.uint8)


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all."""
    partial = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as out:
            partial = out.name
            out.write(content)
        os.replace(partial, path)
    except OSError as error:
        if partial is not None:
            Path(partial).unlink(missing_ok=True)
        if error.errno == errno.ENOSPC:
            raise DiskFull(path) from error
        raise
