from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from tests.lists.shelves import grouped, ints, kind, offers

from recprism.data.dataset import Links
from recprism.errors import UnknownName
from recprism.lists import Candidates, compile_policy, eligible, every_item
from recprism.project.schema import Task

NO_ITEMS, NO_TIMES = ints(), np.zeros(0, np.int64)
DAY = round(timedelta(days=1).total_seconds() * 1e6)


def task(**settings: Any) -> Task:
    return Task.model_validate({"recommend": "things", **settings})


def test_items_with_an_excluded_label_never_pass() -> None:
    shelf = kind(4, start=5, labels={"department": ["beer", "dairy", None, "wine"]})
    policy = compile_policy(shelf, task(exclude={"department": ["beer", "wine"]}))
    keep = policy.allowed(every_item(shelf), NO_ITEMS, NO_TIMES, 0)
    assert keep.tolist() == [False, True, True, False]


def test_offers_with_an_excluded_label_never_pass() -> None:
    deal = offers([[0], [1]], [(0, 9), (0, 9)], labels={"type": ["A", "B"], "season": ["x", "x"]})
    shelf = kind(2, offers=deal)
    found = eligible(shelf, -1, 1, {})
    assert found is not None
    policy = compile_policy(shelf, task(exclude={"type": ["A"]}))
    assert policy.allowed(found, NO_ITEMS, NO_TIMES, 0).tolist() == [False, True]
    both = compile_policy(shelf, task(exclude={"type": ["A"], "season": ["x"]}))
    assert both.allowed(found, NO_ITEMS, NO_TIMES, 0).tolist() == [False, False]
    assert policy.allowed(every_item(shelf), NO_ITEMS, NO_TIMES, 0).all()


@pytest.mark.parametrize(
    ("repeat", "expected"),
    [
        ("allow", [True, True, True]),
        ("never", [False, False, True]),
        ({"after": "7d"}, [True, False, True]),
    ],
)
def test_repeat_policy_keeps_away_what_was_reached(repeat: object, expected: list[bool]) -> None:
    shelf = kind(3, start=10)
    policy = compile_policy(shelf, task(goal="purchase", repeat=repeat))
    bought, times = ints(10, 11, 11, 99), np.array([3 * DAY, 2 * DAY, 9 * DAY, 9 * DAY])
    keep = policy.allowed(every_item(shelf), bought, times, 10 * DAY)
    assert keep.tolist() == expected


def test_an_item_may_come_again_once_the_span_is_over() -> None:
    shelf = kind(1)
    policy = compile_policy(shelf, task(goal="purchase", repeat={"after": "7d"}))
    bought, times = ints(0), np.array([0])
    for at, expected in ((7 * DAY - 1, False), (7 * DAY, True)):
        assert policy.allowed(every_item(shelf), bought, times, at).tolist() == [expected]


def test_an_ad_stays_away_after_the_product_it_promotes_was_bought() -> None:
    promotes = Links("promotes", "products", grouped([0], [1, 2], []))
    shelf = kind(3, start=10, links={"promotes": promotes})
    policy = compile_policy(shelf, task(goal="purchase", via="promotes", repeat="never"))
    keep = policy.allowed(every_item(shelf), ints(2, 11), np.array([0, 0]), DAY)
    assert keep.tolist() == [True, False, True]


def test_links_that_differ_by_offer_are_followed_from_the_offer_row() -> None:
    covers = Links("covers", "products", grouped([0], [1]), by_offer=True)
    shelf = kind(1, start=10, links={"covers": covers})
    policy = compile_policy(shelf, task(goal="purchase", via="covers", repeat="never"))
    rows = Candidates(ints(10, 10), np.array([0, 1]), ints(0, 1))
    assert policy.allowed(rows, ints(1), np.array([0]), DAY).tolist() == [True, False]


def test_an_unknown_label_names_the_known_ones() -> None:
    shelf = kind(1, labels={"department": ["beer"]})
    with pytest.raises(UnknownName, match="`departmen`; known: `department`"):
        compile_policy(shelf, task(exclude={"departmen": ["beer"]}))


def test_an_unknown_via_names_the_known_links() -> None:
    shelf = kind(1, links={"covers": Links("covers", "products", grouped([0]))})
    with pytest.raises(UnknownName, match="no link of `things` `cover`; known: `covers`"):
        compile_policy(shelf, task(goal="purchase", via="cover"))
