"""What goes with what: hand-worked cosines per pair of actions, the latest items, and saving."""

from __future__ import annotations

import numpy as np
import pytest
from tests.signals.logs import Row, log_of

from recprism.signals import together
from recprism.signals.together import ANY, Nearest, Together

VIEW, BUY = 0, 1
N_ITEMS, N_USERS = 4, 3
ROWS: list[Row] = [
    (0, 0, BUY, 1.0, -1),
    (0, 1, VIEW, 2.0, -1),
    (0, 1, VIEW, 3.0, -1),
    (1, 0, BUY, 1.0, -1),
    (1, 1, VIEW, 1.0, -1),
    (1, 2, BUY, 2.0, -1),
    (2, 1, VIEW, 1.0, -1),
]
PAIRS = [(ANY, ANY), (BUY, ANY), (ANY, BUY), (BUY, BUY), (VIEW, VIEW)]


@pytest.fixture
def fitted() -> Together:
    return Together.fit(log_of(ROWS, N_USERS), N_ITEMS, PAIRS)


def sums(fitted: Together, pair: tuple[int, int], *source: int) -> list[float]:
    found: list[float] = fitted.sum_of(pair, np.array(source, np.int32)).tolist()
    return found


def test_users_in_common_are_divided_by_the_roots_of_both(fitted: Together) -> None:
    both = 2 / np.sqrt(2 * 3)  # two buy 0, three view 1, two do both
    one = 1 / np.sqrt(2 * 1)
    assert sums(fitted, (BUY, ANY), 0) == pytest.approx([0.0, both, one, 0.0])
    assert sums(fitted, (BUY, BUY), 0) == pytest.approx([0.0, 0.0, one, 0.0])
    assert sums(fitted, (ANY, BUY), 1) == pytest.approx([both, 0.0, 1 / np.sqrt(3), 0.0])


def test_several_sources_add_up_and_none_give_zeros(fitted: Together) -> None:
    apart = np.add(sums(fitted, (ANY, ANY), 0), sums(fitted, (ANY, ANY), 2))
    assert sums(fitted, (ANY, ANY), 0, 2) == pytest.approx(apart.tolist())
    assert sums(fitted, (ANY, ANY)) == [0.0] * N_ITEMS


def test_no_item_goes_with_itself_and_unknown_pairs_say_nothing(fitted: Together) -> None:
    assert sums(fitted, (VIEW, VIEW), 1) == [0.0] * N_ITEMS
    assert sums(fitted, (VIEW, BUY), 1) == [0.0] * N_ITEMS


def test_only_the_nearest_and_the_latest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "NEIGHBORS", 1)
    nearest = Together.fit(log_of(ROWS, N_USERS), N_ITEMS, [(ANY, ANY)])
    assert np.count_nonzero(sums(nearest, (ANY, ANY), 0)) == 1
    monkeypatch.setattr(together, "MOST_ITEMS", 1)
    latest = Together.fit(log_of(ROWS, N_USERS), N_ITEMS, [(ANY, ANY)])
    assert sums(latest, (ANY, ANY), 0) == [0.0] * N_ITEMS, "a single item of a user has no company"


def test_what_is_saved_says_the_same(fitted: Together) -> None:
    again = Together.from_arrays(fitted.to_arrays())
    assert list(again.of_pair) == PAIRS
    assert all(isinstance(part, Nearest) for part in again.of_pair.values())
    for pair in PAIRS:
        assert sums(again, pair, 0, 1, 2) == sums(fitted, pair, 0, 1, 2)


def test_an_empty_log_is_no_trouble() -> None:
    nothing = Together.fit(log_of([], 0), N_ITEMS, PAIRS)
    assert sums(nothing, (ANY, ANY), 0) == [0.0] * N_ITEMS
