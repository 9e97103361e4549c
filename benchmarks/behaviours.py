"""Files of several behaviors, one held-out goal event per user, as events with times.

In come `{view,cart,buy}.train.txt` and `buy.test.txt`: a user, then that user's items, a line; the
order of a row says nothing. Out go arrays of (user, item) pairs, the events of a project whose
times say what is known when, and the plain rules of this protocol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import scipy.sparse as sp
from benchmarks.leave_out import TEST, VALID
from numpy.typing import NDArray

from recprism.evaluate.metrics import Standing, standing_by_score

ACTIONS = ("view", "cart", "buy")
GOAL = "buy"
KNOWN = {
    "view": VALID - timedelta(days=9),
    "cart": VALID - timedelta(days=8),
    "buy": VALID - timedelta(days=7),
}
"""When what is always known happened: the order in which a shop sees these actions, a week before
the snapshot, since signals need a week of past."""
PRIOR = 5.0
"""Pseudo-count of the rule, as it was published with its number."""

Pairs = NDArray[np.int64]
"""(user, item) pairs, [n, 2]."""


class FilesError(Exception):
    """A file of behaviors that cannot be used; the message is one sentence for people."""


@dataclass(frozen=True)
class Behaviors:
    """What was done, numbers from 0: `train` by action, and the test items [users, 2] of the goal.

    Items have drawn numbers: in files like these the original ones tell who was first to buy.
    """

    train: Mapping[str, Pairs]
    test: Pairs
    n_users: int
    n_items: int

    def of_users(self, share: float, seed: int) -> Behaviors:
        """A part of the users, drawn at random; the items stay."""
        kept = np.random.default_rng(seed).random(self.n_users) < share
        train = {action: pairs[kept[pairs[:, 0]]] for action, pairs in self.train.items()}
        return Behaviors(train, self.test[kept[self.test[:, 0]]], self.n_users, self.n_items)


def read_behaviors(folder: Path, seed: int) -> Behaviors:
    """The files of `folder`. Raises `FilesError` for what is missing or cannot be read."""
    train = {action: read_pairs(folder / f"{action}.train.txt") for action in ACTIONS}
    test = read_pairs(folder / f"{GOAL}.test.txt")
    if len(test) != len(np.unique(test[:, 0])):
        raise FilesError(
            f"`{folder / f'{GOAL}.test.txt'}` holds out several items of one user; "
            "this protocol needs one."
        )
    everything = np.concatenate([*train.values(), test])
    if not len(test):
        raise FilesError(f"`{folder / f'{GOAL}.test.txt'}` holds no user; nothing can be measured.")
    users, items = np.unique(everything[:, 0]), np.unique(everything[:, 1])
    drawn = np.random.default_rng(seed).permutation(len(items))

    def numbered(pairs: Pairs) -> Pairs:
        user, item = np.searchsorted(users, pairs[:, 0]), np.searchsorted(items, pairs[:, 1])
        return np.stack([user, drawn[item]], axis=1)

    train = {action: numbered(pairs) for action, pairs in train.items()}
    return Behaviors(train, numbered(test), len(users), len(items))


def read_pairs(path: Path) -> Pairs:
    """The distinct (user, item) pairs of one file. Raises `FilesError`."""
    if not path.is_file():
        raise FilesError(
            f"`{path}` is missing; {', '.join(f'`{a}.train.txt`' for a in ACTIONS)} "
            f"and `{GOAL}.test.txt` are needed."
        )
    found: list[tuple[int, int]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        words = line.split()
        if not words:
            raise FilesError(f"`{path}`, line {number}: empty; expected a user and items.")
        wrong = next((word for word in words if not (word.isascii() and word.isdigit())), None)
        if wrong is not None:
            raise FilesError(f"`{path}`, line {number}: found `{wrong}`, expected whole numbers.")
        user = int(words[0])
        found += [(user, int(word)) for word in words[1:]]
    return np.unique(np.array(found, np.int64).reshape(-1, 2), axis=0)


def held_out(behaviors: Behaviors, action: str, seed: int) -> Pairs:
    """One pair per user, drawn among the user's, where the user has another one besides."""
    pairs = behaviors.train[action]
    shuffled = pairs[np.random.default_rng(seed).permutation(len(pairs))]
    user, first, count = np.unique(shuffled[:, 0], return_index=True, return_counts=True)
    return shuffled[first[count > 1]] if len(user) else shuffled


def events_of(behaviors: Behaviors, seed: int, validated: Sequence[str]) -> pl.DataFrame:
    """The events of a project: what is known, held-out items at `VALID`, the test at `TEST`.

    One item per user and action of `validated` is held out, and nothing else of what the user did
    with it is, exactly as in the test.
    """
    parts = [_events(behaviors.test, GOAL, TEST)]
    for action, pairs in behaviors.train.items():
        late = held_out(behaviors, action, seed) if action in validated else pairs[:0]
        key = pairs[:, 0] * behaviors.n_items + pairs[:, 1]
        is_late = np.isin(key, late[:, 0] * behaviors.n_items + late[:, 1])
        parts.append(_events(pairs[~is_late], action, KNOWN[action]))
        parts.append(_events(late, action, VALID))
    return pl.concat(parts)


def _events(pairs: Pairs, action: str, time: object) -> pl.DataFrame:
    table = pl.DataFrame({"user": pairs[:, 0], "item": pairs[:, 1]})
    ids = (
        pl.format("u{}", "user").alias("user"),
        pl.format("i{}", "item").alias("item"),
    )
    return table.with_columns(*ids, action=pl.lit(action), time=pl.lit(time))


class Rules:
    """The rules beside the model, from counts over the training files."""

    def __init__(self, behaviors: Behaviors) -> None:
        shape = (behaviors.n_users, behaviors.n_items)
        self._of = {action: _incidence(pairs, shape) for action, pairs in behaviors.train.items()}
        counts = {a: np.asarray(m.sum(axis=0)).ravel() for a, m in self._of.items()}
        other = sum(count for action, count in counts.items() if action != GOAL)
        self.popular = counts[GOAL].astype(np.float64)
        self.conversion = self.popular / (PRIOR + other)

    def bought(self, user: int) -> NDArray[np.int32]:
        """Items that the user bought in training."""
        return _row(self._of[GOAL], user)

    def touched(self, user: int) -> NDArray[np.int32]:
        """Items with any action of the user in training, those bought included."""
        return np.unique(np.concatenate([_row(matrix, user) for matrix in self._of.values()]))

    def by_popularity(self, user: int, item: int, *, clean: bool = False) -> Standing:
        """Where `item` stands by buys among all items but those bought (`clean`: touched)."""
        left = np.ones(len(self.popular), bool)
        left[self.touched(user) if clean else self.bought(user)] = False
        return _standing(np.flatnonzero(left), self.popular, item)

    def by_conversion(self, user: int, item: int) -> Standing:
        """Where `item` stands among what was viewed or carted, not bought, by buys / (5 + other
        events); nothing else is ranked."""
        return _standing(np.setdiff1d(self.touched(user), self.bought(user)), self.conversion, item)


def _standing(items: NDArray[np.int64], score: NDArray[np.float64], item: int) -> Standing:
    return standing_by_score(score[items], items == item, n_true=1)


def _incidence(pairs: Pairs, shape: tuple[int, int]) -> sp.csr_matrix:
    return sp.csr_matrix((np.ones(len(pairs), np.int64), (pairs[:, 0], pairs[:, 1])), shape=shape)


def _row(matrix: sp.csr_matrix, row: int) -> NDArray[np.int32]:
    found: NDArray[np.int32] = matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]
    return found
