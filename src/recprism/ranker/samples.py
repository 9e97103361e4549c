"""Training samples: the lists that serving would have ranked, and what then came true.

In come a snapshot, the log and occasions, out go flat arrays of candidates. A list keeps all the
positives that retrieval found (none is added that it missed) and a sample of the rest, each
weighted by the inverse of its rate. Calibration uses whole lists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recprism.data.dataset import EventLog, FloatArray, IntArray, LongArray
from recprism.profiles.state import state_from_log
from recprism.ranker.features import FeatureSpec, make_features
from recprism.ranker.occasions import Occasions, goal_events, outcomes
from recprism.signals.plan import TaskPlan
from recprism.signals.shortlist import Binder, Shortlist, make_shortlist
from recprism.signals.snapshot import Snapshot

MOST_POSITIVES = 40
"""A list with more positives keeps so many of them, drawn at random."""

MOST = 60_000.0
"""Numbers are kept in half precision, which ends at 65,504."""

HalfArray = NDArray[np.float16]


@dataclass(frozen=True)
class Samples:
    """Lists of one task, candidates one after another.

    `numbers` [rows, f] float16 and `codes` [rows, k] int16 as in `Features`; `label` [rows] is 1
    for candidates that reached the goal, `weight` [rows] the inverse sampling rate; list i is
    `offsets[i]:offsets[i + 1]`; `user` and `time` [lists] tell whose and when; `hits` [lists]
    counts the outcomes there were to find, retrieved or not.
    """

    numbers: HalfArray
    codes: NDArray[np.int16]
    label: NDArray[np.int8]
    weight: FloatArray
    offsets: LongArray
    user: IntArray
    time: LongArray
    hits: IntArray

    def __len__(self) -> int:
        return len(self.user)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @staticmethod
    def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> Samples:
        return Samples(**{name: arrays[name] for name in Samples.__dataclass_fields__})

    @staticmethod
    def concatenate(parts: list[Samples]) -> Samples:
        """All lists of `parts`, in order; `parts` is not empty."""
        joined = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in Samples.__dataclass_fields__
            if name != "offsets"
        }
        sizes = np.concatenate([np.diff(part.offsets) for part in parts])
        joined["offsets"] = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return Samples(**joined)

    def between(self, start: int, end: int) -> Samples:
        """The lists with start <= time < end."""
        return self._take(np.flatnonzero((self.time >= start) & (self.time < end)))

    def without(self, users: IntArray) -> Samples:
        """The lists of all but `users`."""
        return self._take(np.flatnonzero(~np.isin(self.user, users)))

    def _take(self, keep: NDArray[np.int64]) -> Samples:
        """The lists at `keep`, ascending."""
        sizes = np.diff(self.offsets)
        rows = np.repeat(np.isin(np.arange(len(self)), keep), sizes)
        offsets = np.concatenate([[0], np.cumsum(sizes[keep])]).astype(np.int64)
        return Samples(
            self.numbers[rows],
            self.codes[rows],
            self.label[rows],
            self.weight[rows],
            offsets,
            self.user[keep],
            self.time[keep],
            self.hits[keep],
        )


@dataclass(frozen=True)
class Sampling:
    """How lists become samples.

    `shortlist` is the most candidates per list, `negatives` the most sampled ones (None keeps whole
    lists). With `only_hits`, occasions without an outcome are left out.
    """

    shortlist: int
    negatives: int | None
    only_hits: bool
    seed: int


def make_samples(
    spec: FeatureSpec,
    snapshot: Snapshot,
    log: EventLog,
    plans: Sequence[TaskPlan],
    occasions: Occasions,
    sampling: Sampling,
) -> dict[str, Samples]:
    """Samples of several tasks from one set of occasions, none of them before the snapshot.

    Only the user's own events before each occasion are folded in.
    """
    if len(occasions) and int(occasions.time.min()) < snapshot.at:
        raise ValueError("an occasion lies before its snapshot: that would leak the future")
    goals = {plan.name: goal_events(log, plan) for plan in plans}
    parts: dict[str, list[Samples]] = {plan.name: [] for plan in plans}
    for user_idx, time in zip(occasions.user.tolist(), occasions.time.tolist(), strict=True):
        reached = {
            plan.name: outcomes(goals[plan.name], user_idx, time, time + plan.horizon_us)
            for plan in plans
        }
        if sampling.only_hits and not any(map(len, reached.values())):
            continue
        binder = Binder(snapshot, state_from_log(log, user_idx, time))
        # Drawn per list, so that it does not matter how the lists are spread over processes.
        rng = np.random.default_rng((sampling.seed, time // 1_000_000, user_idx))
        for plan in plans:
            if sampling.only_hits and len(reached[plan.name]) == 0:
                continue
            one = _one_list(spec, binder, plan, reached[plan.name], sampling.shortlist)
            if one is not None:
                few = sampling.negatives
                parts[plan.name].append(one if few is None else _sampled(one, few, rng))
    return {
        name: Samples.concatenate(found) if found else _no_samples(spec)
        for name, found in parts.items()
    }


def _one_list(
    spec: FeatureSpec, binder: Binder, plan: TaskPlan, reached: IntArray, limit: int
) -> Samples | None:
    """The whole shortlist of one occasion; None when nothing may be shown."""
    user, shortlist = binder.user, make_shortlist(binder, plan, limit)
    n = len(shortlist)
    if n == 0:
        return None
    features = make_features(spec, binder, shortlist, plan)
    shown = plan.underlying[shortlist.candidates.item - plan.kind.start]
    return Samples(
        np.clip(features.numbers, -MOST, MOST).astype(np.float16),
        features.codes.astype(np.int16),
        np.isin(shown, reached).astype(np.int8),
        np.ones(n, np.float32),
        np.array([0, n], np.int64),
        np.array([user.user_idx], np.int32),
        np.array([user.at], np.int64),
        np.array([_findable(shortlist, plan, reached)], np.int32),
    )


def _findable(shortlist: Shortlist, plan: TaskPlan, reached: IntArray) -> int:
    """How many outcomes were among the items there were to choose from."""
    if shortlist.eligible is None:
        return len(reached)
    return int(np.isin(plan.underlying[shortlist.eligible - plan.kind.start], reached).sum())


def _sampled(one: Samples, negatives: int, rng: np.random.Generator) -> Samples:
    """Keep the positives and at most `negatives` of the rest, weighted by the inverse rate."""
    positive, rest = np.flatnonzero(one.label == 1), np.flatnonzero(one.label == 0)
    weight = one.weight.copy()
    for group, most in ((positive, MOST_POSITIVES), (rest, negatives)):
        if len(group) > most:
            weight[group] = len(group) / most
    if len(positive) > MOST_POSITIVES:
        positive = rng.choice(positive, MOST_POSITIVES, replace=False)
    if len(rest) > negatives:
        rest = rng.choice(rest, negatives, replace=False)
    rows = np.sort(np.concatenate([positive, rest]))
    return Samples(
        one.numbers[rows],
        one.codes[rows],
        one.label[rows],
        weight[rows],
        np.array([0, len(rows)], np.int64),
        one.user,
        one.time,
        one.hits,
    )


def _no_samples(spec: FeatureSpec) -> Samples:
    nothing = np.zeros(0, np.int32)
    return Samples(
        np.zeros((0, len(spec.numbers)), np.float16),
        np.zeros((0, len(spec.codes)), np.int16),
        np.zeros(0, np.int8),
        np.zeros(0, np.float32),
        np.zeros(1, np.int64),
        nothing,
        np.zeros(0, np.int64),
        nothing,
    )
