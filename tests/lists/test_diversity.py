from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.lists.shelves import ints
from tests.reference.plain_lists import mmr_by_label

from recprism.lists import diversify

entries = st.lists(
    st.tuples(st.floats(-1e6, 1e6, width=32), st.integers(-1, 4)), min_size=1, max_size=12
)


def test_the_second_item_of_a_label_gives_way_to_a_fresh_one() -> None:
    scores = np.array([1.0, 0.9, 0.8, 0.0])
    assert diversify(scores, ints(0, 0, 1, 1), 0.5, 2).tolist() == [0, 2]
    assert diversify(scores, ints(0, 0, 1, 1), 0.05, 2).tolist() == [0, 1]


def test_items_without_label_are_like_nothing_else() -> None:
    scores = np.array([1.0, 0.9, 0.8])
    assert diversify(scores, ints(-1, -1, -1), 1.0, 3).tolist() == [0, 1, 2]


@pytest.mark.parametrize("n_out", [0, 2, 9])
def test_at_most_n_out_items_are_picked(n_out: int) -> None:
    picked = diversify(np.array([1.0, 2.0, 3.0]), ints(0, 1, 2), 0.3, n_out)
    assert len(picked) == min(n_out, 3)
    assert len(diversify(np.zeros(0), ints(), 0.3, n_out)) == 0


def test_the_largest_scores_do_not_overflow() -> None:
    scores = np.array([-1.7e308, 1.7e308])
    assert diversify(scores, ints(0, 0), 0.5, 2).tolist() == [1, 0]


@settings(deadline=None)
@given(entries=entries, strength=st.floats(0, 1))
def test_the_picks_are_a_permutation(entries: list[tuple[float, int]], strength: float) -> None:
    scores = np.array([score for score, _ in entries])
    labels = ints(*(label for _, label in entries))
    picked = diversify(scores, labels, strength, len(entries)).tolist()
    assert sorted(picked) == list(range(len(entries)))


@settings(deadline=None)
@given(entries=entries)
def test_strength_zero_keeps_the_order_of_scores(entries: list[tuple[float, int]]) -> None:
    scores = np.array([score for score, _ in entries])
    picked = diversify(scores, ints(*(label for _, label in entries)), 0.0, len(entries))
    assert picked.tolist() == sorted(range(len(entries)), key=lambda i: (-scores[i], i))


@settings(deadline=None)
@given(
    entries=st.lists(st.tuples(st.integers(0, 8), st.integers(-1, 3)), min_size=1, max_size=10),
    strength=st.sampled_from([0.0, 0.125, 0.25, 0.5, 0.75, 1.0]),
)
def test_one_sort_picks_the_same_as_greedy_mmr(
    entries: list[tuple[int, int]], strength: float
) -> None:
    scores = [float(score) for score, _ in entries]
    labels = [label for _, label in entries]
    picked = diversify(np.array(scores), ints(*labels), strength, len(entries)).tolist()
    assert picked == mmr_by_label(scores, labels, strength)
