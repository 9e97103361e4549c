"""Item vectors: from text, along links, and from vectors that the user supplies.

In comes a `Catalog` and an encoder, out goes `Content`. The decision worth knowing: items are
compared with each other by a short whitened vector, because the online path compares many; a wish
is compared with items in all numbers of the encoder, because a short vector forgets what it names.
There, texts and wishes are each moved to their own center, which E5 puts at different places, and
wishes lose what tells their language (`languages.py`). Both kinds of vector exist once per distinct
content, since many items share their words.

Images, or vectors of any other origin, come in as arrays per kind (`supplied`). They get numbers of
their own beside those of the text, so that two items are compared in whatever both of them have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recprism.content.cache import HalfArray, Progress, encode_texts
from recprism.content.encoder import Encoder
from recprism.content.languages import language_axes, without
from recprism.content.links import in_order, with_links
from recprism.content.projection import Projection, unit
from recprism.data.dataset import Catalog, FloatArray, Grouped, IntArray
from recprism.errors import UnknownName, UsageError

CENTER_FROM = 8
"""With fewer texts than this, wishes are compared by the encoder's own cosine."""
QUERY_SAMPLE = 128
"""So many texts are also encoded as queries, to see where the encoder places wishes."""


@dataclass(frozen=True)
class Content:
    """Vectors of all items.

    `item` [n_items, size] are short unit vectors, zero where nothing is known of an item.
    `text_row` [n_items] is the row of an item's own text in `vectors` [n_texts, encoder size], -1
    for items without. `row` [n_items] is the row of what an item is about in `wide`
    [n_rows, encoder size], -1 for nothing: unit vectors around the center, first the texts, then
    the mixtures that links bring. `short` projects raw vectors to those of `item`, `wish_center`
    [encoder size] is the center of wishes, `languages` [n, encoder size] are the axes along which
    languages differ, which wishes lose.
    """

    item: FloatArray
    text_row: IntArray
    row: IntArray
    vectors: HalfArray
    wide: FloatArray
    wish_center: FloatArray
    languages: FloatArray
    short: Projection

    @property
    def size(self) -> int:
        """Numbers per item vector."""
        return int(self.item.shape[1])

    def project(self, raw: FloatArray) -> FloatArray:
        """Raw encoder vectors of texts [..., encoder size] as vectors like `item` [..., size]."""
        return self.short.apply(raw)

    def wish_scores(self, wish: FloatArray, items: IntArray | None = None) -> FloatArray:
        """Cosine of a wish (from `encode_query`) to `items` [n], or to all items [n_items].

        Linked items have the cosine of the mixture they link to, items without content 0.
        """
        rows = self.row if items is None else self.row[items]
        if len(rows) < len(self.wide):
            score = self.wide[rows] @ wish if len(self.wide) else np.zeros(len(rows), np.float32)
        else:
            score = (self.wide @ wish)[rows] if len(self.wide) else np.zeros(len(rows), np.float32)
        return np.where(rows >= 0, score, np.float32(0.0))

    def place(self, raw: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Raw encoder vectors of new texts [n, encoder size] as rows like those of `item` and of
        `wide`; zeros stay zeros."""
        known = raw.any(axis=1, keepdims=True)
        center = np.zeros(raw.shape[1], np.float32)
        if len(self.vectors) >= CENTER_FROM:
            center = self.vectors.mean(axis=0, dtype=np.float32)
        return np.where(known, self.short.apply(raw), 0), np.where(known, unit(raw - center), 0)

    def beside(self, short: FloatArray, wide: FloatArray) -> Content:
        """This content with more items, given as `place` gives them, numbered after all others."""
        row = np.where(wide.any(axis=1), len(self.wide) + np.arange(len(wide)), -1)
        return replace(
            self,
            item=np.concatenate([self.item, short]),
            text_row=np.concatenate([self.text_row, np.full(len(wide), -1, np.int32)]),
            row=np.concatenate([self.row, row.astype(np.int32)]),
            wide=np.concatenate([self.wide, wide]),
        )

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """All arrays by name, for safetensors."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        return {**arrays, "mean": self.short.mean, "basis": self.short.basis}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Content:
        """What `to_arrays` gave, without copying; old artifacts have no `languages`."""
        short = Projection(arrays["mean"], arrays["basis"])  # type: ignore[arg-type]
        none = np.zeros((0, len(arrays["wish_center"])), np.float32)
        found = {"languages": none, **{name: arrays[name] for name in _ARRAYS if name in arrays}}
        return cls(**found, short=short)  # type: ignore[arg-type]


_ARRAYS = ("item", "text_row", "row", "vectors", "wide", "wish_center", "languages")


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
    counts texts. With at least 4 x `size` distinct texts item vectors have `size` numbers; fewer
    texts keep the encoder's vectors as they are. `supplied` maps a kind to vectors of its items,
    shape [len(kind), any], all kinds the same length; rows of zeros or NaN mean unknown. Items
    without text (or supplied vector) get the normalized mean of what they link to. Without encoder
    (None) or texts, all vectors are zero unless supplied.

    Raises `UnknownName` or `UsageError` when `supplied` does not fit the catalog.
    """
    texts, text_row = _distinct_texts(catalog)
    if encoder is None or not texts:
        raw = np.zeros((0, encoder.size if encoder else 0), np.float16)
        text_row = np.full(catalog.n_items, -1, np.int32)
    else:
        raw = encode_texts(encoder, texts, cache=cache, progress=progress)
    single = raw.astype(np.float32)
    short = Projection.fit(single, size)
    center = wish_center = np.zeros(raw.shape[1], np.float32)
    languages = np.zeros((0, raw.shape[1]), np.float32)
    if encoder is not None and len(texts) >= CENTER_FROM:
        center, wish_center = single.mean(axis=0), _center_of_wishes(encoder, texts, cache)
        languages = language_axes(encoder, cache=cache)
    row, (near, wide) = _mix_along_links(
        catalog, text_row, [short.apply(single), unit(single - center)]
    )
    item = _gather(near, row)
    if supplied:
        extra = _supplied_block(catalog, supplied, size)
        item = unit(np.concatenate([item, extra], axis=1))
        short = replace(short, basis=np.pad(short.basis, ((0, 0), (0, extra.shape[1]))))
    return Content(item, text_row, row, raw, wide, wish_center, languages, short)


def encode_queries(
    content: Content,
    encoder: Encoder | None,
    texts: Sequence[str],
    *,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> FloatArray:
    """Unit vectors of wishes for `Content.wish_scores`, shape [len(texts), encoder size].

    Zeros without encoder, for empty texts, and where no item has a text.
    """
    out = np.zeros((len(texts), content.wide.shape[1]), np.float32)
    wished = [row for row, text in enumerate(texts) if text.strip()]
    if encoder is not None and len(content.vectors) and wished:
        asked = [texts[row] for row in wished]
        raw = encode_texts(encoder, asked, is_query=True, cache=cache, progress=progress)
        seen = raw.astype(np.float32) - content.wish_center
        out[wished] = unit(without(content.languages, seen))
    return out


def encode_query(content: Content, encoder: Encoder | None, text: str) -> FloatArray:
    """The vector of one wish, shape [encoder size]; zeros as in `encode_queries`."""
    vector: FloatArray = encode_queries(content, encoder, [text])[0]
    return vector


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


def _center_of_wishes(encoder: Encoder, texts: Sequence[str], cache: Path | None) -> FloatArray:
    """Mean of texts spread over the catalog, encoded as if somebody wished for them, [d]."""
    chosen = np.linspace(0, len(texts) - 1, min(QUERY_SAMPLE, len(texts))).astype(int)
    raw = encode_texts(encoder, [texts[row] for row in chosen], is_query=True, cache=cache)
    return np.asarray(raw.astype(np.float32).mean(axis=0), np.float32)


def _mix_along_links(
    catalog: Catalog, text_row: IntArray, tables: list[FloatArray]
) -> tuple[IntArray, list[FloatArray]]:
    """Rows of what each item is about, and `tables` [n_texts, any] with the mixtures appended.

    An item without row takes the one row that all its targets share (an ad is what it promotes), or
    a new row with their normalized mean. Repeated, so that an ad of a bundle gets one as well.
    """
    row = text_row.copy()
    linked = with_links(catalog)
    for _ in linked:
        for kind, targets in linked:
            own = row[kind.start : kind.stop]
            tables = _mix_kind(own, targets, row, tables)
    return row, tables


def _mix_kind(
    own: IntArray, targets: Grouped, row: IntArray, tables: list[FloatArray]
) -> list[FloatArray]:
    """Fill the rows `own` [len(kind)] that are -1, in place; returns the longer tables."""
    items = np.repeat(np.arange(len(targets), dtype=np.int32), np.diff(targets.offsets))
    rows = row[targets.values]
    known = (rows >= 0) & (own[items] < 0)
    filled, starts = np.unique(items[known], return_index=True)
    if not len(filled):
        return tables
    rows = rows[known]
    one = np.minimum.reduceat(rows, starts) == np.maximum.reduceat(rows, starts)
    n_rows = len(tables[0])
    own[filled] = np.where(one, rows[starts], n_rows + np.cumsum(~one) - 1)
    bounds = np.append(starts, len(rows))
    weights = csr_matrix((np.ones(len(rows), np.float32), rows, bounds), (len(filled), n_rows))
    mixed = weights[np.flatnonzero(~one)]
    return [
        np.concatenate([table, unit(np.asarray(mixed @ table, np.float32))]) for table in tables
    ]


def _gather(table: FloatArray, row: IntArray) -> FloatArray:
    """`table[row]`, zeros where row is -1."""
    out = np.zeros((len(row), table.shape[1]), np.float32)
    out[row >= 0] = table[row[row >= 0]]
    return out


def _supplied_block(catalog: Catalog, supplied: Mapping[str, FloatArray], size: int) -> FloatArray:
    """Supplied vectors of all items as one block [n_items, numbers], flowing along links."""
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
    known = np.flatnonzero(block.any(axis=1))
    distinct, inverse = np.unique(block[known], axis=0, return_inverse=True)
    row = np.full(catalog.n_items, -1, np.int32)
    row[known] = inverse.reshape(-1)
    row, (table,) = _mix_along_links(catalog, row, [Projection.fit(distinct, size).apply(distinct)])
    return _gather(table, row)
