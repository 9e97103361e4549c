"""Taste vectors: truncated SVD of the time-decayed user-item matrix, and fold-in of new events.

In comes an event log, out go item factors. The matrix X has one row per user and one column per
item of *any* kind; an entry is log(1 + sum of 0.5^(age / half life)), divided by
popularity^damping. With X ~ U S V', the item factors are Q = V sqrt(S). A user's taste is the
ridge regression of the user's row x onto Q over all items,

    taste = (Q'Q + ridge I)^-1 Q'x,    and Q'Q = S is diagonal,

so that folding in an event costs one row of Q (cf. Cremonesi et al., RecSys 2010, PureSVD).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recprism.data.dataset import DAY_US, EventLog, FloatArray, IntArray, LongArray
from recprism.project.schema import Profiles

MIN_USERS = 5
"""Items that fewer users touched get no factors: their columns are noise."""
DAMPING = 0.3
"""Power of popularity that divides a column of the matrix."""


@dataclass(frozen=True)
class Taste:
    """Fitted item factors.

    `row` [n_items] is the row of each item in `factors` [n_rows, size], -1 for items without.
    `item` [n_rows] is the inverse. `spectrum` [size] are the singular values, `scale` [n_rows] the
    damping of each column.
    """

    row: IntArray
    item: IntArray
    factors: FloatArray
    spectrum: FloatArray
    scale: FloatArray
    half_life_days: float
    ridge: float

    @property
    def size(self) -> int:
        return int(self.factors.shape[1])

    @staticmethod
    def fit(log: EventLog, n_items: int, at: int, config: Profiles, seed: int = 0) -> Taste:
        """Factors from the events of `log` (all before `at`).

        At most `config.taste_size` numbers, and fewer than there are users (with events) and
        items. A log too small for one factor gives factors of size 1 that are all zero.
        """
        users_of, people = _distinct_users(log, n_items), len(np.unique(log.user))
        item = np.flatnonzero(users_of >= min(MIN_USERS, max(1, people))).astype(np.int32)
        row = np.full(n_items, -1, np.int32)
        row[item] = np.arange(len(item), dtype=np.int32)
        size = min(config.taste_size, people - 1, len(item) - 1)
        scale = (users_of[item].astype(np.float32)) ** -DAMPING
        if size < 1:
            nothing = np.zeros((len(item), 1), np.float32)
            one = np.ones(1, np.float32)
            return Taste(row, item, nothing, one, scale, config.half_life_days, config.ridge)
        from sklearn.utils.extmath import randomized_svd  # heavy, and only fitting needs it

        matrix = _decayed_matrix(log, row, len(item), at, config.half_life_days, scale)
        _, spectrum, right = randomized_svd(
            matrix, n_components=size, n_oversamples=16, n_iter=3, random_state=seed
        )
        factors = np.ascontiguousarray(right.T * np.sqrt(spectrum), dtype=np.float32)
        return Taste(
            row,
            item,
            factors,
            spectrum.astype(np.float32),
            scale,
            config.half_life_days,
            config.ridge,
        )

    def fold_in(self, item: IntArray, time: LongArray, at: int) -> FloatArray:
        """Taste vector [size] of a user with these past events; zeros without any."""
        row = self.row[item]
        known = row >= 0
        row, age = row[known], (at - time[known]) / DAY_US
        if len(row) == 0:
            return np.zeros(self.size, np.float32)
        weight = np.exp2(-age / self.half_life_days)
        distinct, inverse = np.unique(row, return_inverse=True)
        entry = np.log1p(np.bincount(inverse, weight)).astype(np.float32) * self.scale[distinct]
        projected = entry @ self.factors[distinct] / (self.spectrum + self.ridge)
        return np.asarray(projected, np.float32)

    def scores(self, taste: FloatArray) -> FloatArray:
        """Predicted entries [n_rows] for a taste vector, in units of the undamped matrix."""
        return np.asarray((self.factors @ taste) / self.scale, dtype=np.float32)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        return {
            "row": self.row,
            "item": self.item,
            "factors": self.factors,
            "spectrum": self.spectrum,
            "scale": self.scale,
            "settings": np.array([self.half_life_days, self.ridge]),
        }

    @staticmethod
    def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> Taste:
        half_life, ridge = (float(x) for x in arrays["settings"])
        return Taste(
            arrays["row"],
            arrays["item"],
            arrays["factors"],
            arrays["spectrum"],
            arrays["scale"],
            half_life,
            ridge,
        )


def _distinct_users(log: EventLog, n_items: int) -> LongArray:
    """Number of distinct users per item, shape [n_items]."""
    pairs = np.unique(log.item.astype(np.int64) * max(1, log.n_users) + log.user)
    return np.bincount(pairs // max(1, log.n_users), minlength=n_items)


def _decayed_matrix(
    log: EventLog, row: IntArray, n_rows: int, at: int, half_life_days: float, scale: FloatArray
) -> sp.csr_matrix:
    """X [users with events, n_rows]: log(1 + decayed count) times the column's scale."""
    column, (people, user) = row[log.item], np.unique(log.user, return_inverse=True)
    known = column >= 0
    weight = np.exp2(-((at - log.time[known]) / DAY_US) / half_life_days).astype(np.float32)
    shape = (len(people), n_rows)
    counts = sp.csr_matrix((weight, (user[known], column[known])), shape=shape)
    counts.sum_duplicates()
    counts.data = np.log1p(counts.data) * scale[counts.indices]
    return counts
