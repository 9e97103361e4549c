"""The transformer over events and its item vectors (PyTorch; training only).

An item is the sum of what is known of it: a learned vector, its projected content, its labels. The
same vectors are read as events and compared with the user's vector by cosine, so that an item
nobody touched is still known by its content.
"""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recprism.data.dataset import FloatArray
from recprism.project.schema import Transformer as Config
from recprism.signals.events import GAP_BUCKETS

OPSET = 18
INIT = 0.02
"""Spread of untrained vectors: small, so that few events suffice to outweigh what chance gave."""
INPUTS = ("vectors", "codes", "last")


@dataclass(frozen=True)
class Facts:
    """What is known of items beside their learned vectors, as tensors.

    `row` [n_items] is an item's learned vector (0: none), `content` [n_items, d], `labels`
    [n_items, k] (codes, 0 for none); None is what items are not made of.
    """

    row: Tensor | None
    content: Tensor | None
    labels: Tensor | None

    @property
    def is_empty(self) -> bool:
        return self.row is None and self.content is None and self.labels is None


class ContentLayers(nn.Module):
    """Whitened content [n, k] to its part of the item vectors [n, size]: a straight line and, with
    a hidden layer, what bends it. Without biases, so that no content gives zeros."""

    def __init__(self, k: int, hidden: int, size: int) -> None:
        super().__init__()
        self.straight = nn.Linear(k, size, bias=False)
        self.inner = nn.Linear(k, hidden, bias=False) if hidden else None
        self.outer = nn.Linear(hidden, size, bias=False) if hidden else None
        # Rows have a length of about 1, so their numbers are small: too small to be bent.
        self.gain = math.sqrt(k)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.straight(x)
        if self.inner is not None and self.outer is not None:
            out = out + self.outer(F.gelu(self.inner(x) * self.gain, approximate="tanh"))
        return out

    @torch.no_grad()
    def weights(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """`weight`, `inner` and `outer` of `ContentMap`."""
        straight = self.straight.weight.numpy().T.copy()
        if self.inner is None or self.outer is None:
            k, size = straight.shape
            return straight, np.zeros((k, 0), np.float32), np.zeros((0, size), np.float32)
        inner = (self.inner.weight * self.gain).numpy().T.copy()
        return straight, inner, self.outer.weight.numpy().T.copy()


class ItemVectors(nn.Module):
    """Vectors of items, the same for reading and for scoring."""

    def __init__(self, facts: Facts, config: Config) -> None:
        super().__init__()
        self.facts, size = facts, config.size
        self.ids = None
        if facts.row is not None:
            self.ids = nn.Embedding(int(facts.row.max()) + 1, size, padding_idx=0)
        self.content = None
        if facts.content is not None:
            self.content = ContentLayers(facts.content.shape[1], config.content_hidden, size)
        sizes = [] if facts.labels is None else (facts.labels.amax(dim=0) + 1).tolist()
        self.labels = nn.ModuleList(nn.Embedding(n, size, padding_idx=0) for n in sizes)
        for table in (self.ids, *self.labels):
            if table is not None:
                nn.init.normal_(cast(Tensor, table.weight), std=INIT)
                cast(nn.Embedding, table).weight.data[0] = 0.0

    def forward(self, items: Tensor) -> Tensor:
        """Vectors of `items` [n], shape [n, size]; zeros where nothing is known."""
        facts = self.facts
        parts = []
        if self.ids is not None and facts.row is not None:
            parts.append(self.ids(facts.row[items]))
        if self.content is not None and facts.content is not None:
            parts.append(self.content(facts.content[items]))
        if facts.labels is not None:
            codes = facts.labels[items]
            parts += [table(codes[:, i]) for i, table in enumerate(self.labels)]
        return torch.stack(parts).sum(dim=0)


class Block(nn.Module):
    """Causal attention and a feed-forward layer, each normalized before and added after."""

    mask: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        size = config.size
        self.heads, self.dropout = config.heads, config.dropout
        self.before_attention, self.before_forward = nn.LayerNorm(size), nn.LayerNorm(size)
        self.mixed, self.joined = nn.Linear(size, 3 * size), nn.Linear(size, size)
        self.widened, self.narrowed = nn.Linear(size, 4 * size), nn.Linear(4 * size, size)
        later = torch.ones(config.max_length, config.max_length, dtype=torch.bool).triu(1)
        self.register_buffer("mask", torch.zeros(later.shape).masked_fill(later, -1e9))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as `x` [b, t, size]; nothing flows from later to earlier places."""
        x = x + self._drop(self._attend(self.before_attention(x)))
        return x + self._drop(self.narrowed(F.gelu(self.widened(self.before_forward(x)))))

    def _attend(self, x: Tensor) -> Tensor:
        b, t, size = x.shape
        parts = self.mixed(x).view(b, t, 3, self.heads, size // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # each [b, heads, t, size / heads]
        weight = query @ key.transpose(2, 3) / math.sqrt(size // self.heads)
        weight = self._drop(torch.softmax(weight + self.mask[:t, :t], dim=-1))
        joined: Tensor = self.joined((weight @ value).transpose(1, 2).reshape(b, t, size))
        return joined

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training)


class Reader(nn.Module):
    """Events in, the user's unit vector after each of them out."""

    def __init__(self, n_codes: int, config: Config) -> None:
        super().__init__()
        self.dropout = config.dropout
        sizes = (n_codes, GAP_BUCKETS, GAP_BUCKETS)
        self.tables = nn.ModuleList(nn.Embedding(n, config.size) for n in sizes)
        for table in self.tables:
            nn.init.zeros_(cast(Tensor, table.weight))
        self.place = nn.Parameter(torch.randn(config.max_length, config.size) * INIT)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.after = nn.LayerNorm(config.size)

    def forward(self, vectors: Tensor, codes: Tensor) -> Tensor:
        """Unit vectors [b, t, size] from item vectors [b, t, size] and codes [b, t, 3]."""
        x = vectors * math.sqrt(vectors.shape[2]) + self.place[: vectors.shape[1]]
        for i, table in enumerate(self.tables):
            x = x + table(codes[:, :, i])
        x = F.dropout(x, self.dropout, self.training)
        for block in self.blocks:
            x = block(x)
        return unit(self.after(x))


def unit(x: Tensor) -> Tensor:
    """Each row at length 1; rows of zeros stay zeros."""
    return F.normalize(x, dim=-1, eps=1e-6)


class _AtLast(nn.Module):
    """What is exported: the vector at one place of each row."""

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self.reader = reader

    def forward(self, vectors: Tensor, codes: Tensor, last: Tensor) -> Tensor:
        users = self.reader(vectors, codes)
        at = last.view(-1, 1, 1).expand(-1, 1, users.shape[2])
        return cast(Tensor, users.gather(1, at).squeeze(1))


def export_reader(reader: Reader, size: int) -> bytes:
    """ONNX graph: `vectors` [b, t, size] float32, `codes` [b, t, 3] int64 and `last` [b] int64 to
    `user` [b, size], the unit vector after the event at place `last`.

    The older exporter on purpose, as for the ranker: it takes a fraction of a second.
    """
    example = (torch.zeros(2, 3, size), torch.zeros(2, 3, 3).long(), torch.zeros(2).long())
    free: dict[int, str] = {0: "users", 1: "events"}
    graph = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own age
        torch.onnx.export(
            _AtLast(reader).eval(),
            example,
            cast("Any", graph),  # it writes to buffers too, its type says only paths
            input_names=list(INPUTS),
            output_names=["user"],
            dynamic_axes={
                "vectors": free,
                "codes": free,
                "last": {0: "users"},
                "user": {0: "users"},
            },
            opset_version=OPSET,
            dynamo=False,
        )
    return graph.getvalue()
