"""Popularity, matrix factorization and item neighbours: `implicit` and LensKit.

Each peer has four settings; the one with the best NDCG@10 on validation is used. Whoever asks, the
model is the one that learned from the training items alone: at the test only the history grows by
the validation item (factors of a user are folded in, item similarities stay).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from time import perf_counter
from typing import Any

import numpy as np
from benchmarks.peers.program import Options, arguments, installed
from benchmarks.peers.protocol import Answers, Rows, Scorer, Scores, Split, answers, ask, ndcg
from scipy.sparse import csr_matrix

Setting = dict[str, Any]
Fit = Callable[[Split, Setting, int], Scorer]


def main() -> int:
    options = arguments(__doc__)
    run(Split.load(options.split), options).save(options.answers)
    return 0


def run(split: Split, options: Options) -> Answers:
    """Fit each setting of a peer, keep the best on validation, and ask it for the test."""
    fit, grid, modules = PEERS[options.peer]
    for module in modules:  # loading code is not training
        import_module(module)
    best: tuple[float, Setting, Scorer, dict[str, Any], float] | None = None
    tried = []
    for setting in grid[: 1 if options.quick else None]:
        start = perf_counter()
        score = fit(split, setting, options.seed)
        seconds = perf_counter() - start
        valid = ask(split, score, "valid")
        tried.append({**setting, "valid": round(ndcg(valid), 4), "train_s": round(seconds, 2)})
        if best is None or ndcg(valid) > best[0]:
            best = (ndcg(valid), setting, score, valid, seconds)
    if best is None:
        raise ValueError(f"`{options.peer}` has no setting")
    _, setting, score, valid, seconds = best
    settings = {**setting, "tried": tried}
    versions = installed(*(module.split(".")[0] for module in modules[:1]), "numpy", "scipy")
    return answers(valid, ask(split, score, "test"), seconds, settings, versions)


def fit_popular(split: Split, setting: Setting, seed: int) -> Scorer:
    """How many users had an item: the floor."""
    del setting, seed
    counts = np.asarray(_training(split).sum(axis=0), np.float32).ravel()
    return lambda users, _: np.tile(counts, (len(users), 1))


def fit_als(split: Split, setting: Setting, seed: int) -> Scorer:
    """Weighted matrix factorization (Hu, Koren and Volinsky, 2008)."""
    from implicit.cpu.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(
        **setting, regularization=0.01, iterations=15, random_state=seed, num_threads=1
    )
    model.fit(_training(split), show_progress=False)
    past = _histories(split)

    def score(users: Rows, part: str) -> Scores:
        folded = model.recalculate_user(users, past[part][users])
        return np.asarray(folded @ model.item_factors.T, np.float32)

    return score


def fit_bm25(split: Split, setting: Setting, seed: int) -> Scorer:
    """Item neighbours by BM25-weighted co-occurrence, constants of `implicit`."""
    del seed
    from implicit.nearest_neighbours import BM25Recommender

    return _of_similarity(split, BM25Recommender(**setting, K1=1.2, B=0.75, num_threads=1))


def fit_cosine(split: Split, setting: Setting, seed: int) -> Scorer:
    """Item neighbours by the cosine of the users they share."""
    del seed
    from implicit.nearest_neighbours import CosineRecommender

    return _of_similarity(split, CosineRecommender(**setting, num_threads=1))


def fit_ease(split: Split, setting: Setting, seed: int) -> Scorer:
    """Ridge regression of items on items with an empty diagonal (Steck, 2019), by LensKit."""
    del seed
    import pandas as pd
    from lenskit.data import from_interactions_df
    from lenskit.knn import EASEScorer

    _, indices, indptr = split.matrix(None)
    user = np.repeat(np.arange(len(split)), np.diff(indptr))
    data = from_interactions_df(pd.DataFrame({"user_id": user, "item_id": indices}))
    model = EASEScorer(**setting)
    model.train(data)
    known = np.asarray(model.items.ids(), np.int64)
    weights = np.zeros((split.n_items, split.n_items), np.float32)
    weights[np.ix_(known, known)] = model.weights
    past = _histories(split)
    return lambda users, part: np.asarray(past[part][users] @ weights, np.float32)


def _of_similarity(split: Split, model: Any) -> Scorer:
    """Histories times the item similarities that a fitted model of `implicit` holds."""
    model.fit(_training(split), show_progress=False)
    past = _histories(split)
    return lambda users, part: (past[part][users] @ model.similarity).toarray().astype(np.float32)


def _training(split: Split) -> csr_matrix:
    return csr_matrix(split.matrix(None), shape=(len(split), split.n_items))


def _histories(split: Split) -> Mapping[str, csr_matrix]:
    shape = (len(split), split.n_items)
    return {part: csr_matrix(split.matrix(part), shape=shape) for part in ("valid", "test")}


PEERS: Mapping[str, tuple[Fit, Sequence[Setting], Sequence[str]]] = {
    "popular": (fit_popular, [{}], []),
    "als": (
        fit_als,
        [{"factors": f, "alpha": a} for f in (64, 128) for a in (1.0, 10.0)],
        ["implicit.cpu.als"],
    ),
    "bm25": (fit_bm25, [{"K": k} for k in (20, 50, 100, 500)], ["implicit.nearest_neighbours"]),
    "cosine": (fit_cosine, [{"K": k} for k in (20, 50, 100, 500)], ["implicit.nearest_neighbours"]),
    "ease": (
        fit_ease,
        [{"regularization": r} for r in (30.0, 100.0, 300.0, 1000.0)],
        ["lenskit.knn", "lenskit.data", "pandas"],
    ),
}
"""Of each peer: how it is fitted, its settings, and the modules that it
needs, the one whose version is told first."""

if __name__ == "__main__":
    sys.exit(main())
