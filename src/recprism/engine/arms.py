"""Which arm of which experiment a user's lists belong to, and what that changes.

In come the section `experiments` and a user, out go tasks with their arms. The decision worth
knowing: nobody is remembered. A hash of the experiment's name and the user's id says who takes part
and in which arm, alike in every worker and after every restart; the name salts it, so that two
experiments split users independently. Whether somebody takes part and in which arm come from two
halves of the hash: a larger share brings new users in and moves nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np

from recprism.engine.ranking import FUSION, Ranked, main_numbers
from recprism.model import Model
from recprism.project.schema import Arm, Experiment
from recprism.signals.plan import TaskPlan


@dataclass(frozen=True)
class Part:
    """The part of a user in an experiment."""

    experiment: str
    arm: str
    setting: Arm


def arm_of(name: str, experiment: Experiment, user: str) -> str | None:
    """The arm of a user in the experiment `name`; None for who takes no part."""
    digest = blake2b(f"{name}\0{user}".encode(), digest_size=16).digest()
    if _unit(digest[:8]) >= experiment.share:
        return None
    left = _unit(digest[8:]) * sum(arm.weight for arm in experiment.arms.values())
    for arm, setting in experiment.arms.items():
        left -= setting.weight
        if left < 0:
            return arm
    return [*experiment.arms][-1]


def parts_of(experiments: Mapping[str, Experiment], user: str | None) -> list[Part]:
    """The parts of a user in all experiments; none for nobody."""
    if user is None:
        return []
    arms = {name: arm_of(name, one, user) for name, one in experiments.items()}
    return [
        Part(name, arm, experiments[name].arms[arm])
        for name, arm in arms.items()
        if arm is not None
    ]


def with_arms(
    plans: Sequence[TaskPlan], experiments: Mapping[str, Experiment], parts: Sequence[Part]
) -> list[TaskPlan]:
    """The plans, those that take part with their arm and its exploration."""
    return [_with_arm(plan, experiments, parts) for plan in plans]


def in_arms_order(model: Model, ranked: Ranked, parts: Sequence[Part]) -> Ranked:
    """Candidates in the order of the signal of their arm, where it has one.

    Scores, which order a list, are reciprocal ranks then; probabilities stay those of the items.
    """
    plan = ranked.plan
    signal = next((p.setting.signal for p in parts if p.experiment == plan.experiment), None)
    if signal is None:
        return ranked
    number = main_numbers(model.snapshot, ranked.columns)[signal]
    rows = np.argsort(-number, kind="stable")
    score = 1.0 / (FUSION / 10 + np.arange(1, len(rows) + 1, dtype=np.float64))
    return replace(ranked.take(rows), score=score, terms=None, composed=False)


def _with_arm(
    plan: TaskPlan, experiments: Mapping[str, Experiment], parts: Sequence[Part]
) -> TaskPlan:
    for part in parts:
        tasks = experiments[part.experiment].tasks
        if tasks and plan.name not in tasks:
            continue
        spec = plan.spec
        if part.setting.explore is not None:
            spec = spec.model_copy(update={"explore": part.setting.explore})
        return replace(plan, spec=spec, experiment=part.experiment, arm=part.arm)
    return plan


def _unit(half: bytes) -> float:
    """A number from 0 to 1."""
    return int.from_bytes(half) / 2**64
