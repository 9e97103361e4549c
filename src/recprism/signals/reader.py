"""A trained transformer at work: a user's events in, scores of items out. No torch.

One run of the graph over at most `max_length` events takes well under a millisecond, so nothing is
kept between requests and an event that came a moment ago counts at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from recprism.content.projection import unit
from recprism.data.dataset import BoolArray, Catalog, FloatArray, IntArray, LongArray
from recprism.profiles.state import UserState
from recprism.signals.events import NO_CODE, gap_buckets, gaps_before


@dataclass(frozen=True)
class Past:
    """The events that are read, oldest first, arrays of one length m; `at` is the moment."""

    item: IntArray
    code: IntArray
    time: LongArray
    at: int

    @classmethod
    def of(cls, user: UserState, catalog: Catalog, n: int) -> Past:
        """The user's last `n` events; an item that is looked at comes last, at this moment."""
        code = event_codes(user.item[-n:], user.action[-n:], catalog)
        item, time = user.item[-n:], user.time[-n:]
        if user.viewing >= 0:
            item = np.append(item, user.viewing)[-n:].astype(np.int32)
            code = np.append(code, NO_CODE)[-n:].astype(np.int32)
            time = np.append(time, user.at)[-n:]
        return cls(item, code, time, user.at)

    def newest(self, n: int) -> Past:
        """The last `n` events."""
        if len(self.item) <= n:
            return self
        return Past(self.item[-n:], self.code[-n:], self.time[-n:], self.at)

    def take(self, keep: BoolArray) -> Past:
        """The events where `keep` [m]."""
        return Past(self.item[keep], self.code[keep], self.time[keep], self.at)


class Reader:
    """The ONNX graph and the item vectors of one trained transformer."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.arrays = arrays
        self.max_length, self._n_codes = int(arrays["max_length"][0]), int(arrays["n_codes"][0])
        self._unit, self._length = arrays["item"], arrays["length"]
        self._scale = np.float32(1.0 / arrays["temperature"][0])
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = ort.InferenceSession(
            arrays["graph"].tobytes(), options, providers=["CPUExecutionProvider"]
        )

    @property
    def size(self) -> int:
        """Numbers per vector."""
        return int(self._unit.shape[1])

    @cached_property
    def is_known(self) -> BoolArray:
        """Which items have a vector, [n_items]."""
        return np.asarray(self._length > 0)

    def users(self, pasts: list[Past]) -> FloatArray:
        """Unit vector of a user after the last `max_length` events of each past,
        [len(pasts), size]; zeros after no events."""
        pasts = [past.newest(self.max_length) for past in pasts]
        out = np.zeros((len(pasts), self.size), np.float32)
        some = [i for i, past in enumerate(pasts) if len(past.item)]
        if not some or not self.is_known.any():
            return out
        longest = max(len(pasts[i].item) for i in some)
        vectors = np.zeros((len(some), longest, self.size), np.float32)
        codes = np.zeros((len(some), longest, 3), np.int64)
        last = np.array([len(pasts[i].item) - 1 for i in some])
        for row, i in enumerate(some):
            item = pasts[i].item
            vectors[row, : len(item)] = self._unit[item] * self._length[item, None]
            codes[row, : len(item)] = self._codes(pasts[i])
        inputs = {"vectors": vectors, "codes": codes, "last": last}
        out[some] = self._session.run(None, inputs)[0]
        return out

    def scores(self, user: FloatArray, items: IntArray | None = None) -> FloatArray:
        """Cosine / temperature of `items` (or of all) with user vectors [..., size], [..., n]."""
        table = self._unit if items is None else self._unit[items]
        return np.asarray((user @ table.T) * self._scale, np.float32)

    def scores_of(self, user: FloatArray, vectors: FloatArray) -> FloatArray:
        """As `scores`, of items with `vectors` [n, size] of any length; 0 for zeros."""
        return np.asarray((unit(vectors) @ user) * self._scale, np.float32)

    def _codes(self, past: Past) -> LongArray:
        """Code of kind and action, time before, time until the next event, [m, 3]."""
        is_first = np.arange(len(past.time)) == 0
        until = np.diff(past.time, append=past.at)
        code = np.where(past.code < self._n_codes, past.code, NO_CODE)
        before = self.arrays["before_as"][gaps_before(past.time, is_first)]
        after = self.arrays["until_as"][gap_buckets(until)]
        return np.stack([code, before, after], axis=1).astype(np.int64)


def event_codes(item: IntArray, action: IntArray, catalog: Catalog) -> IntArray:
    """One code per event [m] from the kind of its item and its action; never `NO_CODE`."""
    kinds = kind_codes(catalog)
    return np.asarray(1 + (kinds[item] - 1) * max(1, len(catalog.actions)) + action, np.int32)


def kind_codes(catalog: Catalog) -> IntArray:
    """The number of each item's kind, from 1, [n_items]."""
    out = np.zeros(catalog.n_items, np.int32)
    for number, kind in enumerate(catalog.kinds.values(), start=1):
        out[kind.start : kind.stop] = number
    return out
