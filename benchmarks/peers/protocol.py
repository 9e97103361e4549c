"""What every peer shares: the split, whose history is known when, and how ranks are counted.

The programs of the peers run in virtual environments of their own, so this module needs nothing
but NumPy. Items and users are row numbers in order of first appearance. One `Split` comes in as a
file, one `Answers` goes out as a file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEWEST = 3
"""Users with fewer events are training only, as in `benchmarks.sequence_files`."""
HELD_OUT = {"valid": 2, "test": 1}
"""How far from the end of a user's events the item that is looked for stands."""
MISS = -1
BATCH = 512

Scores = NDArray[np.float32]
Rows = NDArray[np.int64]
Scorer = Callable[[Rows, str], Scores]
"""Scores of all items, [users, items], for users and a part (`valid` or `test`)."""


@dataclass(frozen=True)
class Split:
    """Users' items in order of time: those of user u are `item[offsets[u]:offsets[u + 1]]`."""

    offsets: Rows
    item: Rows
    n_items: int

    @staticmethod
    def of(sequences: Sequence[Sequence[str]]) -> Split:
        """Number the items of some sequences in order of appearance."""
        number: dict[str, int] = {}
        item = [number.setdefault(name, len(number)) for row in sequences for name in row]
        offsets = np.concatenate([[0], np.cumsum([len(row) for row in sequences])])
        return Split(offsets.astype(np.int64), np.array(item, np.int64), len(number))

    def save(self, path: Path) -> None:
        np.savez(path, offsets=self.offsets, item=self.item, n_items=np.array(self.n_items))

    @staticmethod
    def load(path: Path) -> Split:
        with np.load(path) as found:
            return Split(found["offsets"], found["item"], int(found["n_items"]))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def tested(self) -> Rows:
        """Users with enough events to hold two of them out."""
        return np.flatnonzero(np.diff(self.offsets) >= FEWEST)

    def training(self, user: int) -> Rows:
        """What a peer may learn from: all but the last two; everything of a shorter user."""
        own = self.item[self.offsets[user] : self.offsets[user + 1]]
        return own[:-2] if len(own) >= FEWEST else own

    def history(self, user: int, part: str) -> Rows:
        """What is known of a tested user when asked: at the test the validation item too."""
        return self.item[self.offsets[user] : self.offsets[user + 1] - HELD_OUT[part]]

    def wanted(self, users: Rows, part: str) -> Rows:
        """The item that is looked for, of each tested user."""
        return self.item[self.offsets[users + 1] - HELD_OUT[part]]

    def matrix(self, part: str | None) -> tuple[NDArray[np.float32], Rows, Rows]:
        """Distinct (user, item) pairs as CSR parts `data, indices, indptr` over all users.

        The pairs that peers learn from (`part` None), or the histories at `part`; there users that
        are not tested have none.
        """
        rows = [self._distinct(user, part) for user in range(len(self))]
        indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
        indices = np.concatenate(rows) if rows else np.zeros(0, np.int64)
        return np.ones(len(indices), np.float32), indices, indptr

    def _distinct(self, user: int, part: str | None) -> Rows:
        if part is None:
            return np.unique(self.training(user))
        few = self.offsets[user + 1] - self.offsets[user] < FEWEST
        return np.zeros(0, np.int64) if few else np.unique(self.history(user, part))


@dataclass(frozen=True)
class Answers:
    """Where the wanted item of each tested user stood, and what it cost.

    `above[part]` counts the items with a higher score (`MISS`: the item has no place in the list),
    `tied[part]` the others with the same score. `users[part]` are the rows of the users asked.
    `ms` is the mean time of one list, scoring and placing, in batches of users.
    """

    above: dict[str, list[int]]
    tied: dict[str, list[int]]
    users: dict[str, list[int]]
    train_s: float
    ms: float
    settings: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @staticmethod
    def load(path: Path) -> Answers:
        return Answers(**json.loads(path.read_text(encoding="utf-8")))


def places(scores: Scores, wanted: Rows, histories: Sequence[Rows]) -> tuple[Rows, Rows]:
    """How many items stand above the wanted one of each row, and how many beside it, both [rows].

    `scores` [rows, items]. A row's own history is left out; a wanted item that belongs to it, or
    that has no finite score, is a `MISS`. Other items without a finite score stand below.
    """
    kept = np.where(np.isfinite(scores), scores, -np.inf)
    for row, history in enumerate(histories):
        kept[row, history] = -np.inf
    own = kept[np.arange(len(wanted)), wanted][:, None]
    above, tied = (kept > own).sum(axis=1), (kept == own).sum(axis=1) - 1
    found = np.isfinite(own[:, 0])
    return np.where(found, above, MISS), np.where(found, tied, 0)


def gains(above: Rows, tied: Rows, k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Hit and NDCG gain at `k` of each list, both [lists]: their means over the orders of ties."""
    place = np.arange(k)
    hits = np.concatenate([[0.0], np.cumsum(np.ones(k))])
    discounts = np.concatenate([[0.0], np.cumsum(1.0 / np.log2(2.0 + place))])
    found = above != MISS
    first = np.clip(np.where(found, above, k), 0, k)
    last = np.clip(np.where(found, above + tied + 1, k), 0, k)
    share = 1.0 / (tied + 1)
    return (hits[last] - hits[first]) * share, (discounts[last] - discounts[first]) * share


def ask(split: Split, score: Scorer, part: str, users: Rows | None = None) -> dict[str, Any]:
    """The places of the wanted items of `users` (default: all tested), and milliseconds a list."""
    asked = split.tested if users is None else users
    above, tied, start = [], [], perf_counter()
    for batch in _batches(asked):
        histories = [split.history(user, part) for user in batch.tolist()]
        found = places(score(batch, part), split.wanted(batch, part), histories)
        above.append(found[0])
        tied.append(found[1])
    ms = (perf_counter() - start) * 1000.0 / max(1, len(asked))
    nothing = np.zeros(0, np.int64)
    return {
        "above": np.concatenate([nothing, *above]),
        "tied": np.concatenate([nothing, *tied]),
        "users": asked,
        "ms": ms,
    }


def ndcg(found: dict[str, Any], k: int = 10) -> float:
    """Mean NDCG at `k` of what `ask` found: what settings are chosen by, on validation."""
    return float(gains(found["above"], found["tied"], k)[1].mean())


def answers(
    valid: dict[str, Any],
    test: dict[str, Any],
    train_s: float,
    settings: dict[str, Any],
    versions: dict[str, str],
) -> Answers:
    """What a peer's program hands over."""
    parts = {"valid": valid, "test": test}
    return Answers(
        above={name: part["above"].tolist() for name, part in parts.items()},
        tied={name: part["tied"].tolist() for name, part in parts.items()},
        users={name: part["users"].tolist() for name, part in parts.items()},
        train_s=train_s,
        ms=test["ms"],
        settings=settings,
        versions=versions,
    )


def _batches(users: Rows) -> Iterator[Rows]:
    for start in range(0, len(users), BATCH):
        yield users[start : start + BATCH]
