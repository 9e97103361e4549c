"""Item vectors: from text, along links, and from vectors that the user supplies.

In comes a `Catalog` and an encoder, out goes `Content`: one unit vector per item, short enough for
the online path. The decision worth knowing: text vectors of E5 lie in a narrow cone (unrelated
texts have a cosine around 0.75), so they are centered and whitened (Su et al., 2021, "Whitening
Sentence Representations"), which spreads the cosines and shortens 384 numbers to a few dozen.

Images, or vectors of any other origin, come in as arrays per kind (`supplied`). They get numbers of
their own beside those of the text, so that two items are compared in whatever both of them have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recprism.content.cache import HalfArray, Progress, encode_texts
from recprism.content.encoder import Encoder
from recprism.content.links import in_order, with_links
from recprism.data.dataset import Catalog, FloatArray, Grouped, IntArray
from recprism.errors import UnknownName, UsageError

SHRINK = 0.1
"""Share of the largest variance that is added to all before whitening, against noise."""


@dataclass(frozen=True)
class Content:
    """Vectors of all items.

    `item` [n_items, size] are unit vectors, zero where nothing is known of an item. `text_row`
    [n_items] is the row of an item's text in `vectors` [n_texts, encoder size], -1 for items
    without. `mean` and `basis` [encoder size, size] project raw vectors; `query_mean` is the center
    of wishes, which E5 places elsewhere than texts.
    """

    item: FloatArray
    text_row: IntArray
    vectors: HalfArray
    mean: FloatArray
    query_mean: FloatArray
    basis: FloatArray

    @property
    def size(self) -> int:
        """Numbers per item vector."""
        return int(self.item.shape[1])

    def project(self, raw: FloatArray, *, is_query: bool = False) -> FloatArray:
        """Raw encoder vectors [..., encoder size] as unit vectors [..., size]."""
        center = self.query_mean if is_query else self.mean
        return unit(np.asarray((raw - center) @ self.basis, np.float32))

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """All arrays by name, for safetensors."""
        return {name: getattr(self, name) for name in _FIELDS}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Content:
        """What `to_arrays` gave, without copying."""
        return cls(**{name: arrays[name] for name in _FIELDS})  # type: ignore[arg-type]


_FIELDS = ("item", "text_row", "vectors", "mean", "query_mean", "basis")


def build_content(
    catalog: Catalog,
    encoder: Encoder | None,
    *,
    size: int,
    cache: Path | None = None,
    progress: Progress | None = None,
    supplied: Mapping[str, FloatArray] | None = None,
) -> Content:
    """Vectors of all items of `catalog`.

    Each distinct text is encoded once, `cache` (a folder) keeps the result, `progress(done, total)`
    counts texts. With at least 4 x `size` distinct texts the vectors are projected to `size`
    numbers; fewer are kept as they are (encoder size). `supplied` maps a kind to vectors of its
    items, shape [len(kind), any], all kinds the same length; rows of zeros or NaN mean unknown.
    Items without text or supplied vector get the normalized mean of what they link to. Without
    encoder (None) or texts, all vectors are zero unless supplied.

    Raises `UnknownName` or `UsageError` when `supplied` does not fit the catalog.
    """
    texts, text_row = _distinct_texts(catalog)
    raw = np.zeros((0, encoder.size if encoder else 0), np.float16)
    if encoder is not None and texts:
        raw = encode_texts(encoder, texts, cache=cache, progress=progress)
    else:
        text_row = np.full(catalog.n_items, -1, np.int32)
    mean, basis = _fit_projection(raw.astype(np.float32), size)
    of_text = unit(np.asarray((raw - mean) @ basis, np.float32))
    item = np.zeros((catalog.n_items, basis.shape[1]), np.float32)
    item[text_row >= 0] = of_text[text_row[text_row >= 0]]
    if supplied:
        extra = _supplied_block(catalog, supplied, size)
        item = unit(np.concatenate([item, extra], axis=1))
        basis = np.pad(basis, ((0, 0), (0, extra.shape[1])))
    _flow_along_links(catalog, item)
    return Content(item, text_row, raw, mean, mean, basis)


def encode_queries(
    content: Content,
    encoder: Encoder | None,
    texts: Sequence[str],
    *,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> FloatArray:
    """Projected unit vectors of wishes, shape [len(texts), content.size].

    Their dot product with `content.item` ranks the items. Zeros without encoder, for empty texts,
    and where no item has a text.
    """
    if encoder is None or not len(content.vectors):
        return np.zeros((len(texts), content.size), np.float32)
    raw = encode_texts(encoder, texts, is_query=True, cache=cache, progress=progress)
    wished = np.array([bool(text.strip()) for text in texts], dtype=np.bool_)
    vectors = content.project(raw.astype(np.float32), is_query=True)
    vectors[~wished] = 0.0
    return vectors


def encode_query(content: Content, encoder: Encoder | None, text: str) -> FloatArray:
    """The projected unit vector of one wish, shape [content.size]; zeros as in `encode_queries`."""
    vector: FloatArray = encode_queries(content, encoder, [text])[0]
    return vector


def unit(vectors: FloatArray) -> FloatArray:
    """`vectors` [..., size] scaled to length 1; zeros stay zeros."""
    scaled: FloatArray = vectors / np.maximum(
        np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12
    )
    return scaled


def _distinct_texts(catalog: Catalog) -> tuple[list[str], IntArray]:
    """The texts of all items without repeats, and each item's row among them (-1: no text)."""
    columns = [kind.table["text"].cast(pl.String) for kind in in_order(catalog)]
    if not columns:
        return [], np.zeros(0, np.int32)
    text = pl.concat(columns).str.strip_chars().replace("", None)
    distinct = text.drop_nulls().unique(maintain_order=True)
    codes = pl.DataFrame({"text": text}).join(
        pl.DataFrame({"text": distinct}).with_row_index("row"),
        on="text",
        how="left",
        maintain_order="left",
    )["row"]
    return distinct.to_list(), codes.cast(pl.Int32).fill_null(-1).to_numpy().astype(np.int32)


def _fit_projection(raw: FloatArray, size: int) -> tuple[FloatArray, FloatArray]:
    """Center [d] and whitened principal axes [d, size] of `raw` [n, d]; identity for small n."""
    n, d = raw.shape
    if n == 0:
        return np.zeros(d, np.float32), np.zeros((d, size), np.float32)
    if n < 4 * size or size >= d:
        return np.zeros(d, np.float32), np.eye(d, dtype=np.float32)
    mean = raw.mean(axis=0)
    variance, axes = np.linalg.eigh(np.cov(raw - mean, rowvar=False))  # ascending
    variance, axes = variance[::-1][:size], axes[:, ::-1][:, :size]
    scale = 1.0 / np.sqrt(np.maximum(variance, 0.0) + SHRINK * variance[0])
    return mean, (axes * scale).astype(np.float32)


def _supplied_block(catalog: Catalog, supplied: Mapping[str, FloatArray], size: int) -> FloatArray:
    """Supplied vectors of all kinds as one unit block [n_items, numbers], projected alike."""
    widths = {kind: np.shape(vectors)[-1] for kind, vectors in supplied.items()}
    if len(set(widths.values())) > 1:
        raise UsageError(
            f"Supplied vectors have lengths {widths}, all kinds need the same to be compared. "
            "Supply vectors of one model."
        )
    block = np.zeros((catalog.n_items, next(iter(widths.values()))), np.float32)
    for name, vectors in supplied.items():
        if name not in catalog.kinds:
            raise UnknownName("kind", name, catalog.kinds)
        kind = catalog.kinds[name]
        if np.shape(vectors) != (len(kind), block.shape[1]):
            raise UsageError(
                f"Supplied vectors of `{name}` have shape {list(np.shape(vectors))}, expected "
                f"[{len(kind)}, {block.shape[1]}]: one row per item. Use zeros for unknown items."
            )
        block[kind.start : kind.stop] = np.nan_to_num(vectors)
    known = np.any(block != 0, axis=1)
    mean, basis = _fit_projection(np.unique(block[known], axis=0), size)
    projected = unit(np.asarray((block - mean) @ basis, np.float32))
    projected[~known] = 0.0
    return projected


def _flow_along_links(catalog: Catalog, item: FloatArray) -> None:
    """Give items without a vector the normalized mean of what they link to, in place.

    Repeated, so that an ad of a bundle of products gets one as well.
    """
    linked = with_links(catalog)
    for _ in linked:
        for kind, targets in linked:
            rows = item[kind.start : kind.stop]
            empty = ~np.any(rows, axis=1)
            if np.any(empty):
                rows[empty] = unit(_sum_of_targets(targets, item)[empty])


def _sum_of_targets(targets: Grouped, item: FloatArray) -> FloatArray:
    ones = np.ones(len(targets.values), np.float32)
    edges = csr_matrix((ones, targets.values, targets.offsets), shape=(len(targets), len(item)))
    return np.asarray(edges @ item, dtype=np.float32)
