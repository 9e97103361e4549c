"""Verdicts in plain words, good and bad."""

from __future__ import annotations

from dataclasses import replace

import pytest

from recprism.evaluate.bootstrap import Interval
from recprism.evaluate.results import BeyondAccuracy, Calibration, TaskEvaluation, say_sharing
from recprism.evaluate.verdict import strongest_baseline, write_verdict

NAN = float("nan")


def interval(value: float, half: float = 0.01) -> Interval:
    return Interval(value, value - half, value + half, 1_344, 1_200)


def task(against: dict[str, Interval], **rules: float) -> TaskEvaluation:
    values = {"model": 0.312, "random": 0.0, "popular": 0.126, "personal": 0.307} | rules
    nothing = dict.fromkeys(("coverage", "novelty_bits", "diversity", "popular_share", "gini"), NAN)
    return TaskEvaluation(
        task="products",
        kind="products",
        k=10,
        until=[],
        by_event=False,
        rules={name: interval(value) for name, value in values.items()},
        against=against,
        also={},
        by_until={},
        by_history={},
        calibration=Calibration(bins=[], error=NAN, brier=NAN, n=0, population="all"),
        beyond=BeyondAccuracy(**nothing, empty=0, short=0),
        ms={},
        asked=0,
    )


@pytest.mark.parametrize(
    ("gap", "says"),
    [
        (0.02, "It beats the personal rule (0.307) by +0.020 [+0.010, +0.030]."),
        (0.005, "It cannot be told apart from the personal rule (0.307)"),
        (
            -0.02,
            "the personal rule (0.307), the difference is -0.020 [-0.030, -0.010]: the simple",
        ),
    ],
)
def test_the_verdict_says_how_the_model_stands_to_the_best_rule(gap: float, says: str) -> None:
    found = write_verdict(task({"personal": interval(gap)}))
    assert says in found
    assert "NDCG@10 0.312 [0.302, 0.322] over 1,344 lists of 1,200 users" in found
    assert "together" not in found


@pytest.mark.parametrize(
    ("gap", "says"),
    [(0.02, "helps"), (0.0, "makes no difference beyond noise"), (-0.02, "hurts here")],
)
def test_the_verdict_says_whether_learning_together_helps(gap: float, says: str) -> None:
    found = write_verdict(task({"personal": interval(0.1), "single": interval(gap)}))
    assert f"Learning the tasks together {says}" in found


def test_sharing_is_judged_by_the_interval_alone() -> None:
    assert say_sharing(interval(0.011)) == "helps"
    assert say_sharing(interval(-0.011)) == "hurts"
    assert say_sharing(interval(0.009)) == "makes no difference beyond noise"
    assert say_sharing(Interval(NAN, NAN, NAN, 0, 0)) == "cannot be judged"


def test_the_opponent_is_the_strongest_rule() -> None:
    found = task({"popular": interval(-0.2)}, popular=0.5)
    assert strongest_baseline(found) == "popular"
    assert "worse than what is popular (0.500)" in write_verdict(found)


def test_a_signal_that_alone_does_better_is_named() -> None:
    gaps = {"personal": interval(0.1), "signal:repeat": interval(-0.05)}
    found = task(gaps, **{"signal:repeat": 0.362})
    assert "The signal `repeat` alone does better" in write_verdict(found)


def test_nothing_to_find_is_said() -> None:
    found = task({})
    nothing = replace(found, rules={**found.rules, "model": Interval(NAN, NAN, NAN, 0, 0)})
    assert write_verdict(nothing) == (
        "`products`: there was no hit to find, so nothing can be said."
    )
