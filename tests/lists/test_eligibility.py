from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.lists.shelves import grouped, ints, kind, offers

from recprism.lists import eligible, every_item, open_groups


def test_every_item_is_eligible_without_offers_and_windows() -> None:
    assert eligible(kind(3), 0, 5, {}) is None
    assert every_item(kind(3, start=10)).item.tolist() == [10, 11, 12]


def test_items_with_a_window_are_eligible_inside_it_only() -> None:
    shelf = kind(3, start=100, window=[(0, 10), (10, 20), (5, 11)])
    found = eligible(shelf, -1, 10, {})
    assert found is not None
    assert found.item.tolist() == [101, 102]
    assert found.offer_row.tolist() == found.group.tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("at", "expected"), [(9, []), (10, [0, 1]), (19, [0, 1]), (20, [2]), (30, [])]
)
def test_a_group_is_open_from_its_start_until_just_before_its_end(
    at: int, expected: list[int]
) -> None:
    shelf = kind(3, offers=offers([[0, 1], [2]], [(10, 20), (20, 30)]))
    found = eligible(shelf, -1, at, {})
    assert found is not None
    assert found.item.tolist() == expected


def test_coupons_go_only_to_those_they_were_mailed_to() -> None:
    mailed = grouped([0], [1, 0], [])
    shelf = kind(3, start=7, offers=offers([[0, 1], [1, 2]], [(0, 9), (0, 9)], audience=mailed))
    found = [eligible(shelf, user, 5, {}) for user in (0, 1, 2, -1, 3)]
    assert [f.item.tolist() for f in found if f is not None] == [[7, 8], [7, 8, 8, 9], [], [], []]


def test_an_item_in_two_open_groups_stands_there_once_for_each_with_its_offer_row() -> None:
    shelf = kind(3, offers=offers([[0, 1], [1, 2]], [(0, 9), (0, 9)]))
    found = eligible(shelf, -1, 5, {})
    assert found is not None
    assert found.item.tolist() == [0, 1, 1, 2]
    assert found.offer_row.tolist() == [0, 1, 2, 3]
    assert found.group.tolist() == [0, 0, 1, 1]
    last = found.take(found.item == 2)
    assert (len(last), last.offer_row.tolist(), last.group.tolist()) == (1, [3], [1])


@pytest.mark.parametrize(
    ("context", "expected"),
    [({"store": 0}, [0, 2]), ({"store": 1}, [1, 2]), ({"store": -1}, [2]), ({}, [2])],
)
def test_only_offers_of_the_named_store_are_eligible(
    context: dict[str, int], expected: list[int]
) -> None:
    windows = [(0, 9)] * 3
    shelf = kind(3, offers=offers([[0], [1], [2]], windows, context={"store": [0, 1, -1]}))
    found = eligible(shelf, 0, 5, context)
    assert found is not None
    assert found.item.tolist() == expected


def test_window_audience_and_context_hold_at_once() -> None:
    deal = offers(
        [[0], [1], [2], [3]],
        [(0, 9), (0, 9), (0, 3), (0, 9)],
        audience=grouped([3, 2, 0]),
        context={"store": [4, 4, 4, 5]},
    )
    assert open_groups(deal, 0, 5, {"store": 4}).tolist() == [0]
    assert open_groups(deal, 0, 2, {"store": 4}).tolist() == [0, 2]


def test_an_items_own_window_narrows_its_offers() -> None:
    deal = offers([[0, 1]], [(0, 100)])
    found = eligible(kind(2, offers=deal, window=[(0, 5), (5, 9)]), -1, 6, {})
    assert found is not None
    assert (found.item.tolist(), found.offer_row.tolist()) == ([1], [1])


spans = st.tuples(st.integers(0, 8), st.integers(0, 8))
groups_of_items = st.lists(
    st.tuples(st.lists(st.integers(0, 5), max_size=4), spans, st.integers(-1, 2)), max_size=6
)


@settings(deadline=None)
@given(groups=groups_of_items, at=st.integers(0, 8), store=st.integers(-1, 2))
def test_eligible_agrees_with_a_plain_loop(
    groups: list[tuple[list[int], tuple[int, int], int]], at: int, store: int
) -> None:
    deal = offers(
        [items for items, _, _ in groups],
        [span for _, span, _ in groups],
        context={"store": [code for _, _, code in groups]},
    )
    found = eligible(kind(6, start=3, offers=deal), -1, at, {"store": store})
    expected = [
        (item + 3, group)
        for group, (items, (start, end), code) in enumerate(groups)
        for item in items
        if start <= at < end and code in (-1, store)
    ]
    assert found is not None
    assert list(zip(found.item.tolist(), found.group.tolist(), strict=True)) == expected
    assert all(a < b for a, b in pairwise(found.offer_row.tolist()))
    assert np.array_equal(deal.item[found.offer_row] + 3, found.item)


def test_candidates_keep_narrow_integers() -> None:
    found = eligible(kind(2, offers=offers([[0, 1]], [(0, 9)])), -1, 1, {})
    assert found is not None
    assert found.item.dtype == found.group.dtype == ints().dtype
    assert found.offer_row.dtype == np.int64
