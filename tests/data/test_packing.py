"""Packed rows agree with a plain sort of tuples."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recprism.data import packing as packing_module
from recprism.data.packing import Packing, sorted_distinct, starts_of_runs


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 9)] * 4)), st.sampled_from([2**63, 5_000, 150]))
def test_sorted_distinct_rows_unpack_to_the_rows_packed(
    rows: list[tuple[int, int, int, int]], limit: int
) -> None:
    # A small limit makes the packing rank its numbers half way, as too many columns would.
    before, packing_module._LIMIT = packing_module._LIMIT, limit
    try:
        table = np.array(rows, np.int64).reshape(-1, 4)
        packing = Packing(len(rows))
        for column in range(4):
            packing.push(str(column), table[:, column], 10)
        key, again = sorted_distinct(packing.key)
        found = packing.unpack(key)
        repeats = packing.unpack(again)
    finally:
        packing_module._LIMIT = before
    expected = sorted(set(rows))
    assert list(zip(*(found[str(c)].tolist() for c in range(4)), strict=True)) == expected
    for row in zip(*(repeats[str(c)].tolist() for c in range(4)), strict=True):
        assert rows.count(row) > 1
    runs = starts_of_runs([found["0"]], len(key))
    assert len(runs) == len({row[0] for row in rows})


def test_codes_come_back_in_the_smallest_type() -> None:
    packing = Packing(2)
    packing.push("small", np.array([0, 9]), 10)
    packing.push("large", np.array([0, 70_000]), 100_000)
    found = packing.unpack(packing.key)
    assert found["small"].dtype == np.uint8
    assert found["large"].dtype == np.uint32
    assert found["large"].tolist() == [0, 70_000]
