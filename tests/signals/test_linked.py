"""What linked items borrow, against one span at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference import plain_signals as plain

from recprism.data.dataset import Grouped
from recprism.signals.linked import Spans, gather_links, thin


def gathered(spans: list[list[list[float]]], n_columns: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """(fast, plain) for spans of rows of `n_columns` numbers."""
    tables = [np.array(span, np.float32).reshape(-1, n_columns) for span in spans]
    values = np.concatenate([*tables, np.zeros((0, n_columns), np.float32)])
    counts = np.array([len(table) for table in tables], np.int64)
    starts = np.cumsum(counts) - counts
    sparse = bool((values >= 0).all())  # then the quick route may be taken
    weight = np.ones(len(values), np.float32)
    fast = gather_links(values, weight, Spans(starts, counts, counts), sparse=sparse)
    return fast, plain.gather_links(tables, n_columns)


NUMBER = st.sampled_from([-2.0, -0.5, 0.0, 0.25, 1.0, 3.5])  # few values, so that ties are common


@settings(deadline=None)
@given(st.lists(st.lists(st.lists(NUMBER, min_size=2, max_size=2), max_size=6), max_size=7))
def test_agrees_with_one_span_at_a_time(spans: list[list[list[float]]]) -> None:
    fast, slow = gathered(spans)
    assert fast.shape == (3, len(spans), 2)
    np.testing.assert_allclose(fast, slow, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("values", "largest", "top_three", "total"),
    [
        ([1, 5, 2, 4], 5, 11 / 3, 12 / 2),
        ([5, 5, 5, 5], 5, 5, 10),
        ([3], 3, 3, 3),
        ([3, 1], 3, 2, 4 / np.sqrt(2)),
        ([-3, -1], -1, -2, -4 / np.sqrt(2)),
        ([], 0, 0, 0),
    ],
)
def test_hand_worked_numbers(
    values: list[float], largest: float, top_three: float, total: float
) -> None:
    spans = [[], [[value, 0.0] for value in values], [[9.0, 9.0]]]
    fast, _ = gathered(spans)
    np.testing.assert_allclose(fast[:, 1, 0], [largest, top_three, total], rtol=1e-6)
    np.testing.assert_allclose(fast[:, 0], 0)
    np.testing.assert_allclose(fast[:, 2], 9)


def test_one_target_each_is_the_target_itself() -> None:
    fast, slow = gathered([[[1.0, -2.0]], [[0.5, 3.0]]])
    np.testing.assert_allclose(fast, slow)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 5), max_size=9), min_size=1, max_size=5), st.booleans())
def test_looking_at_three_of_those_alike_changes_nothing(
    rows: list[list[int]], with_sparse: bool
) -> None:
    alike = np.array([0, 0, 1, 1, 1, 2], np.int32)
    number = np.array([[0.5, -1.0], [2.0, 3.0], [0.0, 0.0]], np.float32)[alike]
    number = np.abs(number) if with_sparse else number
    row = np.repeat(np.arange(len(rows)), [len(items) for items in rows])
    items = np.array([item for row_items in rows for item in row_items], np.int32)
    links = thin(Grouped.build(row.astype(np.int32), items, len(rows)), alike)
    every = np.arange(len(rows), dtype=np.int32)
    places, starts = links.targets.places(every)
    spans = Spans(starts, links.targets.counts(every), links.size)
    fast = gather_links(
        number[links.targets.values[places]], links.weight[places], spans, sparse=with_sparse
    )
    slow = plain.gather_links([number[items] for items in rows], 2)
    np.testing.assert_allclose(fast, slow, rtol=1e-5, atol=1e-6)
    assert (np.bincount(row, minlength=len(rows)) == links.size).all()
