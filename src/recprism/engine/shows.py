"""Frequency caps across answers: what was shown before, and the right to show something again.

In come ranked tasks, out goes what is shown of them. The decision worth knowing: reading what was
shown and writing what will be are two steps, and other requests of the same user may come between.
So the store decides, in one transaction, what may still be shown; what it refuses is left out and
the lists are chosen again. A place that was reserved and then went to another item counts as shown,
so that a cap may end early by one in such a race, and is never exceeded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from recprism.data.dataset import UNKNOWN, Catalog
from recprism.engine.exploring import Explorer
from recprism.engine.ranking import Ranked
from recprism.engine.recommend import Shown, choose, slots_of
from recprism.lists import Picks, within_cap
from recprism.model import Model
from recprism.signals.plan import TaskPlan
from recprism.store import Impression, Limit, ShowStore

PERIODS: Final = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}
"""A cap counts what was shown in the last hour, day or week before the request."""
ROUNDS: Final = 4
"""So often lists are chosen again before what the store refuses is left out without a successor."""


class Shows:
    """The caps of one request of `user`, at `now` on the real clock (UTC).

    What `explorer` puts into lists is capped like everything else.
    """

    def __init__(
        self,
        store: ShowStore,
        plans: Sequence[TaskPlan],
        user: str,
        now: datetime,
        catalog: Catalog,
        explorer: Explorer | None = None,
    ) -> None:
        self._store, self._user, self._now = store, user, now
        self._catalog, self._explorer = catalog, explorer
        self._limits = {
            plan.name: Limit(shows=cap.shows, since=now - PERIODS[cap.per])
            for plan in plans
            if (cap := plan.spec.cap) is not None
        }
        self._earlier = self._count(plans)
        self._reserved: set[tuple[str, str]] = set()

    @property
    def tasks(self) -> frozenset[str]:
        """The tasks with a cap; what they show is recorded here and nowhere else."""
        return frozenset(self._limits)

    @property
    def n_full(self) -> int:
        """How many items, over all tasks, may not be shown again now."""
        return sum(
            shown >= self._limits[task].shows
            for task, earlier in self._earlier.items()
            for shown in earlier.values()
        )

    def choose(
        self,
        model: Model,
        ranked: Sequence[Ranked],
        size: int | None,
        request_id: str,
        artifact: str,
    ) -> list[Shown]:
        """What each list shows, reserved in the store where a cap counts it."""
        for _ in range(ROUNDS):
            shown = choose(model, [self._open(one) for one in ranked], size)
            if self._explorer is not None:
                shown = self._explorer.explore(shown)
            if self._reserve(model, shown, request_id, artifact):
                return shown
        return [self._without_refused(one) for one in shown]

    def _count(self, plans: Sequence[TaskPlan]) -> dict[str, Counter[int]]:
        """How often each item (item_idx) was shown in the period of each task with a cap."""
        counted: dict[str, Counter[int]] = {name: Counter() for name in self._limits}
        if not counted:
            return counted
        since = min(limit.since for limit in self._limits.values())
        shown = self._store.impressions_of(self._user, since)
        for plan in plans:
            limit = self._limits.get(plan.name)
            if limit is None:
                continue
            for one in shown:
                own = one.kind == plan.kind.name
                item = self._catalog.index(one.kind, one.item) if own else UNKNOWN
                if item != UNKNOWN and one.time >= limit.since:
                    counted[plan.name][item] += 1
        return counted

    def _open(self, ranked: Ranked) -> Ranked:
        """The candidates that the cap lets through."""
        earlier = self._earlier.get(ranked.plan.name)
        if not earlier:
            return ranked
        keep = within_cap(ranked.candidates.item, ranked.plan.spec.cap, earlier)
        return ranked if keep.all() else ranked.take(keep)

    def _reserve(
        self, model: Model, shown: Sequence[Shown], request_id: str, artifact: str
    ) -> bool:
        """Reserve what is shown and not reserved yet; whether all of it may be shown."""
        wanted: list[Impression] = []
        places: list[tuple[str, int]] = []
        for one in shown:
            if one.ranked.plan.name not in self._limits:
                continue
            for impression, item in self._impressions(model, one, request_id, artifact):
                if (impression.task, impression.item) not in self._reserved:
                    wanted.append(impression)
                    places.append((impression.task, item))
        allowed = self._store.reserve(wanted, self._limits) if wanted else []
        for may, impression, (task, item) in zip(allowed, wanted, places, strict=True):
            if may:
                self._reserved.add((task, impression.item))
            else:
                self._earlier[task][item] = self._limits[task].shows
        return all(allowed)

    def _impressions(
        self, model: Model, one: Shown, request_id: str, artifact: str
    ) -> list[tuple[Impression, int]]:
        plan, slots = one.ranked.plan, slots_of(model, one)
        places = one.picks.positions
        items = one.ranked.candidates.item[places].tolist()
        return [
            (
                Impression(
                    user=self._user,
                    time=self._now,
                    request_id=request_id,
                    task=plan.name,
                    kind=plan.kind.name,
                    item=self._catalog.item_id(item),
                    position=position,
                    slot=slot,
                    artifact=artifact,
                    propensity=one.propensity.get(places[position], 1.0),
                    experiment=plan.experiment,
                    arm=plan.arm,
                ),
                item,
            )
            for position, (item, slot) in enumerate(zip(items, slots, strict=True))
        ]

    def _without_refused(self, one: Shown) -> Shown:
        plan, picks = one.ranked.plan, one.picks
        if plan.name not in self._limits:
            return one
        items = one.ranked.candidates.item[picks.positions].tolist()
        ids = [self._catalog.item_id(item) for item in items]
        kept = [i for i, item in enumerate(ids) if (plan.name, item) in self._reserved]
        positions = [picks.positions[i] for i in kept]
        return replace(one, picks=Picks(picks.task, positions, [picks.also[i] for i in kept]))
