"""The simple rules alone: no training, so that the protocol can be checked in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recprism.data.dataset import Dataset
from recprism.data.times import from_micros
from recprism.evaluate.baselines import baseline_standings
from recprism.evaluate.bootstrap import Interval, mean_with_interval
from recprism.evaluate.metrics import ndcg
from recprism.evaluate.protocol import Goal, HoldOut, build_occasions

RULES = ("random", "popular", "personal")


@dataclass(frozen=True)
class RuleScores:
    """NDCG@k of every occasion with a hit to find, all arrays of one length n."""

    hold_out: HoldOut
    user: NDArray[np.int64]
    until: NDArray[np.int64]
    values: dict[str, NDArray[np.float64]]

    def interval(self, rule: str, keep: NDArray[np.bool_] | None = None) -> Interval:
        """Mean of weeks, or of sessions when asked by event, with its 95 % interval."""
        rows = np.ones(len(self.user), bool) if keep is None else keep
        strata = None if self.hold_out.by_event else self.until[rows]
        return mean_with_interval(self.values[rule][rows], self.user[rows], strata)

    def to_dict(self) -> dict[str, Any]:
        intervals = {rule: self.interval(rule) for rule in RULES}
        by_until = {
            from_micros(until).isoformat(): {
                rule: self.interval(rule, self.until == until).to_dict() for rule in RULES
            }
            for until in np.unique(self.until)
        }
        return {
            "metric": f"ndcg@{self.hold_out.k}",
            "baselines": {rule: round(found.value, 6) for rule, found in intervals.items()},
            "intervals": {rule: found.to_dict() for rule, found in intervals.items()},
            "by_until": by_until,
        }


def score_rules(dataset: Dataset, goal: Goal, hold_out: HoldOut) -> RuleScores:
    """Every simple rule on every occasion of `hold_out` that has a hit to find."""
    users, untils = [], []
    values: dict[str, list[float]] = {rule: [] for rule in RULES}
    for part in build_occasions(dataset, goal, hold_out):
        occasions = part.take(np.flatnonzero(part.has_truth))
        users.append(occasions.user.astype(np.int64))
        untils.append(np.full(len(occasions), part.until, np.int64))
        for standings in baseline_standings(dataset, goal, occasions):
            for rule in RULES:
                values[rule].append(ndcg(standings[rule], hold_out.k))
    return RuleScores(
        hold_out,
        np.concatenate(users),
        np.concatenate(untils),
        {rule: np.array(found, np.float64) for rule, found in values.items()},
    )
