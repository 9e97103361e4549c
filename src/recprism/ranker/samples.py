"""Training samples: the lists that serving would have ranked, and what then came true.

In come a snapshot, the log and occasions, out go flat arrays of candidates. A list keeps all the
positives that retrieval found (none is added that it missed) and a sample of the rest, each
weighted by the inverse of its rate. Calibration uses whole lists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from recprism.data.dataset import EventLog, FloatArray, IntArray, LongArray
from recprism.profiles.state import state_from_log
from recprism.ranker.features import FeatureSpec, make_features
from recprism.ranker.occasions import Occasions, action_events, outcomes
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

    `numbers` [rows, f] float16 and `codes` [rows, k] int16 as in `Features`; `item` [rows] is the
    item_idx; `label` [rows] is 1 for candidates that reached the goal, `earlier` [rows, s] for each
    action of the funnel before it (s = 0 without a funnel) 1 for those that reached it or a later
    one; `weight` [rows] is the inverse sampling rate; list i is `offsets[i]:offsets[i + 1]`; `user`
    and `time` [lists] tell whose and when; `hits` [lists] counts the outcomes there were to find,
    retrieved or not.
    """

    numbers: HalfArray
    codes: NDArray[np.int16]
    item: IntArray
    label: NDArray[np.int8]
    earlier: NDArray[np.int8]
    weight: FloatArray
    offsets: LongArray
    user: IntArray
    time: LongArray
    hits: IntArray

    def __len__(self) -> int:
        return len(self.user)

    @property
    def reached(self) -> NDArray[np.int8]:
        """Which actions each candidate reached, in order, the goal last: [rows, 1 + s]."""
        return np.column_stack([self.earlier, self.label])

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
        rows = np.flatnonzero(np.repeat(np.isin(np.arange(len(self)), keep), sizes))
        return replace(
            self.take_rows(rows),
            offsets=np.concatenate([[0], np.cumsum(sizes[keep])]).astype(np.int64),
            user=self.user[keep],
            time=self.time[keep],
            hits=self.hits[keep],
        )

    def take_rows(self, rows: LongArray) -> Samples:
        """Some candidates; the caller sees to the lists that they make."""
        taken = {name: getattr(self, name)[rows] for name in _PER_ROW}
        return replace(self, **taken)


_PER_ROW = ("numbers", "codes", "item", "label", "earlier", "weight")


@dataclass(frozen=True)
class Sampling:
    """How lists become samples.

    `shortlist` is the most candidates per list, `negatives` the most sampled ones (None keeps whole
    lists). With `only_hits`, occasions without an outcome, on any action of the funnel, are left
    out.
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
    events = {plan.name: [action_events(log, plan, a) for a in plan.actions] for plan in plans}
    users = snapshot.setting.catalog.users.ids
    parts: dict[str, list[Samples]] = {plan.name: [] for plan in plans}
    for user_idx, time in zip(occasions.user.tolist(), occasions.time.tolist(), strict=True):
        reached = {
            plan.name: [
                outcomes(of_action, user_idx, time, time + plan.horizon_us)
                for of_action in events[plan.name]
            ]
            for plan in plans
        }
        asked = [
            plan for plan in plans if not sampling.only_hits or any(map(len, reached[plan.name]))
        ]
        if not asked:
            continue
        binder = Binder(snapshot, state_from_log(log, user_idx, time))
        # Drawn per list: neither other users nor the spread over processes may matter.
        name = crc32(users[user_idx].encode())
        rng = np.random.default_rng((sampling.seed, time // 1_000_000, name))
        for plan in asked:
            one = _one_list(spec, binder, plan, reached[plan.name], sampling.shortlist)
            if one is not None:
                few = sampling.negatives
                parts[plan.name].append(one if few is None else _sampled(one, few, rng))
    return {
        plan.name: Samples.concatenate(found) if found else _no_samples(spec, plan)
        for plan, found in zip(plans, parts.values(), strict=True)
    }


def _one_list(
    spec: FeatureSpec, binder: Binder, plan: TaskPlan, reached: list[IntArray], limit: int
) -> Samples | None:
    """The whole shortlist of one occasion; None when nothing may be shown.

    `reached` holds the items of each action, the goal last.
    """
    user, shortlist = binder.user, make_shortlist(binder, plan, limit)
    n = len(shortlist)
    if n == 0:
        return None
    features = make_features(spec, binder, shortlist, plan)
    shown = plan.underlying[shortlist.candidates.item - plan.kind.start]
    on_action = np.stack([np.isin(shown, items) for items in reached], axis=1)
    # Who bought has seen, recorded or not: reaching an action is reaching all before it.
    far = np.maximum.accumulate(on_action[:, ::-1], axis=1)[:, ::-1].astype(np.int8)
    return Samples(
        numbers=np.clip(features.numbers, -MOST, MOST).astype(np.float16),
        codes=features.codes.astype(np.int16),
        item=shortlist.candidates.item.astype(np.int32),
        label=np.ascontiguousarray(far[:, -1]),
        earlier=np.ascontiguousarray(far[:, :-1]),
        weight=np.ones(n, np.float32),
        offsets=np.array([0, n], np.int64),
        user=np.array([user.user_idx], np.int32),
        time=np.array([user.at], np.int64),
        hits=np.array([_findable(shortlist, plan, reached[-1])], np.int32),
    )


def _findable(shortlist: Shortlist, plan: TaskPlan, reached: IntArray) -> int:
    """How many outcomes were among the items there were to choose from."""
    if shortlist.eligible is None:
        return len(reached)
    return int(np.isin(plan.underlying[shortlist.eligible - plan.kind.start], reached).sum())


def _sampled(one: Samples, negatives: int, rng: np.random.Generator) -> Samples:
    """Keep the positives and at most `negatives` of the rest, weighted by the inverse rate.

    Of candidates that came as far as an earlier action of the funnel, as many are kept as of
    positives.
    """
    depth = one.reached.sum(axis=1)
    whole, last = np.arange(len(depth)), one.earlier.shape[1] + 1
    positive, rest = whole[depth == last], whole[depth == 0]
    groups = [(positive, MOST_POSITIVES), (rest, negatives)]
    if last > 1:
        groups.insert(1, (whole[(depth > 0) & (depth < last)], MOST_POSITIVES))
    weight, kept = one.weight.copy(), []
    for group, most in groups:
        if len(group) > most:
            weight[group] = len(group) / most
        kept.append(rng.choice(group, most, replace=False) if len(group) > most else group)
    rows = np.sort(np.concatenate(kept))
    offsets = np.array([0, len(rows)], np.int64)
    return replace(replace(one, weight=weight).take_rows(rows), offsets=offsets)


def _no_samples(spec: FeatureSpec, plan: TaskPlan) -> Samples:
    nothing = np.zeros(0, np.int32)
    return Samples(
        numbers=np.zeros((0, len(spec.numbers)), np.float16),
        codes=np.zeros((0, len(spec.codes)), np.int16),
        item=nothing,
        label=np.zeros(0, np.int8),
        earlier=np.zeros((0, len(plan.actions) - 1), np.int8),
        weight=np.zeros(0, np.float32),
        offsets=np.zeros(1, np.int64),
        user=nothing,
        time=np.zeros(0, np.int64),
        hits=nothing,
    )
