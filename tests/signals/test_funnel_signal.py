"""The funnel from touch to goal: hand-worked chances, open touches, evidence, and nothing leaks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.signals.logs import log_of, micros, state_of

from recprism.data.dataset import EventLog
from recprism.project.schema import ProjectFile
from recprism.signals import funnel
from recprism.signals.funnel import COLUMNS, BoundFunnel, Funnel
from recprism.signals.interface import Goal, Setting
from recprism.signals.registry import active_signals
from recprism.testing.signals import SignalShop

VIEW, BUY = 0, 1
"""Codes of the two actions of the test shop, read as views and buys."""
N_VIEWS, N_BUYS = 30, 12
DAY = 10
DECAY = 30.0


@pytest.fixture(scope="module")
def setting(shop: SignalShop) -> Setting:
    return replace(shop.snapshot.setting, at=micros(DAY))


@pytest.fixture(scope="module")
def log() -> EventLog:
    """Thirty users view item 0, twelve of them buy it; ten view item 1 and nobody buys it."""
    viewed = [(user, 0, VIEW, 1.0, -1) for user in range(N_VIEWS)]
    bought = [(user, 0, BUY, 2.0, -1) for user in range(N_BUYS)]
    twice = [(0, 0, VIEW, 1.5, -1), (0, 0, BUY, 2.5, -1)]
    return log_of([*viewed, *bought, *twice, *((u, 1, VIEW, 1.0, -1) for u in range(10))], 40)


@pytest.fixture(scope="module")
def fitted(setting: Setting, log: EventLog) -> Funnel:
    return Funnel.fit(setting, log, np.zeros(40, np.int32))


@pytest.fixture(scope="module")
def goal(shop: SignalShop) -> Goal:
    return Goal(BUY, 0, len(shop.catalog.kinds["products"]))


def bind(fitted: Funnel, goal: Goal, *events: tuple[int, int, float]) -> BoundFunnel:
    return fitted.bind(state_of(list(events), DAY), goal, np.zeros(1, np.float32), 0)


def numbers(bound: BoundFunnel, *items: int) -> dict[str, list[float]]:
    table = bound.score(np.array(items, np.int32))
    return {name: table[:, i].tolist() for i, name in enumerate(COLUMNS)}


def test_the_chance_is_the_share_of_viewers_who_buy_drawn_towards_that_of_all_items(
    fitted: Funnel, goal: Goal
) -> None:
    found = numbers(bind(fitted, goal, (0, VIEW, 9.0), (1, VIEW, 7.0)), 0, 1, 2)
    rate = 12 / 40  # twelve of the forty pairs of a viewer and an item
    recency = np.exp(-np.array([1.0, 3.0]) / DECAY)
    chance = np.array([(12 + 20 * rate) / (30 + 20), (0 + 20 * rate) / (10 + 20)])
    assert found["chance"] == pytest.approx([*(chance * recency), 0.0], rel=1e-5)
    assert found["recency"] == pytest.approx([*recency, 0.0], rel=1e-5)
    assert found["kinds"] == [1.0, 1.0, 0.0]
    assert found["share"] == pytest.approx([12 / (5 + 12 + 30), 0.0, 0.0], rel=1e-5)
    assert found["reached"] == pytest.approx([np.log1p(12), 0.0, 0.0], rel=1e-5)


def test_it_tells_what_goes_with_goals_from_what_goes_with_touches(
    setting: Setting, goal: Goal
) -> None:
    both = [(user, item, BUY, 1.0, -1) for user in range(4) for item in (0, 1)]
    seen = [(user, 2, VIEW, 1.0, -1) for user in range(4)]
    fitted = Funnel.fit(setting, log_of([*both, *seen], 10), np.zeros(10, np.int32))
    bought = numbers(bind(fitted, goal, (0, BUY, 5.0)), 1, 2)
    assert bought["goal_to_goal"] == pytest.approx([1.0, 0.0])
    assert bought["goal_to_any"] == bought["near_goals"] == pytest.approx([1.0, 1.0])
    assert bought["near_touches"] == bought["any_to_goal"] == [0.0, 0.0]
    viewed = numbers(bind(fitted, goal, (2, VIEW, 5.0)), 0, 1)
    assert viewed["near_touches"] == viewed["any_to_goal"] == pytest.approx([1.0, 1.0])
    assert viewed["near_goals"] == viewed["goal_to_any"] == [0.0, 0.0]


def test_the_share_orders_items_as_goals_by_five_plus_other_events_do(
    fitted: Funnel, goal: Goal
) -> None:
    share = fitted.conversion(goal).general[:, 0].astype(np.float64)
    others = fitted.reach[VIEW, : goal.stop].astype(np.float64)
    rule = fitted.reach[BUY, : goal.stop] / (funnel.SHARE_PRIOR + others)
    np.testing.assert_allclose(share, rule / (1.0 + rule), rtol=1e-6)


@pytest.mark.parametrize(
    ("events", "is_open"),
    [
        ([(0, VIEW, 5.0)], True),
        ([(0, VIEW, 5.0), (0, BUY, 6.0)], False),
        ([(0, VIEW, 5.0), (0, BUY, 5.0)], False),
        ([(0, BUY, 5.0), (0, VIEW, 6.0)], True),
        ([(0, BUY, 5.0)], False),
    ],
)
def test_a_touch_is_open_until_the_goal_is_reached(
    fitted: Funnel, goal: Goal, events: list[tuple[int, int, float]], is_open: bool
) -> None:
    bound = bind(fitted, goal, *events)
    assert (numbers(bound, 0)["chance"][0] > 0) is is_open
    assert bound.retrieve(goal.start, goal.stop, 5).tolist() == [0] * is_open
    assert (bound.clue(np.array([0], np.int32)) is not None) is is_open


def test_the_better_chance_is_proposed_first(fitted: Funnel, goal: Goal) -> None:
    bound = bind(fitted, goal, (1, VIEW, 9.0), (0, VIEW, 9.0))
    assert bound.retrieve(goal.start, goal.stop, 5).tolist() == [0, 1]
    assert bound.retrieve(goal.start, goal.stop, 1).tolist() == [0]


def test_evidence_counts_touches_and_tells_how_many_of_the_viewers_bought(
    fitted: Funnel, goal: Goal
) -> None:
    bound = bind(fitted, goal, (0, VIEW, 3.0), (0, VIEW, 8.0), (1, VIEW, 8.0))
    clue = bound.clue(np.array([0], np.int32))
    assert clue is not None
    assert (clue.items, clue.events) == ((0,), 2)
    assert clue.facts == {
        "touch": fitted.actions[VIEW],
        "count": 2,
        "age_days": 2,
        "people": 30,
        "percent": 40,
    }
    few = bound.clue(np.array([1], np.int32))
    assert few is not None
    assert "percent" not in few.facts, "ten viewers are too few to speak of a share"


def test_other_kinds_and_no_goal_leave_nothing_to_touch(fitted: Funnel, goal: Goal) -> None:
    other = numbers(bind(fitted, goal, (goal.stop, VIEW, 9.0)), goal.stop, 0)
    assert other["chance"] == [0.0, 0.0]
    assert other["share"][0] == 0.0
    aimless = bind(fitted, replace(goal, action=-1), (0, VIEW, 9.0))
    assert numbers(aimless, 0)["chance"] == [0.0]
    assert aimless.clue(np.array([0], np.int32)) is not None


def test_what_comes_after_the_moment_changes_nothing(
    setting: Setting, log: EventLog, fitted: Funnel
) -> None:
    later = [(user, 1, BUY, DAY + 1.0, -1) for user in range(40)]
    rows = zip(log.user, log.item, log.action, log.time / micros(1), strict=True)
    known = [(int(user), int(item), int(did), float(day), -1) for user, item, did, day in rows]
    planted = log_of([*known, *later], 40)
    again = Funnel.fit(setting, planted.until(setting.at), np.zeros(40, np.int32))
    for name, array in fitted.to_arrays().items():
        np.testing.assert_array_equal(array, again.to_arrays()[name])


def project(*events: dict[str, str], use: bool | None = None) -> ProjectFile:
    common = {"source": "e.csv", "user": "u", "item": "i", "time": "t"}
    return ProjectFile.model_validate(
        {
            "project": "shop",
            "items": {kind: {"source": "i.csv", "id": "id"} for kind in ("a", "b")},
            "events": [{**common, **one} for one in events],
            "tasks": {"list": {"recommend": "a"}},
            "signals": {} if use is None else {"funnel": {"use": use}},
        }
    )


@pytest.mark.parametrize(
    ("events", "use", "is_on"),
    [
        ([{"kind": "a", "action": "buy"}], None, False),
        ([{"kind": "a", "action": "buy"}, {"kind": "b", "action": "view"}], None, False),
        ([{"kind": "a", "action": "buy"}, {"kind": "a", "action": "view"}], None, True),
        ([{"kind": "a", "action_column": "what"}], None, True),
        ([{"kind": "a", "action_column": "what"}], False, False),
        ([{"kind": "a", "action": "buy"}], True, True),
    ],
)
def test_it_looks_by_itself_whether_there_is_a_funnel(
    events: list[dict[str, str]], use: bool | None, is_on: bool
) -> None:
    assert ("funnel" in active_signals(project(*events, use=use))) is is_on
