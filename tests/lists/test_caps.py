from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.lists.shelves import ints

from recprism.lists import within_cap
from recprism.project.schema import Cap


def test_without_a_cap_everything_passes() -> None:
    assert within_cap(ints(1, 1, 1), None).tolist() == [True, True, True]


def test_an_item_stops_at_its_cap_counting_earlier_shows() -> None:
    cap = Cap(shows=2)
    assert within_cap(ints(1, 1, 1, 2), cap).tolist() == [True, True, False, True]
    assert within_cap(ints(1, 2, 3), cap, {1: 2, 2: 1}).tolist() == [False, True, True]


@settings(deadline=None)
@given(
    items=st.lists(st.integers(0, 5), max_size=40),
    shows=st.integers(1, 4),
    earlier=st.dictionaries(st.integers(0, 5), st.integers(0, 6)),
)
def test_caps_are_never_exceeded_and_stop_nothing_below_them(
    items: list[int], shows: int, earlier: dict[int, int]
) -> None:
    before = dict(earlier)
    keep = within_cap(ints(*items), Cap(shows=shows), earlier)
    shown = Counter(item for item, kept in zip(items, keep, strict=True) if kept)
    for item, wanted in Counter(items).items():
        assert shown[item] == min(wanted, max(0, shows - earlier.get(item, 0)))
    assert earlier == before
