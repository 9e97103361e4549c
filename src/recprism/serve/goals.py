"""Which shows were followed by the goal of their task: what exploration and experiments count.

In come one user's shows and events, out go the shows that came to something. The goal of an item
with `via` is reached on what it leads to, as in training; an event belongs to one show per task
(see `outcomes.py`), within the task's horizon.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import takewhile

from recprism.data.dataset import UNKNOWN
from recprism.engine.exploring import Tallies, Tally
from recprism.model import Model
from recprism.records import Event
from recprism.serve.outcomes import everyone, find_show
from recprism.store import Impression, Store

SINCE: timedelta = timedelta(days=90)
"""What was shown earlier tells little of today."""

Goal = tuple[str, str, str]
"""Kind, item and action of an event."""


class Goals:
    """The goals of the tasks of a model.

    On another clock than the real one, an event counts for a show only where it names the request.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._is_wall = model.project.clock == "wall"
        self.of = lru_cache(100_000)(self._find)

    def reached(self, shown: Sequence[Impression], events: Iterable[Event]) -> set[Impression]:
        """Those of one user's shows that their goal followed."""
        of_goal: dict[Goal, dict[str, list[Impression]]] = defaultdict(lambda: defaultdict(list))
        for one in shown:
            goal = self.of(one.task, one.item)
            if goal is not None:
                of_goal[goal][one.task].append(one)
        found = set()
        for event in events:
            for task, some in of_goal.get((event.kind, event.item, event.action), {}).items():
                match = find_show(some, event, self.horizon(task) if self._is_wall else None)
                if match is not None:
                    found.add(match)
        return found

    def horizon(self, task: str) -> timedelta:
        """How long after a show the goal still counts."""
        return self._model.plans[task].spec.horizon

    def _find(self, task: str, item: str) -> Goal | None:
        """The event that an item is shown for; None without a goal, and where it is shown for
        another item but not known. One that came after training is shown for itself."""
        plan = self._model.plans.get(task)
        if plan is None or plan.spec.goal is None:
            return None
        number = plan.kind.ids.index(item)
        if number == UNKNOWN:
            is_itself = plan.spec.via is None
            return (plan.kind.name, item, plan.spec.goal) if is_itself else None
        stands_for = int(plan.underlying[number])
        kind = self._model.catalog.kind_of(stands_for)
        return kind.name, kind.ids[stands_for - kind.start], plan.spec.goal


def count_tallies(
    store: Store, model: Model, now: datetime, is_over: Callable[[], bool] = lambda: False
) -> Tallies:
    """What came of each item by task, of shows that are older than the task's horizon at `now`
    (real time, UTC): younger ones may still come to something.

    Reading a large store takes a while; it ends early, with what it has, once `is_over` says so.
    """
    goals = Goals(model)
    shows: dict[str, dict[str, list[int]]] = defaultdict(dict)
    for user in takewhile(lambda _: not is_over(), everyone(store)):
        shown = [
            one
            for one in store.impressions_of(user, now - SINCE)
            if goals.of(one.task, one.item) is not None
            and one.time + goals.horizon(one.task) <= now
        ]
        if not shown:
            continue
        reached = goals.reached(shown, store.events_of(user))
        for one in shown:
            tally = shows[one.task].setdefault(one.item, [0, 0])
            tally[0] += 1
            tally[1] += one in reached
    return {
        task: {item: Tally(*counted) for item, counted in of_task.items()}
        for task, of_task in shows.items()
    }
