from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.lists.shelves import grouped, ints, kind

from recprism.data.dataset import Links
from recprism.lists import Picks, TaskList, merge, underlying_items

NAN = float("nan")


def task_list(
    task: str, items: list[int], odds: list[float], underlying: list[int] | None = None
) -> TaskList:
    of = ints(*(items if underlying is None else underlying))
    return TaskList(task, ints(*items), of, np.array(odds), np.array(odds))


def test_lists_that_share_nothing_are_left_alone() -> None:
    products, ads = task_list("products", [1, 2], [0.9, 0.8]), task_list("ads", [11], [0.1])
    assert merge([products, ads], [5, 5]) == [
        Picks("products", [0, 1], [None, None]),
        Picks("ads", [0], [None]),
    ]


def test_a_product_and_its_ad_stand_where_the_probability_is_higher_and_the_other_refills() -> None:
    products = task_list("products", [1, 2, 3], [0.4, 0.3, 0.2])
    ads = task_list("ads", [11, 12, 13], [0.5, 0.2, 0.1], [1, 2, 9])
    assert merge([products, ads], [2, 2]) == [
        Picks("products", [1, 2], ["ads", None]),
        Picks("ads", [0, 2], ["products", None]),
    ]


def test_a_list_too_short_to_show_an_item_takes_nothing_from_the_other() -> None:
    products = task_list("products", [1, 2], [0.4, 0.3])
    ads = task_list("ads", [11, 12], [0.9, 0.8], [8, 1])
    assert merge([products, ads], [2, 1])[0] == Picks("products", [0, 1], [None, None])


def test_two_tasks_over_one_kind_never_show_the_same_item() -> None:
    buy, like = task_list("buy", [1, 2], [0.5, 0.1]), task_list("like", [1, 2], [0.4, 0.3])
    assert merge([buy, like], [1, 1]) == [Picks("buy", [0], ["like"]), Picks("like", [1], [None])]


@pytest.mark.parametrize(("odds", "winner"), [(0.5, "first"), (NAN, "second")])
def test_ties_go_to_the_earlier_list_and_a_list_without_goal_gives_way(
    odds: float, winner: str
) -> None:
    lists = [task_list("first", [1], [odds]), task_list("second", [1], [0.5])]
    assert [picks.task for picks in merge(lists, [1, 1]) if picks.positions] == [winner]


def test_two_ads_for_one_product_are_shown_once() -> None:
    ads = task_list("ads", [11, 12, 13], [0.5, 0.4, 0.3], [1, 1, 2])
    assert merge([ads], [2]) == [Picks("ads", [0, 2], [None, None])]


def test_what_enters_by_preference_is_shown_in_order_of_score() -> None:
    diverse = TaskList("t", ints(1, 2, 3), ints(1, 2, 3), np.array([0.2, 0.9, 0.5]), np.zeros(3))
    assert merge([diverse], [3])[0].positions == [1, 2, 0]


def test_an_ad_stands_for_the_one_product_it_promotes() -> None:
    promotes = Links("promotes", "products", grouped([4], [5, 6], []))
    shelf = kind(3, start=10, links={"promotes": promotes})
    assert underlying_items(shelf, "promotes").tolist() == [4, 11, 12]
    assert underlying_items(shelf, None).tolist() == [10, 11, 12]
    by_offer = Links("covers", "products", grouped([4]), by_offer=True)
    assert underlying_items(kind(1, start=3, links={"covers": by_offer}), "covers").tolist() == [3]


candidates = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 4)), max_size=12, unique_by=lambda e: e[0]
)


@settings(deadline=None)
@given(lists=st.lists(candidates, max_size=3), size=st.integers(0, 6))
def test_nothing_is_shown_twice_lists_are_full_and_every_loss_is_justified(
    lists: list[list[tuple[int, int]]], size: int
) -> None:
    made = [
        task_list(f"t{i}", [k for k, _ in one], [p / 4 for _, p in one])
        for i, one in enumerate(lists)
    ]
    picks = merge(made, [size] * len(made))
    shown = {
        int(ranked.underlying[at]): (i, float(ranked.probability[at]))
        for i, (ranked, one) in enumerate(zip(made, picks, strict=True))
        for at in one.positions
    }
    assert len(shown) == sum(len(one.positions) for one in picks)
    for i, (ranked, one) in enumerate(zip(made, picks, strict=True)):
        scores = [float(ranked.score[at]) for at in one.positions]
        assert scores == sorted(scores, reverse=True)
        passed_over = range(len(ranked.item)) if len(one.positions) < size else []
        last = max(one.positions, default=-1)
        for at in {*passed_over, *range(last + 1)} - set(one.positions):
            other, odds = shown[int(ranked.underlying[at])]
            assert other != i
            assert (odds, -other) >= (float(ranked.probability[at]), -i)
            there = picks[other].positions.index(
                made[other].underlying.tolist().index(int(ranked.underlying[at]))
            )
            assert picks[other].also[there] is not None
