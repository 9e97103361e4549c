"""Personal frequency against its plain twin and against a person who buys milk on Mondays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference import plain_signals as plain
from tests.signals.logs import rows, state_of

from recprism.profiles.state import state_from_log
from recprism.project.schema import Repeat as Config
from recprism.signals.interface import Goal
from recprism.signals.repeat import COLUMNS, BoundRepeat
from recprism.testing.shops import MILK, MILK_BUYER
from recprism.testing.signals import CUT, SignalShop

N_ITEMS = 6
DECAY = Config().decay_days


@settings(deadline=None, max_examples=30)
@given(rows(1, N_ITEMS, 30), st.integers(0, 1))
def test_numbers_agree_with_a_walk_over_the_events(
    drawn: list[tuple[int, int, int, float, int]], action: int
) -> None:
    user = state_of([(item, action, day) for _, item, action, day, _ in drawn], 30.25)
    goal = Goal(action, 0, 4)
    score = BoundRepeat(user, goal, N_ITEMS, DECAY).score(np.arange(N_ITEMS, dtype=np.int32))
    wanted = [plain.repeat_numbers(user, goal, DECAY, item) for item in range(N_ITEMS)]
    np.testing.assert_allclose(score, wanted, rtol=1e-4, atol=1e-6)


def test_other_actions_on_the_goals_kind_stay_apart() -> None:
    viewed, bought, other_kind = (0, 1, 9.0), (1, 0, 9.0), (5, 1, 9.0)
    bound = BoundRepeat(state_of([viewed, bought, other_kind], 10), Goal(0, 0, 4), N_ITEMS, DECAY)
    table = bound.score(np.array([0, 1, 5], np.int32))
    count, other = table[:, COLUMNS.index("count")], table[:, COLUMNS.index("other")]
    np.testing.assert_allclose(count, [0, 1, 1])
    np.testing.assert_allclose(other, [np.exp(-1 / DECAY), 0, 0], rtol=1e-6)


def test_what_was_viewed_is_retrieved_after_all_that_was_bought() -> None:
    bound = BoundRepeat(
        state_of([(0, 1, 9.9), (1, 0, 1.0), (2, 0, 9.0)], 10), Goal(0, 0, 4), N_ITEMS, DECAY
    )
    assert bound.retrieve(0, 4, 10).tolist() == [2, 1, 0]


@pytest.mark.parametrize(("idle", "due"), [(7.0, 1.0), (1.0, 0.2), (60.0, 0.1)])
def test_an_item_is_due_when_the_usual_time_has_passed(idle: float, due: float) -> None:
    user = state_of([(0, 0, day) for day in (0, 7, 14)], 14 + idle)
    found = BoundRepeat(user, Goal(0, 0, 4), N_ITEMS, DECAY).score(np.zeros(1, np.int32))
    value = float(found[0, COLUMNS.index("due")])
    assert value == pytest.approx(1.0) if due == 1.0 else value < due


def test_the_milk_buyer_has_milk_first_and_the_reason_says_every_seven_days(
    shop: SignalShop,
) -> None:
    user = state_from_log(shop.log, shop.user(MILK_BUYER), CUT)
    goal = shop.plans["products"].goal
    bound = BoundRepeat(user, goal, shop.catalog.n_items, DECAY)
    milk = shop.item(MILK)
    assert bound.retrieve(goal.start, goal.stop, 1).tolist() == [milk]
    clue = bound.clue(np.array([milk], np.int32))
    assert clue is not None
    assert clue.items == (milk,)
    assert clue.facts["gap_days"] == 7
    assert clue.facts["count"] == clue.events == int((user.item == milk).sum())
    assert clue.facts["age_days"] == 6


def test_a_coupon_says_how_many_covered_products_were_bought_how_often() -> None:
    user = state_of([(0, 0, 1.0), (0, 0, 5.0), (1, 0, 6.0), (3, 0, 7.0)], 10)
    bound = BoundRepeat(user, Goal(1, 4, 6), N_ITEMS, DECAY)
    clue = bound.clue(np.array([0, 1, 2], np.int32))
    assert clue is not None
    assert (clue.facts["bought_items"], clue.facts["bought_times"], clue.events) == (2, 3, 3)
    assert clue.items == (0, 1)
    assert "gap_days" not in bound.clue(np.array([3], np.int32)).facts  # type: ignore[union-attr]


def test_what_was_never_had_has_no_evidence() -> None:
    bound = BoundRepeat(state_of([(0, 1, 1.0)], 10), Goal(0, 0, 4), N_ITEMS, DECAY)
    assert bound.clue(np.array([3], np.int32)) is None
    assert bound.clue(np.array([0], np.int32)) is None
