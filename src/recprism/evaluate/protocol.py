"""Who is asked when, and what would have been right: hold-outs in time, without a look ahead.

In come a `Dataset` with all events and the `evaluate` section of the project file; out go
`Occasions`. The one decision worth knowing: an occasion knows only its user, its moment and its
truth. What was known before the moment is left to whoever answers, so that the engine, the
baselines and a script from outside are all asked the same.

Times are int64 microseconds on the naive clock of the sources; items are global `item_idx`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from recprism.data.dataset import (
    DAY_US,
    Catalog,
    Dataset,
    EventLog,
    Grouped,
    IntArray,
    KindTable,
    Links,
    LongArray,
)
from recprism.data.times import to_micros
from recprism.errors import DataError, UnknownName
from recprism.lists.eligibility import Candidates, eligible
from recprism.project.schema import EvaluateTask, ProjectFile


@dataclass(frozen=True)
class Goal:
    """What counts as success in a task: `action` (a code) on an item of `kind`.

    With a `link` (the task's `via`) success is the action on the item that the link leads to.
    """

    task: str
    kind: KindTable
    action: int
    link: Links | None
    horizon_us: int

    def events(self, log: EventLog, catalog: Catalog) -> NDArray[np.bool_]:
        """Which events of `log` [m] reach the goal on some item."""
        kind = self.kind if self.link is None else catalog.kinds[self.link.kind]
        inside = (log.item >= kind.start) & (log.item < kind.stop)
        return np.asarray(inside & (log.action == self.action))


@dataclass(frozen=True)
class HoldOut:
    """Where the past of one task ends (`until`, ascending), when it is asked, and the cut-off."""

    task: str
    until: tuple[int, ...]
    by_event: bool
    k: int


@dataclass(frozen=True)
class Occasions:
    """The questions of one task to one artifact, and what would have been right.

    `user` [n] are user_idx, `at` [n] microseconds (never before `until`); `truth.of(row)` are the
    global item_idx that reached the goal. Rows without truth are users who were asked and did
    nothing: they count for calibration, not for the metric.
    """

    task: str
    until: int
    at: LongArray
    user: IntArray
    truth: Grouped
    k: int
    by_event: bool

    def __len__(self) -> int:
        return len(self.user)

    @property
    def has_truth(self) -> NDArray[np.bool_]:
        """Which rows [n] have at least one hit to find."""
        return np.diff(self.truth.offsets) > 0

    def truth_ids(self, row: int, kind: KindTable) -> set[str]:
        """Outside ids of the true items of one row."""
        return {kind.ids[item - kind.start] for item in self.truth.of(row)}

    def of_users(self, n: int, seed: int) -> Occasions:
        """All occasions of `n` users drawn at random; everything when there are no more users."""
        users = np.unique(self.user)
        if len(users) <= n:
            return self
        drawn = np.random.default_rng(seed).choice(users, size=n, replace=False)
        return self.take(np.flatnonzero(np.isin(self.user, drawn)))

    def take(self, rows: LongArray) -> Occasions:
        """The occasions `rows`, in that order."""
        values, starts = self.truth.gather(rows.astype(np.int32))
        offsets = np.append(starts, len(values)).astype(np.int64)
        truth = Grouped(offsets, values)
        return Occasions(
            self.task, self.until, self.at[rows], self.user[rows], truth, self.k, self.by_event
        )


def find_goal(spec: ProjectFile, catalog: Catalog, task: str) -> Goal | None:
    """The goal of `task`, None when it has none.

    Raises `UnknownName` for a task that the project does not have.
    """
    if task not in spec.tasks:
        raise UnknownName("task", task, spec.tasks)
    wanted = spec.tasks[task]
    if wanted.goal is None:
        return None
    kind = catalog.kinds[wanted.recommend]
    link = None if wanted.via is None else kind.links[wanted.via]
    horizon = wanted.horizon // timedelta(microseconds=1)
    return Goal(task, kind, list(catalog.actions).index(wanted.goal), link, horizon)


def find_hold_out(spec: ProjectFile, dataset: Dataset, goal: Goal) -> HoldOut:
    """The hold-out of a task: as written under `evaluate`, else its last horizon.

    Without a section the past ends one horizon before the last event, and the task is asked as
    its `ask` says; tasks asked on days of events get the last 28 horizons, for they are rare.
    Raises `DataError` when nobody reached the goal at all.
    """
    written = spec.evaluate.get(goal.task)
    if written is not None:
        return _as_written(goal.task, written)
    times = dataset.events.time[goal.events(dataset.events, dataset.catalog)]
    if len(times) == 0:
        raise DataError(
            f"task `{goal.task}`",
            "no event reaches its goal, so nothing can be held out.",
            "Check `goal` and `via` of the task, or evaluate other tasks.",
        )
    by_event = spec.tasks[goal.task].ask == "events"
    span = goal.horizon_us * (28 if by_event else 1)
    end = int(dataset.events.time.max()) + 1
    return HoldOut(goal.task, (end - span,), by_event, spec.tasks[goal.task].size)


def _as_written(task: str, written: EvaluateTask) -> HoldOut:
    until = tuple(sorted({to_micros(time) for time in written.until}))
    return HoldOut(task, until, written.at == "events", written.k)


def default_context(catalog: Catalog, events: EventLog, user: int, at: int) -> dict[str, int]:
    """Each context's most frequent code among the user's events before `at`, ties to the smaller.

    A context that the user has never been seen in is absent.
    """
    span = events.span(user, before=at)
    found = {}
    for name in catalog.contexts:
        codes = events.context[name][span]
        codes = codes[codes >= 0]
        if len(codes):
            found[name] = int(np.bincount(codes).argmax())
    return found


def candidates_for(dataset: Dataset, kind: KindTable, user: int, at: int) -> Candidates | None:
    """What may be shown to `user` at `at` in the user's usual context; None for every item."""
    context = default_context(dataset.catalog, dataset.events, user, at)
    return eligible(kind, user, at, context)


def build_occasions(dataset: Dataset, goal: Goal, hold_out: HoldOut) -> list[Occasions]:
    """The occasions of `hold_out`, one `Occasions` for each time in `until`.

    Asked by day of event, each artifact answers the days up to the next `until` (the last one to
    the end of the data), so that several times make a rolling origin. Users whose context leaves
    no candidate for a task with `via` are left out.
    """
    found = []
    ends = [*hold_out.until[1:], int(dataset.events.time.max(initial=0)) + 1]
    for until, end in zip(hold_out.until, ends, strict=True):
        if hold_out.by_event:
            user, at = _event_days(dataset, goal, until, end)
        else:
            user = _known_or_reaching(dataset, goal, until)
            at = np.full(len(user), until, np.int64)
        rows = list(find_truth(dataset, goal, user, at))
        keep = np.array([row for row, _ in rows], dtype=np.int64)
        truth = _grouped([items for _, items in rows])
        found.append(
            Occasions(goal.task, until, at[keep], user[keep], truth, hold_out.k, hold_out.by_event)
        )
    return found


def build_askings(dataset: Dataset, goal: Goal, hold_out: HoldOut) -> list[Occasions]:
    """Everyone who can be shown something, asked at moments that no event chose.

    One `Occasions` for each `until` of a hold-out by event. A probability says how likely the goal
    is after any request, so it cannot be judged on days that are known to have a goal event. The
    moments are `until` and, in a longer span, the last week that its horizon fits into.
    """
    found = []
    ends = [*hold_out.until[1:], int(dataset.events.time.max(initial=0)) + 1]
    for until, end in zip(hold_out.until, ends, strict=True):
        weeks = np.arange(until, end - goal.horizon_us + 1, 7 * DAY_US)
        moments = np.unique(weeks[[0, -1]]) if len(weeks) else weeks
        known = np.unique(dataset.events.user[dataset.events.time < until]).astype(np.int32)
        pairs = [
            (user, at)
            for at in moments.tolist()
            for user in known.tolist()
            if _has_candidates(dataset, goal.kind, user, at)
        ]
        users = np.array([user for user, _ in pairs], np.int32)
        times = np.array([at for _, at in pairs], np.int64)
        truth = _grouped([items for _, items in find_truth(dataset, goal, users, times)])
        found.append(Occasions(goal.task, until, times, users, truth, hold_out.k, by_event=False))
    return found


def _has_candidates(dataset: Dataset, kind: KindTable, user: int, at: int) -> bool:
    candidates = candidates_for(dataset, kind, user, at)
    return candidates is None or len(candidates.item) > 0


def _grouped(rows: list[IntArray]) -> Grouped:
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    values = np.concatenate(rows) if rows else np.zeros(0, np.int32)
    return Grouped(offsets, values.astype(np.int32))


def _event_days(dataset: Dataset, goal: Goal, until: int, end: int) -> tuple[IntArray, LongArray]:
    """Each (user, start of day) with a goal event in [until, end), by user, then day."""
    log = dataset.events
    mask = goal.events(log, dataset.catalog) & (log.time >= until) & (log.time < end)
    day = np.maximum(log.time[mask] // DAY_US * DAY_US, until)
    pairs = np.unique(np.stack([log.user[mask].astype(np.int64), day]), axis=1)
    return pairs[0].astype(np.int32), pairs[1]


def _known_or_reaching(dataset: Dataset, goal: Goal, until: int) -> IntArray:
    """Users seen before `until`, and those who reach the goal within the horizon after it."""
    log = dataset.events
    within = (log.time >= until) & (log.time < until + goal.horizon_us)
    reaching = goal.events(log, dataset.catalog) & within
    return np.unique(log.user[reaching | (log.time < until)]).astype(np.int32)


def find_truth(
    dataset: Dataset, goal: Goal, user: IntArray, at: LongArray
) -> Iterable[tuple[int, IntArray]]:
    """(row, true item_idx) of each occasion that has something to choose from.

    `user` and `at` have shape [n]; rows without any candidate of a task with `via` do not appear.
    """
    log = dataset.events
    reached = goal.events(log, dataset.catalog)
    sources = None if goal.link is None else reverse_links(goal.link, dataset.catalog.n_items)
    for row, (who, when) in enumerate(zip(user.tolist(), at.tolist(), strict=True)):
        before = log.span(who, before=when).stop
        span = slice(before, log.span(who, before=when + goal.horizon_us).stop)
        items = np.unique(log.item[span][reached[span]])
        if goal.link is None or sources is None:
            yield row, items
            continue
        candidates = candidates_for(dataset, goal.kind, who, when)
        if candidates is not None and len(candidates.item) == 0:
            continue
        yield row, _leading_to(goal.kind, goal.link, candidates, sources.gather(items)[0])


def reverse_links(link: Links, n_items: int) -> Grouped:
    """For each global item_idx, the rows of `link` that lead to it."""
    counts = np.diff(link.targets.offsets)
    rows = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    return Grouped.build(link.targets.values, rows, n_items)


def link_rows(kind: KindTable, link: Links, candidates: Candidates | None) -> LongArray:
    """The row of `link` that belongs to each candidate (to each item when None), int64."""
    if candidates is None:
        return np.arange(len(kind), dtype=np.int64)
    rows = candidates.offer_row if link.by_offer else candidates.item - kind.start
    return rows.astype(np.int64)


def _leading_to(
    kind: KindTable, link: Links, candidates: Candidates | None, rows: IntArray
) -> IntArray:
    """The candidates' item_idx whose row of `link` is among `rows`, ascending."""
    true = np.isin(link_rows(kind, link, candidates), rows)
    if candidates is None:
        return (np.flatnonzero(true) + kind.start).astype(np.int32)
    return np.unique(candidates.item[true]).astype(np.int32)


def history_lengths(dataset: Dataset, occasions: Occasions) -> LongArray:
    """Number of events of each occasion's user before its moment, shape [n]."""
    log = dataset.events
    spans = (
        log.span(who, before=when)
        for who, when in zip(occasions.user.tolist(), occasions.at.tolist(), strict=True)
    )
    return np.array([span.stop - span.start for span in spans], dtype=np.int64)


HISTORY_GROUPS: Mapping[str, tuple[int, int]] = {
    "0": (0, 0),
    "1-3": (1, 3),
    "4-10": (4, 10),
    "11+": (11, np.iinfo(np.int64).max),
}
"""Groups of users by number of earlier events: name to (fewest, most)."""
