"""Ask a published artifact for one wanted item per user, in several processes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from benchmarks.leave_out import hit_metrics
from benchmarks.peers.protocol import MISS, gains
from joblib import Parallel, delayed
from numpy.typing import NDArray

from recprism.data.dataset import FloatArray, IntArray
from recprism.engine import open_engine
from recprism.engine.ranking import rank
from recprism.evaluate.bootstrap import mean_with_interval
from recprism.signals.plan import TaskPlan
from recprism.signals.shortlist import Binder

PER_JOB = 1_000


@dataclass(frozen=True)
class Found:
    """Where each user's wanted item stood: in the list, and by each signal alone over all items.

    Ranks count from 0; `MISS` is an item that was not found. `ms` is the mean time of one list.
    """

    ranks: NDArray[np.int64]
    signals: Mapping[str, NDArray[np.float64]]
    ms: float

    def metrics(self) -> dict[str, float]:
        return hit_metrics(self.ranks)

    def intervals(self, seed: int) -> dict[str, dict[str, Any]]:
        """recall@10 and NDCG@10 with their 95 % intervals over users."""
        found = gains(self.ranks, np.zeros_like(self.ranks), 10)
        users = np.arange(len(self.ranks))
        return {
            name: dict(mean_with_interval(values, users, seed=seed).to_dict())
            for name, values in zip(("recall@10", "ndcg@10"), found, strict=True)
        }

    def signal_metrics(self) -> dict[str, dict[str, float]]:
        return {name: hit_metrics(ranks) for name, ranks in self.signals.items()}


def ask_everyone(
    folder: Path, task: str, wanted: Mapping[str, str], at: datetime, signals: Sequence[str]
) -> Found:
    """The ranks of the wanted item of each user, as of `at`."""
    pairs = list(wanted.items())
    chunks = [pairs[i : i + PER_JOB] for i in range(0, len(pairs), PER_JOB)]
    pool = Parallel(n_jobs=min(os.cpu_count() or 1, max(1, len(chunks))))
    parts: list[Found] = pool(
        delayed(_ask)(folder, task, chunk, at, tuple(signals)) for chunk in chunks
    )
    if not parts:
        return Found(np.zeros(0, np.int64), {}, 0.0)
    return Found(
        np.concatenate([part.ranks for part in parts]),
        {n: np.concatenate([part.signals[n] for part in parts]) for n in parts[0].signals},
        float(np.average([part.ms for part in parts], weights=[len(p.ranks) for p in parts])),
    )


def _ask(
    folder: Path,
    task: str,
    wanted: Sequence[tuple[str, str]],
    at: datetime,
    signals: Sequence[str],
) -> Found:
    engine = open_engine(folder)
    active = [name for name in signals if name in engine.model.snapshot.signals]
    plan = engine.model.plans[task]
    ranks = np.full(len(wanted), MISS, np.int64)
    alone = {name: np.full(len(wanted), MISS, np.float64) for name in active}
    took = 0.0
    for row, (user, item) in enumerate(wanted):
        target = plan.kind.start + plan.kind.ids.index(item)
        start = perf_counter()
        binder = Binder(engine.model.snapshot, engine.state(user, at))
        ranks[row] = rank(engine.model, binder, plan).position(target)
        took += perf_counter() - start
        for name in active:
            alone[name][row] = _rank_alone(binder, plan, name, target)
    return Found(ranks, alone, took * 1000.0 / max(1, len(wanted)))


def _rank_alone(binder: Binder, plan: TaskPlan, name: str, target: int) -> float:
    """The rank of `target` by one signal over all items, own past excluded, ties at their mean."""
    kind = plan.kind
    every: IntArray = np.arange(kind.start, kind.stop, dtype=np.int32)
    score: FloatArray = binder.bind(plan.goal)[name].main(every)
    score = score.astype(np.float64)
    past = binder.user.item[(binder.user.item >= kind.start) & (binder.user.item < kind.stop)]
    score[past - kind.start] = -np.inf
    own = score[target - kind.start]
    if not np.isfinite(own):
        return float(MISS)
    return float((score > own).sum() + ((score == own).sum() - 1) / 2)
