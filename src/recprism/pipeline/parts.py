"""Which samples a task trains on, validates on and is calibrated on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recprism.pipeline.workspace import Workspace
from recprism.ranker.harvest import WEEK_US, Part, load_part
from recprism.ranker.occasions import Schedule, make_schedule
from recprism.ranker.samples import Samples
from recprism.signals.plan import TaskPlan

HELD_SHARE = 0.2
"""At most this share of the users validates where a single snapshot is split by users."""
VALID_WEEKS = 4
"""So many recent weeks validate a task that is asked on the days of its goal."""


@dataclass(frozen=True)
class Parts:
    """Which samples a task trains on, validates on and is calibrated on.

    `calibrate` are whole lists that training does not see, with users without outcomes. Where
    training and validation share a snapshot (`by_user`), users tell them apart.
    """

    train: Sequence[Part]
    valid: Sequence[Part]
    calibrate: Sequence[Part]
    valid_from: int
    by_user: bool = False

    @property
    def all(self) -> list[Part]:
        return list(dict.fromkeys([*self.train, *self.valid, *self.calibrate]))


def parts_of(workspace: Workspace, plans: Mapping[str, TaskPlan], until: int) -> dict[str, Parts]:
    """The samples of each task with a goal; empty when there is too little past to learn from."""
    goals = {name: plan for name, plan in plans.items() if plan.has_goal}
    weekly = [plan.horizon_us for plan in goals.values() if plan.spec.ask == "weekly"]
    spec = workspace.ground.project
    schedule = make_schedule(
        workspace.log, until, max(weekly, default=WEEK_US), spec.timezone, spec.ranker.snapshots
    )
    if len(schedule.weekly) < min(2, spec.ranker.snapshots):
        return {}
    parts = {
        name: _weekly_parts(name, schedule, until)
        if plan.spec.ask == "weekly"
        else _daily_parts(name, schedule)
        for name, plan in goals.items()
    }
    return {name: chosen for name, chosen in parts.items() if chosen.train}


def _weekly_parts(task: str, schedule: Schedule, until: int) -> Parts:
    *earlier, last = schedule.weekly
    whole = [Part(task, last, "whole")]
    if not earlier:
        return Parts([Part(task, last, "weekly")], whole, whole, until, by_user=True)
    return Parts([Part(task, at, "weekly") for at in earlier], whole, whole, last)


def _daily_parts(task: str, schedule: Schedule) -> Parts:
    """Training asks every snapshot about the weeks after it, so that a day stands in several lists.

    Their artifacts are of different ages, as one in service is, and what others did with an offer
    of these days is known to few of them. Validation asks one artifact about what came after it.
    """
    weekly = schedule.weekly
    # Never after the last weekly snapshot: calibration needs one.
    valid_from = weekly[-min(VALID_WEEKS, max(1, len(weekly) // 2))]
    earlier = [*schedule.sparse, *(at for at in weekly if at < valid_from)]
    return Parts(
        [Part(task, at, "days") for at in earlier],
        [Part(task, valid_from, "days")],
        [Part(task, at, "whole") for at in weekly if at >= valid_from],
        valid_from,
    )


def load_data(folder: Path, parts: Parts, plan: TaskPlan, until: int) -> tuple[Samples, Samples]:
    """The lists that one task trains on, and those that it validates on."""
    train = load_lists(folder, parts.train, plan, until, before=parts.valid_from)
    valid = load_lists(folder, parts.valid, plan, until)
    if not parts.by_user:
        return train, valid
    everyone, held = np.union1d(train.user, valid.user), np.unique(valid.user)
    most = max(1, round(HELD_SHARE * len(everyone)))
    if len(held) > most:
        held = np.random.default_rng(0).choice(held, most, replace=False)
    return train.without(held), valid.without(np.setdiff1d(everyone, held))


def load_lists(
    folder: Path, parts: Sequence[Part], plan: TaskPlan, until: int, before: int | None = None
) -> Samples:
    """The lists of `parts` whose outcomes were complete at `until`.

    With `before`, lists whose outcomes reach into the validation span are left out.
    """
    end = min(until if before is None else before, until) - plan.horizon_us + 1
    ordered = sorted(parts, key=lambda part: part.at)
    return Samples.concatenate([load_part(folder, part).between(part.at, end) for part in ordered])
