"""Labels for texts that have none: the nearest label name, the nearest examples, or a head.

In come texts and a taxonomy, out goes one `Guess` per text. Texts and names are all encoded as
queries, which E5 wants where both sides are alike. Its cosines differ by a few hundredths only, so
without a head confidence does not come from the cosine but from how far the best label stands out:
a softmax with a small temperature, less what chance would give. A text that fits no label better
than another has a confidence near 0 and is `unknown`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recprism.content.cache import Progress, encode_texts
from recprism.content.encoder import Encoder
from recprism.content.label_model import UNKNOWN_LABEL, Guess, LabelModel, learn
from recprism.content.taxonomy import Taxonomy, as_taxonomy
from recprism.data.dataset import FloatArray
from recprism.errors import UnknownName

__all__ = [
    "UNKNOWN_LABEL",
    "Guess",
    "LabelModel",
    "encode",
    "label_texts",
    "learn_labels",
    "tag_texts",
]

Examples = Mapping[str, Sequence[str]]


def learn_labels(
    names: Sequence[str] | Taxonomy,
    encoder: Encoder,
    *,
    examples: Examples | None = None,
    is_multi: bool = False,
    cache: Path | None = None,
) -> LabelModel:
    """Labels known by a taxonomy and, where there are some, by texts that carry them.

    `examples` maps names to texts; with `is_multi` a text may stand below several. Raises
    `UsageError` for fewer than two names and `UnknownName` for examples of a label that is none.
    """
    taxonomy = as_taxonomy(names)
    taxonomy.terms()  # mistakes are told before anything is encoded
    known = list(dict.fromkeys(taxonomy.names))
    texts, targets = _targets(known, examples or {}, is_multi)
    meanings = taxonomy.encode(encoder, is_query=True, cache=cache)
    return learn(meanings, encode(encoder, texts, cache), targets, is_multi=is_multi)


def label_texts(
    texts: Sequence[str],
    names: Sequence[str] | Taxonomy,
    encoder: Encoder,
    unknown_below: float,
    *,
    examples: Examples | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> list[Guess]:
    """A label with confidence for each text: zero-shot by the names, or taught by `examples`.

    `examples` maps names to texts that carry them. A guess less confident than `unknown_below`
    (0 to 1) is `unknown`, as are empty texts. `cache` (a folder) keeps vectors, `progress(done,
    total)` counts texts. Raises as `learn_labels`.
    """
    model = learn_labels(names, encoder, examples=examples, cache=cache)
    return model.guess(encode(encoder, texts, cache, progress), unknown_below)


def tag_texts(
    texts: Sequence[str],
    names: Sequence[str] | Taxonomy,
    encoder: Encoder,
    unknown_below: float,
    *,
    examples: Examples | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> list[tuple[Guess, ...]]:
    """As `label_texts`, but a text may get several labels, the best first."""
    model = learn_labels(names, encoder, examples=examples, is_multi=True, cache=cache)
    return model.guess_all(encode(encoder, texts, cache, progress), unknown_below)


def _targets(
    names: Sequence[str], examples: Examples, is_multi: bool
) -> tuple[list[str], NDArray[np.bool_]]:
    """The texts, and which labels each carries [n, n_labels].

    A text below several labels is one text with all of them, or where one label is all a text may
    have, as many texts.
    """
    row = {name: number for number, name in enumerate(names)}
    pairs = [(text, name) for name, shown in examples.items() for text in shown]
    for name in examples:
        if name not in row:
            raise UnknownName("label", name, names)
    texts = [text for text, _ in pairs]
    place = list(range(len(pairs)))
    if is_multi:
        texts = list(dict.fromkeys(texts))
        at = {text: number for number, text in enumerate(texts)}
        place = [at[text] for text, _ in pairs]
    targets = np.zeros((len(texts), len(names)), np.bool_)
    targets[place, [row[name] for _, name in pairs]] = True
    return texts, targets


def encode(
    encoder: Encoder,
    texts: Sequence[str],
    cache: Path | None = None,
    progress: Progress | None = None,
) -> FloatArray:
    """Vectors of `texts` [n, size], zeros for those without words."""
    raw = encode_texts(encoder, texts, is_query=True, cache=cache, progress=progress)
    vectors = raw.astype(np.float32)
    vectors[[not text.strip() for text in texts]] = 0.0
    return vectors
