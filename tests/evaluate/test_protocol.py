"""Occasions: who is asked when, and what would have been right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evaluate.small_shop import COUPONS, PRODUCTS, ROWS, Row, day, goal_of, micros, shop

from recprism.data.dataset import DAY_US
from recprism.errors import DataError, UnknownName
from recprism.evaluate.protocol import (
    HoldOut,
    Occasions,
    build_askings,
    build_occasions,
    default_context,
    find_goal,
    find_hold_out,
    history_lengths,
)
from recprism.project.schema import ProjectFile


def asked(task: str, *until: float, rows: list[Row] | None = None) -> list[Occasions]:
    dataset = shop() if rows is None else shop(rows)
    times = tuple(micros(number) for number in until)
    hold_out = HoldOut(task, times, task == "coupons", 10)
    return build_occasions(dataset, goal_of(dataset, task), hold_out)


def truths(occasions: Occasions) -> dict[tuple[str, int], set[str]]:
    dataset = shop()
    kind = dataset.catalog.kinds[occasions.task]
    return {
        (dataset.catalog.users.ids[user], int((at - micros(0)) // DAY_US)): occasions.truth_ids(
            row, kind
        )
        for row, (user, at) in enumerate(zip(occasions.user, occasions.at, strict=True))
    }


def test_products_ask_everyone_known_and_find_the_next_seven_days() -> None:
    (found,) = asked("products", 21)
    assert truths(found) == {
        ("ann", 21): {"milk", "ham"},
        ("bob", 21): {"tea"},
        ("cem", 21): set(),
        ("dot", 21): {"eggs"},
    }
    assert found.has_truth.tolist() == [True, True, False, True]


def test_coupons_ask_on_each_day_of_a_redemption() -> None:
    (found,) = asked("coupons", 20)
    assert truths(found) == {("ann", 22): {"c-milk", "c-food"}, ("bob", 25): {"c-food"}}


def test_everyone_who_can_be_shown_something_is_asked_at_the_first_and_last_week() -> None:
    dataset = shop([*ROWS, ("cem", "products", "milk", 33, "1")])
    hold_out = HoldOut("coupons", (micros(10),), by_event=True, k=5)
    (found,) = build_askings(dataset, goal_of(dataset, "coupons"), hold_out)
    days = sorted({int((at - micros(0)) // DAY_US) for at in found.at})
    # Weeks begin on days 10, 17, 24 and 31; by then only the campaign mailed to ann still runs.
    assert days == [10, 31]
    assert [dataset.catalog.users.ids[user] for user in found.user] == ["ann", "bob", "ann"]
    assert not found.by_event
    redeemed = goal_of(dataset, "coupons").events(dataset.events, dataset.catalog)
    for row in range(len(found)):
        log, at = dataset.events, found.at[row]
        within = redeemed & (log.user == found.user[row]) & (log.time >= at)
        within &= log.time < at + DAY_US
        assert set(found.truth.of(row)) == set(log.item[within])


def test_several_times_by_event_make_a_rolling_origin() -> None:
    early, late = asked("coupons", 10, 24)
    assert list(truths(early)) == [("ann", 12), ("ann", 22)]
    assert list(truths(late)) == [("bob", 25)]


def test_a_day_that_began_before_the_cut_is_asked_at_the_cut() -> None:
    (found,) = asked("coupons", 21.5, rows=[("ann", "coupons", "c-milk", 21.75, None)])
    assert found.at.tolist() == [micros(21.5)]


def test_the_truth_of_ads_is_what_the_usual_store_promotes_and_any_store_sells() -> None:
    (found,) = asked("ads", 21)
    # ann and cem use store 1 (milk, ham); bob store 2 (tea); dot has no store yet and is left out.
    assert truths(found) == {
        ("ann", 21): {"milk", "ham"},
        ("bob", 21): {"tea"},
        ("cem", 21): set(),
    }


def test_users_whose_store_promotes_nothing_are_left_out() -> None:
    (found,) = asked("ads", 28)
    assert len(found) == 0


def test_the_usual_store_is_that_of_most_events_before_and_ties_go_to_the_smaller() -> None:
    dataset = shop()
    catalog, log = dataset.catalog, dataset.events
    assert default_context(catalog, log, 1, micros(21)) == {"store": 1}
    assert default_context(catalog, log, 1, micros(30)) == {"store": 0}
    assert default_context(catalog, log, 3, micros(21)) == {}


def test_history_lengths_count_events_before_the_moment() -> None:
    (found,) = asked("products", 21)
    assert history_lengths(shop(), found).tolist() == [4, 3, 1, 0]


def test_taking_rows_keeps_their_truth() -> None:
    (found,) = asked("products", 21)
    assert truths(found.take(np.array([3, 0]))) == {
        ("dot", 21): {"eggs"},
        ("ann", 21): {"milk", "ham"},
    }


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ann", "bob", "cem", "dot"]),
            st.sampled_from(["products", "coupons"]),
            st.integers(0, 1),
            st.floats(0, 40),
        ),
        min_size=1,
        max_size=30,
    ),
    st.floats(0, 40),
    st.sampled_from(["products", "coupons", "ads"]),
)
def test_splits_never_leak_the_future(
    drawn: list[tuple[str, str, int, float]], cut: float, task: str
) -> None:
    names = {"products": PRODUCTS, "coupons": COUPONS}
    rows: list[Row] = [(user, kind, names[kind][item], at, "1") for user, kind, item, at in drawn]
    dataset = shop(rows)
    goal = goal_of(dataset, task)
    (found,) = build_occasions(dataset, goal, HoldOut(task, (micros(cut),), task == "coupons", 10))
    reached = goal.events(dataset.events, dataset.catalog)
    for row in range(len(found)):
        assert found.at[row] >= found.until
        log = dataset.events
        later = (log.user == found.user[row]) & (log.time >= found.at[row]) & reached
        later &= log.time < found.at[row] + goal.horizon_us
        want = set(log.item[later].tolist())
        if task == "ads":  # ad 0 is milk (product 0); nothing else that is promoted is sold here
            want = {7} if 0 in want else set()
        assert set(found.truth.of(row).tolist()) == want


def spec(**changes: object) -> ProjectFile:
    table = {"source": "x.csv", "id": "id"}
    return ProjectFile.model_validate(
        {
            "project": "shop",
            "items": {"products": table, "coupons": table, "ads": table},
            "tasks": {
                "products": {"recommend": "products", "goal": "purchase"},
                "coupons": {
                    "recommend": "coupons",
                    "goal": "redeem",
                    "horizon": "1d",
                    "size": 5,
                    "ask": "events",
                },
                "ads": {"recommend": "ads", "goal": "purchase", "via": "promotes"},
                "like_this": {"recommend": "products"},
            },
        }
        | changes
    )


def test_goals_follow_the_via_of_a_task() -> None:
    catalog = shop().catalog
    ads = find_goal(spec(), catalog, "ads")
    assert ads is not None
    assert ads.link is not None
    assert (ads.link.name, ads.action, ads.horizon_us) == ("promotes", 0, 7 * DAY_US)
    assert find_goal(spec(), catalog, "like_this") is None


def test_an_unknown_task_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"no task `product`.*`products`"):
        find_goal(spec(), shop().catalog, "product")


def test_without_a_section_the_last_horizon_is_held_out() -> None:
    dataset = shop()
    products = find_hold_out(spec(), dataset, goal_of(dataset, "products"))
    assert products == HoldOut("products", (micros(19) + 1,), False, 10)
    coupons = find_hold_out(spec(), dataset, goal_of(dataset, "coupons"))
    assert coupons == HoldOut("coupons", (micros(-2) + 1,), True, 5)


def test_a_written_section_wins_and_its_times_are_sorted() -> None:
    dataset = shop()
    written = spec(evaluate={"products": {"until": [day(21), day(14)], "at": "events", "k": 3}})
    found = find_hold_out(written, dataset, goal_of(dataset, "products"))
    assert found == HoldOut("products", (micros(14), micros(21)), True, 3)


def test_a_goal_that_nobody_reached_is_a_clear_error() -> None:
    dataset = shop([("ann", "products", "milk", 1, "1")])
    with pytest.raises(DataError, match="task `coupons`: no event reaches its goal"):
        find_hold_out(spec(), dataset, goal_of(dataset, "coupons"))
