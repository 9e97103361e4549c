"""What experiments came to: users, shows, goals and clicks by arm, and how sure differences are.

In come the experiments of a project and its store, out goes a document. The one decision worth
knowing: the arm is read from what was shown, never computed again, so that an experiment that was
changed tells of what users saw. It reads user by user: a report, not for each page.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from recprism.model import Model
from recprism.project.schema import Experiment
from recprism.serve.comparing import (
    Counts,
    difference_of_ratios,
    difference_of_shares,
    drawn_ratios,
    ratio_with_interval,
    sample_ratio,
    share_of,
)
from recprism.serve.goals import Goals
from recprism.serve.outcomes import everyone, followed
from recprism.store import Impression, Store

CLICK: Final = "click"
CLICK_WINDOW: Final = timedelta(days=1)
OUTCOMES: Final = ("goal", CLICK)

Cell = tuple[str, str, str]
"""Experiment, task, arm."""


@dataclass
class Collected:
    """Per cell a row per user with their shows, shows with the goal, shows with a click; per
    experiment and arm the users who saw something of it."""

    rows: dict[Cell, list[tuple[int, int, int]]] = field(default_factory=lambda: defaultdict(list))
    users: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))


def report_experiments(
    store: Store, model: Model, experiments: Mapping[str, Experiment], since: datetime
) -> list[dict[str, Any]]:
    """A document for each experiment, of what was shown at or after `since` (real time, UTC)."""
    found = _collect(store, model, experiments, since)
    return [_experiment(name, one, model, found) for name, one in experiments.items()]


def _collect(
    store: Store, model: Model, experiments: Mapping[str, Experiment], since: datetime
) -> Collected:
    goals, found = Goals(model), Collected()
    window = CLICK_WINDOW if model.project.clock == "wall" else None
    for user in everyone(store):
        shown = store.impressions_of(user, since)
        cells: dict[Cell, list[Impression]] = defaultdict(list)
        for one in shown:
            name, arm = one.experiment, one.arm
            if name is not None and arm is not None and name in experiments:
                cells[name, one.task, arm].append(one)
        if not cells:
            continue
        events = store.events_of(user)
        reached = goals.reached(shown, events)
        clicked = {one for one, action in followed(shown, events, window) if action == CLICK}
        for cell, some in cells.items():
            n_reached, n_clicked = (sum(one in of for one in some) for of in (reached, clicked))
            found.rows[cell].append((len(some), n_reached, n_clicked))
        for name, arm in {(name, arm) for name, _, arm in cells}:
            found.users[name, arm] += 1
    return found


def _experiment(
    name: str, experiment: Experiment, model: Model, found: Collected
) -> dict[str, Any]:
    users = [found.users.get((name, arm), 0) for arm in experiment.arms]
    weights = [arm.weight for arm in experiment.arms.values()]
    tasks = [task for task in experiment.tasks or model.plans if task in model.plans]
    return {
        "name": name,
        "share": experiment.share,
        "arms": [
            {"arm": arm, "weight": weight, "users": n}
            for arm, weight, n in zip(experiment.arms, weights, users, strict=True)
        ],
        "sample_ratio": sample_ratio(users, weights),
        "tasks": [
            {
                "task": task,
                "goal": model.plans[task].spec.goal,
                "arms": _arms(
                    [*experiment.arms],
                    [_counts(found.rows.get((name, task, arm), [])) for arm in experiment.arms],
                ),
            }
            for task in tasks
        ],
    }


def _arms(names: Sequence[str], counts: Sequence[Counts]) -> list[dict[str, Any]]:
    """A document for each arm of a task; `counts` [users, 3] each, the first arm's first."""
    drawn = [
        [drawn_ratios(rows[:, n], rows[:, 0], seed) if len(rows) else None for n in (1, 2)]
        for seed, rows in enumerate(counts)
    ]
    found = []
    for number, (name, rows) in enumerate(zip(names, counts, strict=True)):
        outcomes = {}
        for n, outcome in enumerate(OUTCOMES):
            own = _outcome(rows, n + 1, drawn[number][n])
            own["difference"] = None
            if number:
                ours, theirs = (rows, drawn[number][n]), (counts[0], drawn[0][n])
                own["difference"] = _difference(ours, theirs, n + 1)
            outcomes[outcome] = own
        shows = int(rows[:, 0].sum())
        found.append({"arm": name, "users": len(rows), "shows": shows, "outcomes": outcomes})
    return found


def _outcome(rows: Counts, column: int, drawn: Counts | None) -> dict[str, Any]:
    part, whole = rows[:, column], rows[:, 0]
    return {
        "shows": int(part.sum()),
        "users": int((part > 0).sum()),
        "per_show": None if drawn is None else ratio_with_interval(part, whole, drawn),
        "per_user": share_of(int((part > 0).sum()), len(rows)),
    }


def _difference(
    ours: tuple[Counts, Counts | None], theirs: tuple[Counts, Counts | None], column: int
) -> dict[str, Any]:
    """An arm's rates less those of the first arm."""
    shares = [(int((rows[:, column] > 0).sum()), len(rows)) for rows, _ in (ours, theirs)]
    per_show = None
    if ours[1] is not None and theirs[1] is not None:
        rates = [float(rows[:, column].sum() / rows[:, 0].sum()) for rows, _ in (ours, theirs)]
        per_show = difference_of_ratios((rates[0], ours[1]), (rates[1], theirs[1]))
    return {"per_show": per_show, "per_user": difference_of_shares(*shares)}


def _counts(rows: Sequence[tuple[int, int, int]]) -> Counts:
    return np.array(rows, np.float64).reshape(-1, 3)
