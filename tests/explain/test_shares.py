from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recprism.explain import normalize_shares


@pytest.mark.parametrize(
    ("drops", "shares"),
    [
        ([3.0, 1.0], [0.75, 0.25]),
        ([3.0, -1.0, 1.0], [0.75, 0.0, 0.25]),
        ([0.0, -2.0], [0.5, 0.5]),
        ([math.nan, 2.0], [0.0, 1.0]),
        ([math.inf], [1.0]),
        ([], []),
    ],
)
def test_shares_of_known_drops(drops: list[float], shares: list[float]) -> None:
    assert normalize_shares(drops) == pytest.approx(shares)


@settings(deadline=None)
@given(drops=st.lists(st.floats(allow_nan=True), min_size=1, max_size=8))
def test_shares_sum_to_one_and_are_never_negative(drops: list[float]) -> None:
    shares = normalize_shares(drops)
    assert len(shares) == len(drops)
    assert all(0.0 <= share <= 1.0 for share in shares)
    assert math.fsum(shares) == pytest.approx(1.0, abs=1e-9)
