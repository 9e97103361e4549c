"""From answers to numbers: the rows of one task become a `TaskEvaluation`.

In come `Round`s, one for each time the task was held out at; out go means with intervals, paired
differences, calibration and what the lists are like. Rounds asked at their `until` count alike
(mean of weeks), rounds asked by event are pooled (mean of sessions).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from recprism.data.dataset import Dataset
from recprism.data.times import from_micros
from recprism.evaluate import metrics
from recprism.evaluate.ask import Lists
from recprism.evaluate.baselines import item_popularity
from recprism.evaluate.bootstrap import Interval, mean_with_interval, paired_difference
from recprism.evaluate.composed import ComposedLists, compare
from recprism.evaluate.metrics import Standing, standing_in_list
from recprism.evaluate.protocol import (
    HISTORY_GROUPS,
    Goal,
    Occasions,
    history_lengths,
)
from recprism.evaluate.results import BeyondAccuracy, Calibration, TaskEvaluation
from recprism.evaluate.verdict import write_verdict

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Round:
    """The occasions of one `until` and everything that was answered to them.

    `model` answers all occasions. `single`, `signals` and `baselines` answer only those with a hit
    to find (`occasions.has_truth`), in the same order. Probabilities are judged on `askings` and
    the lists `asked`, which are the same thing unless the occasions were chosen by events.
    `composed` are some lists by a language model, None where none composes.
    """

    occasions: Occasions
    model: Lists
    askings: Occasions
    asked: Lists
    single: Lists | None
    signals: Mapping[str, Sequence[Sequence[str]]]
    baselines: Sequence[Mapping[str, Standing]]
    composed: ComposedLists | None = None


@dataclass(frozen=True)
class _Table:
    """One row per occasion with a hit to find, over all rounds; all arrays have shape [n].

    `rules` holds NDCG@k by rule, `also` further metrics of the model.
    """

    user: NDArray[np.int64]
    until: NDArray[np.int64]
    stratum: NDArray[np.int64]
    history: NDArray[np.int64]
    rules: Mapping[str, Values]
    also: Mapping[str, Values]

    def mean(self, values: Values, seed: int, keep: NDArray[np.bool_] | None = None) -> Interval:
        rows = np.ones(len(values), bool) if keep is None else keep
        return mean_with_interval(values[rows], self.user[rows], self.stratum[rows], seed=seed)


def summarize(
    dataset: Dataset, goal: Goal, rounds: Sequence[Round], *, seed: int = 0
) -> TaskEvaluation:
    """Everything that is measured about one task; `rounds` must not be empty."""
    table = _concatenate([_table_of(dataset, goal, part) for part in rounds])
    first = rounds[0].occasions
    rules = {name: table.mean(values, seed) for name, values in table.rules.items()}
    model = table.rules["model"]
    against = {
        name: paired_difference(model, values, table.user, table.stratum, seed=seed)
        for name, values in table.rules.items()
        if name != "model"
    }
    ms = np.concatenate([part.model.ms for part in rounds])
    found = TaskEvaluation(
        task=goal.task,
        kind=goal.kind.name,
        k=first.k,
        until=[from_micros(part.occasions.until) for part in rounds],
        by_event=first.by_event,
        rules=rules,
        against=against,
        also={name: table.mean(values, seed) for name, values in table.also.items()},
        by_until=_by_until(table, seed),
        by_history=_by_history(table, seed),
        calibration=_calibration(goal, rounds),
        beyond=_beyond(dataset, goal, rounds),
        ms=_times(ms),
        asked=len(ms),
        composition=compare([p.composed for p in rounds if p.composed is not None], seed),
    )
    return replace(found, verdict=write_verdict(found))


def _table_of(dataset: Dataset, goal: Goal, part: Round) -> _Table:
    rows = np.flatnonzero(part.occasions.has_truth)
    occasions = part.occasions.take(rows)
    truths = [occasions.truth_ids(row, goal.kind) for row in range(len(occasions))]
    model = _standings([part.model.items[row] for row in rows.tolist()], truths)
    k = occasions.k

    def scored(standings: Sequence[Standing]) -> Values:
        return np.array([metrics.ndcg(standing, k) for standing in standings], np.float64)

    rules = {"model": scored(model)}
    if part.single is not None:
        rules["single"] = scored(_standings(part.single.items, truths))
    for name in ("random", "popular", "personal"):
        rules[name] = scored([standings[name] for standings in part.baselines])
    for name, lists in part.signals.items():
        rules[f"signal:{name}"] = scored(_standings(lists, truths))
    further: dict[str, Callable[[Standing], float]] = {
        f"recall@{k}": lambda standing: metrics.recall(standing, k),
        f"hit_rate@{k}": lambda standing: metrics.hit_rate(standing, k),
        f"mrr@{k}": metrics.reciprocal_rank,
    }
    also = {name: np.array([f(s) for s in model], np.float64) for name, f in further.items()}
    stratum = 0 if occasions.by_event else occasions.until
    return _Table(
        occasions.user.astype(np.int64),
        np.full(len(rows), occasions.until, np.int64),
        np.full(len(rows), stratum, np.int64),
        history_lengths(dataset, occasions),
        rules,
        also,
    )


def _standings(lists: Sequence[Sequence[str]], truths: Sequence[set[str]]) -> list[Standing]:
    return [standing_in_list(items, truth) for items, truth in zip(lists, truths, strict=True)]


def _concatenate(tables: Sequence[_Table]) -> _Table:
    """One table; a rule that some round lacks (a signal that found nothing) is NaN there."""

    def joined(columns: Sequence[Mapping[str, Values]]) -> dict[str, Values]:
        names = dict.fromkeys(name for part in columns for name in part)
        return {
            name: np.concatenate(
                [
                    part.get(name, np.full(len(table.user), np.nan))
                    for part, table in zip(columns, tables, strict=True)
                ]
            )
            for name in names
        }

    return _Table(
        np.concatenate([table.user for table in tables]),
        np.concatenate([table.until for table in tables]),
        np.concatenate([table.stratum for table in tables]),
        np.concatenate([table.history for table in tables]),
        joined([table.rules for table in tables]),
        joined([table.also for table in tables]),
    )


_MAIN = ("model", "single", "popular", "personal")


def _by_until(table: _Table, seed: int) -> dict[datetime, dict[str, Interval]]:
    shown = [name for name in _MAIN if name in table.rules]
    return {
        from_micros(until): {
            name: table.mean(table.rules[name], seed, table.until == until) for name in shown
        }
        for until in np.unique(table.until)
    }


def _by_history(table: _Table, seed: int) -> dict[str, dict[str, Interval]]:
    shown = [name for name in _MAIN if name in table.rules]
    groups = {}
    for group, (fewest, most) in HISTORY_GROUPS.items():
        inside = (table.history >= fewest) & (table.history <= most)
        groups[group] = {name: table.mean(table.rules[name], seed, inside) for name in shown}
    return groups


def _calibration(goal: Goal, rounds: Sequence[Round]) -> Calibration:
    """Probabilities of all shown items against what came true, users without a hit included."""
    predicted: list[float] = []
    came_true: list[bool] = []
    for part in rounds:
        for row, items in enumerate(part.asked.items):
            truth = part.askings.truth_ids(row, goal.kind)
            for item, probability in zip(items, part.asked.probability[row], strict=True):
                if not np.isnan(probability):
                    predicted.append(probability)
                    came_true.append(item in truth)
    bins = metrics.calibration_bins(predicted, came_true)
    moments = len({int(at) for part in rounds for at in part.askings.at})
    who = f"all users seen before, at {moments} moment{'s' if moments > 1 else ''}"
    return Calibration(
        bins=bins,
        error=metrics.calibration_error(bins),
        brier=metrics.brier(predicted, came_true),
        n=len(predicted),
        population=who,
    )


def _beyond(dataset: Dataset, goal: Goal, rounds: Sequence[Round]) -> BeyondAccuracy:
    """What the lists of all rounds are like; popularity is that of before each round's `until`."""
    kind, k = goal.kind, rounds[0].occasions.k
    shown = [
        np.array([kind.ids.index(item) for items in part.model.items for item in items], np.int64)
        for part in rounds
    ]
    weights = [len(numbers) for numbers in shown]
    novelty, popular = [], []
    for part, numbers in zip(rounds, shown, strict=True):
        counts, users = item_popularity(dataset, goal, part.occasions.until)
        novelty.append(metrics.novelty(numbers, users, len(dataset.catalog.users)))
        popular.append(metrics.popular_share(numbers, counts))
    lists = [items for part in rounds for items in part.model.items]
    labels = [names for part in rounds for names in part.model.labels]
    everything = np.concatenate(shown)
    return BeyondAccuracy(
        coverage=metrics.coverage(everything, len(kind)),
        novelty_bits=_weighted(novelty, weights),
        diversity=_mean([metrics.label_diversity(names) for names in labels]),
        popular_share=_weighted(popular, weights),
        gini=metrics.gini(np.bincount(everything, minlength=len(kind))),
        empty=sum(not items for items in lists),
        short=sum(0 < len(items) < k for items in lists),
    )


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def _weighted(values: Sequence[float], weights: Sequence[int]) -> float:
    known = [(value, weight) for value, weight in zip(values, weights, strict=True) if weight]
    total = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / total if known else float("nan")


def _times(ms: Values) -> dict[str, float]:
    if len(ms) == 0:
        return dict.fromkeys(("mean", "p50", "p99"), float("nan"))
    p50, p99 = np.quantile(ms, [0.5, 0.99])
    return {"mean": float(ms.mean()), "p50": float(p50), "p99": float(p99)}
