"""A task of the project file, compiled against a catalog: names become codes and ranges."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from recprism.data.dataset import UNKNOWN, BoolArray, Catalog, IntArray, KindTable, Links
from recprism.errors import UnknownName
from recprism.lists.eligibility import Candidates
from recprism.lists.formula import Formula, compile_formula
from recprism.lists.merge import underlying_items
from recprism.lists.policy import Policy, compile_policy
from recprism.profiles.state import UserState
from recprism.project.schema import ProjectFile, RepeatAfter, Task
from recprism.signals.interface import Goal


@dataclass(frozen=True)
class TaskPlan:
    """One list to recommend, ready for arrays.

    `goal` names the events that count: for a task with `via`, events on the items linked to.
    `links` is what a candidate borrows from: the `via` link, else the first link of its kind.
    `underlying` [len(kind)] is what each item stands for (an ad for its product, else itself).
    `funnel` are the actions that lead to the goal, in order, on the kind of the goal.
    `formula` orders the list where the task has a `score`. `beside` is the same task for items
    that came after training, None where there are none. `experiment` and `arm` say which one the
    list of this request is part of.
    """

    name: str
    spec: Task
    kind: KindTable
    goal: Goal
    links: Links | None
    policy: Policy
    underlying: IntArray
    funnel: tuple[int, ...] = ()
    formula: Formula | None = None
    beside: TaskPlan | None = None
    experiment: str | None = None
    arm: str | None = None

    @property
    def actions(self) -> tuple[int, ...]:
        """The actions of the funnel and, last, the goal."""
        return (*self.funnel, self.goal.action)

    @property
    def has_goal(self) -> bool:
        return self.goal.action >= 0

    @property
    def horizon_us(self) -> int:
        return int(self.spec.horizon.total_seconds() * 1_000_000)

    def link_rows(self, candidates: Candidates) -> IntArray:
        """Row into `links.targets` of each candidate [n]."""
        if self.links is not None and self.links.by_offer:
            return candidates.offer_row.astype(np.int32)
        return candidates.item - np.int32(self.kind.start)

    def is_trained(self, items: IntArray) -> BoolArray:
        """Which of the task's `items` [n] training knew."""
        return np.asarray(items < self.kind.stop)

    def stands_for(self, items: IntArray) -> IntArray:
        """What each of the task's `items` [n] stands for; a newcomer for itself."""
        rows = items - np.int32(self.kind.start)
        if self.beside is None:
            return np.asarray(self.underlying[rows])
        out, trained = items.copy(), self.is_trained(items)
        out[trained] = self.underlying[rows[trained]]
        return out

    def admit(self, candidates: Candidates, user: UserState) -> Candidates:
        """The candidates that the task's rules and the user's wish let through."""
        return self.admit_by_rules(self.admit_by_wish(candidates, user), user)

    def admit_by_wish(self, candidates: Candidates, user: UserState) -> Candidates:
        """The candidates that the wish does not rule out, nor what they stand for."""
        if user.barred is None:
            return candidates
        underlying = self.underlying[candidates.item - np.int32(self.kind.start)]
        keep = ~(user.barred[candidates.item] | user.barred[underlying])
        return candidates.take(keep)

    def admit_by_rules(self, candidates: Candidates, user: UserState) -> Candidates:
        """The candidates that the task's rules let through."""
        if user.hidden is not None:
            underlying = self.underlying[candidates.item - np.int32(self.kind.start)]
            gone = user.hidden[candidates.item] | user.hidden[underlying]
            candidates = candidates.take(~gone)
        if len(user.dismissed):
            candidates = self._undismissed(candidates, user)
        if self.policy.is_open:
            return candidates
        goal, new = user.action == self.goal.action, user.new_action == self.goal.action
        item, time = user.item[goal], user.time[goal]
        if new.any():
            item = np.concatenate([item, user.new_item[new]])
            time = np.concatenate([time, user.new_time[new]])
        keep = self.policy.allowed(candidates, item, time, user.at)
        return candidates if keep.all() else candidates.take(keep)

    def _undismissed(self, candidates: Candidates, user: UserState) -> Candidates:
        """The candidates that the user did not dismiss of late, nor what they stand for."""
        rule, away = self.spec.dismissed, user.dismissed
        if rule == "allow":
            return candidates
        if isinstance(rule, RepeatAfter):
            span_us = int(rule.after.total_seconds() * 1_000_000)
            away = away[user.at - user.dismissed_time < span_us]
        underlying = self.underlying[candidates.item - np.int32(self.kind.start)]
        return candidates.take(~(np.isin(candidates.item, away) | np.isin(underlying, away)))


def compile_task(name: str, project: ProjectFile, catalog: Catalog) -> TaskPlan:
    """The plan of one task.

    Raises `UnknownName` when the project has no such task.
    """
    if name not in project.tasks:
        raise UnknownName("task", name, project.tasks)
    spec = project.tasks[name]
    kind = catalog.kinds[spec.recommend]
    links = kind.links[spec.via] if spec.via else next(iter(kind.links.values()), None)
    of = kind
    if spec.via is not None and links is not None:
        first = links.targets.values[:1]
        of = catalog.kind_of(int(first[0])) if len(first) else kind
    codes = {action: code for code, action in enumerate(catalog.actions)}
    goal = Goal(UNKNOWN if spec.goal is None else codes.get(spec.goal, UNKNOWN), of.start, of.stop)
    underlying = underlying_items(kind, spec.via)
    funnel = tuple(codes.get(action, UNKNOWN) for action in spec.funnel)
    return TaskPlan(
        name,
        spec,
        kind,
        goal,
        links,
        compile_policy(kind, spec),
        underlying,
        funnel,
        compile_formula(spec, kind, of, underlying),
    )


def with_newcomers(plan: TaskPlan, newcomers: KindTable) -> TaskPlan:
    """`plan` with items beside those of its kind: the same rules for items without links."""
    own = np.arange(newcomers.start, newcomers.stop, dtype=np.int32)
    beside = replace(
        plan,
        kind=newcomers,
        policy=compile_policy(newcomers, plan.spec),
        underlying=own,
        formula=compile_formula(plan.spec, newcomers, newcomers, own),
        beside=None,
    )
    return replace(plan, beside=beside)


def compile_tasks(project: ProjectFile, catalog: Catalog) -> dict[str, TaskPlan]:
    """The plans of all tasks, in the order of the project file."""
    return {name: compile_task(name, project, catalog) for name in project.tasks}
