"""One sentence or two per task that say what its numbers mean, also when that is bad news."""

from __future__ import annotations

import math

from recprism.evaluate.bootstrap import Interval
from recprism.evaluate.results import TaskEvaluation, say_sharing

_BASELINES = {
    "popular": "what is popular",
    "personal": "the personal rule",
    "random": "a random order",
}


def write_verdict(task: TaskEvaluation) -> str:
    """What the model is worth on this task, against simple rules and against `single`.

    A difference counts only when its 95 % interval leaves out zero. The opponent is the strongest
    of the baselines, not the most convenient.
    """
    model = task.rules["model"]
    if math.isnan(model.value):
        return f"`{task.task}`: there was no hit to find, so nothing can be said."
    parts = [
        f"`{task.task}`: the model reaches {task.metric.upper()} {show(model)} "
        f"over {model.n:,} lists of {model.users:,} users.",
        _against_baseline(task),
    ]
    signal = task.best_signal
    if signal is not None and task.against[f"signal:{signal}"].high < 0:
        gap = show(task.against[f"signal:{signal}"], signed=True)
        parts.append(f"The signal `{signal}` alone does better (difference {gap}).")
    if task.sharing is not None:
        parts.append(_against_single(task.sharing))
    return " ".join(parts)


def strongest_baseline(task: TaskEvaluation) -> str:
    """The baseline with the highest metric; `personal` when they are equal."""
    found = task.baselines
    return max(("personal", "popular", "random"), key=lambda name: found[name].value)


def show(interval: Interval, *, signed: bool = False) -> str:
    """`0.312 [0.301, 0.323]`."""
    form = "+.3f" if signed else ".3f"
    low, high = format(interval.low, form), format(interval.high, form)
    return f"{format(interval.value, form)} [{low}, {high}]"


def _against_baseline(task: TaskEvaluation) -> str:
    name = strongest_baseline(task)
    rule = f"{_BASELINES[name]} ({task.rules[name].value:.3f})"
    gap = task.against[name]
    if gap.low > 0:
        return f"It beats {rule} by {show(gap, signed=True)}."
    if gap.high < 0:
        return (
            f"It is worse than {rule}, the difference is {show(gap, signed=True)}: "
            "the simple rule serves this list better."
        )
    return f"It cannot be told apart from {rule}: the difference is {show(gap, signed=True)}."


def _against_single(gap: Interval) -> str:
    found, difference = say_sharing(gap), f"(difference {show(gap, signed=True)})"
    if found == "hurts":
        return (
            f"Learning the tasks together hurts here: a network of its own does better {difference}"
            "."
        )
    beside = "" if found == "helps" else " against a network of its own"
    return f"Learning the tasks together {found}{beside} {difference}."
