"""Groups of users who are alike, with a name that a person can read.

In come taste vectors, traits and the labels of what users did, out go k-means segments. Two
decisions: taste vectors are scaled to length 1, so that a segment says what people like and not
how much they buy; and traits count a quarter of taste, so that they settle what taste leaves open.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recprism.data.dataset import FloatArray, IntArray
from recprism.profiles.segment_names import name_segments
from recprism.profiles.words import words_of

TRAIT_WEIGHT = 0.25
TOP_VALUES = 20
"""Values per trait that get a column; the rest counts as unknown."""
MANY_USERS = 50_000
"""From here on k-means runs on mini-batches."""


@dataclass(frozen=True)
class Segments:
    """`centroids` [k, taste size] are mean unit taste vectors, `of_user` [n_users] the segment of
    each user (-1: in none), `sizes` [k] how many users, `names` [k] are distinct.

    k is 0 without users.
    """

    centroids: FloatArray
    of_user: IntArray
    sizes: IntArray
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def fit(
        cls,
        taste: FloatArray,
        traits: pl.DataFrame,
        *,
        n: int,
        seed: int,
        label_share: FloatArray,
        label_names: Sequence[str],
        language: str = "en",
        least: int = 1,
    ) -> Segments:
        """At most `n` segments of the users in `taste` [n_users, size]; fewer when fewer differ.

        Segments of fewer than `least` users are merged into the nearest other one.

        `traits` has one row per user (text columns, null when unknown) or no columns.
        `label_share` [n_users, n_labels] are the shares of labels among a user's events,
        `label_names` names them; without labels the names come from the traits. Deterministic for
        a seed. k-means: Lloyd, 1982; names: `segment_names.py`.
        """
        words = words_of(language)
        if not len(taste):
            return cls(taste, np.zeros(0, np.int32), np.zeros(0, np.int32), ())
        hot, hot_names = _one_hot(traits, len(taste))
        features = _features(_unit(taste), hot)
        of_user = _by_size(_merge_small(features, _cluster(features, n, seed), least))
        k = int(of_user.max()) + 1
        if not len(label_names):
            label_share, label_names = hot, hot_names
        names = name_segments(
            _means(label_share, of_user, k), label_share.mean(axis=0), label_names, words
        )
        sizes = np.bincount(of_user, minlength=k).astype(np.int32)
        return cls(_means(_unit(taste), of_user, k), of_user, sizes, names)

    def assign(self, taste: FloatArray) -> int:
        """The segment nearest to a taste vector [size]; -1 when there are no segments."""
        if not len(self):
            return -1
        gaps = np.linalg.norm(self.centroids - _unit(taste[None, :]), axis=1)
        return int(np.argmin(gaps))

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """The arrays by name; `names` travels beside them."""
        return {"centroids": self.centroids, "of_user": self.of_user, "sizes": self.sizes}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[np.generic]], names: Sequence[str]
    ) -> Segments:
        """What `to_arrays` and `names` gave, without copying."""
        return cls(**arrays, names=tuple(names))  # type: ignore[arg-type]


def label_shares(user: IntArray, code: IntArray, n_users: int, n_values: int) -> FloatArray:
    """Share of each label value (codes from 1) among the labelled events of each user.

    `user` and `code` [m] describe events, code 0 is no label. Returns [n_users, n_values - 1], rows
    of zeros for users without labelled events.
    """
    labelled = code > 0
    cell = user[labelled].astype(np.int64) * (n_values - 1) + code[labelled] - 1
    counts = np.bincount(cell, minlength=n_users * (n_values - 1))
    counts = counts.reshape(n_users, n_values - 1).astype(np.float32)
    shares: FloatArray = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return shares


def _unit(vectors: FloatArray) -> FloatArray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-12), np.float32)


def _one_hot(traits: pl.DataFrame, n_users: int) -> tuple[FloatArray, list[str]]:
    """One column per frequent trait value, [n_users, n_columns], and what each one says."""
    columns, names = [np.zeros((n_users, 0), np.float32)], []
    for trait in traits.get_columns():
        text = trait.cast(pl.String)
        top = text.drop_nulls().value_counts().sort(["count", trait.name], descending=[True, False])
        for value in top[trait.name].head(TOP_VALUES):
            columns.append((text == value).fill_null(False).to_numpy()[:, None].astype(np.float32))
            names.append(f"{trait.name} {value}")
    return np.concatenate(columns, axis=1), names


def _features(taste: FloatArray, hot: FloatArray) -> FloatArray:
    """Taste and traits side by side, each block centered, with total variances 1 : weight^2."""
    blocks = []
    for block, weight in ((taste, 1.0), (hot, TRAIT_WEIGHT)):
        centered = block - block.mean(axis=0, keepdims=True)
        spread = float(np.sqrt((centered**2).sum(axis=1).mean()))
        blocks.append(centered * (weight / spread if spread > 1e-9 else 0.0))
    return np.concatenate(blocks, axis=1).astype(np.float32)


def _cluster(features: FloatArray, n: int, seed: int) -> IntArray:
    """Cluster of each row."""
    from sklearn.cluster import KMeans, MiniBatchKMeans  # heavy, and only fitting needs it
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    n = min(n, len(np.unique(features, axis=0)))
    if len(features) < MANY_USERS:
        model = KMeans(n_clusters=n, n_init=4, random_state=seed)
    else:
        model = MiniBatchKMeans(n_clusters=n, n_init=4, random_state=seed, batch_size=4096)
    # On a busy machine threads that wait for each other take many times longer than one.
    with threadpool_limits(1 if len(features) < MANY_USERS else None), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer clusters than asked are fine
        found = model.fit_predict(features)
    return np.asarray(found, np.int32)


def _merge_small(features: FloatArray, of_user: IntArray, least: int) -> IntArray:
    """Clusters of fewer than `least` rows go, one by one, to the nearest center of another."""
    while True:
        clusters, sizes = np.unique(of_user, return_counts=True)
        if len(clusters) < 2 or sizes.min() >= least:
            return of_user
        centers = np.stack([features[of_user == cluster].mean(axis=0) for cluster in clusters])
        small = int(np.argmin(sizes))
        gaps = np.linalg.norm(centers - centers[small], axis=1)
        gaps[small] = np.inf
        of_user = np.where(of_user == clusters[small], clusters[int(np.argmin(gaps))], of_user)


def _by_size(of_user: IntArray) -> IntArray:
    """The clusters numbered by size, the largest first."""
    _, found = np.unique(of_user, return_inverse=True)
    by_size = np.argsort(-np.bincount(found), kind="stable")
    return np.argsort(by_size)[found].astype(np.int32)


def _means(rows: FloatArray, of_user: IntArray, k: int) -> FloatArray:
    """Mean of `rows` [n_users, d] per segment, [k, d]."""
    means = [rows[of_user == segment].mean(axis=0) for segment in range(k)]
    return np.array(means, dtype=np.float32).reshape(k, rows.shape[1])
