"""Estimates for a policy that did not choose, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from recprism.errors import UsageError
from recprism.evaluate.offline import doubly_robust, inverse_propensity, self_normalized

REWARD = [1.0, 0.0, 1.0, 0.0]
PROPENSITY = [0.5, 0.5, 0.25, 1.0]
TARGET = [1.0, 0.0, 0.5, 0.25]
# The weights are 2, 0, 2 and 0.25.


def test_inverse_propensity_is_the_mean_of_weighted_rewards() -> None:
    found = inverse_propensity(REWARD, PROPENSITY, TARGET)
    assert found.value == pytest.approx((2 + 0 + 2 + 0) / 4)
    # The weighted rewards 2, 0, 2, 0 deviate by sqrt(4 / 3), their mean by half of it.
    assert found.high - found.value == pytest.approx(1.959964 * (4 / 3) ** 0.5 / 2)
    assert found.value - found.low == pytest.approx(found.high - found.value)
    assert found.effective_n == pytest.approx(4.25**2 / (4 + 4 + 0.0625))
    assert found.to_dict()["n"] == 4


def test_a_cap_on_weights_bounds_them() -> None:
    assert inverse_propensity(REWARD, PROPENSITY, TARGET, most=1.0).value == pytest.approx(0.5)


def test_self_normalized_is_a_weighted_mean() -> None:
    found = self_normalized(REWARD, PROPENSITY, TARGET)
    assert found.value == pytest.approx(4 / 4.25)
    # w (r - v) / mean w, of which the squares sum to:
    v, mean = 4 / 4.25, 4.25 / 4
    squares = (2 * (2 * (1 - v)) ** 2 + (0.25 * v) ** 2) / mean**2
    assert found.high - found.value == pytest.approx(1.959964 * (squares * 4 / 3) ** 0.5 / 4)


def test_doubly_robust_corrects_what_a_model_expects() -> None:
    expected, of_target = [0.5, 0.5, 0.5, 0.5], [0.6, 0.2, 0.4, 0.8]
    found = doubly_robust(REWARD, PROPENSITY, TARGET, expected, of_target)
    each = [0.6 + 2 * 0.5, 0.2, 0.4 + 2 * 0.5, 0.8 - 0.25 * 0.5]
    assert found.value == pytest.approx(sum(each) / 4)


def test_users_are_what_the_interval_counts() -> None:
    alone = inverse_propensity(REWARD * 2, PROPENSITY * 2, TARGET * 2)
    paired = inverse_propensity(REWARD * 2, PROPENSITY * 2, TARGET * 2, users=[0, 1, 2, 3] * 2)
    single = inverse_propensity(REWARD, PROPENSITY, TARGET)
    assert paired.value == alone.value == single.value
    assert paired.high == pytest.approx(single.high)
    assert alone.high < paired.high
    assert np.isnan(inverse_propensity(REWARD, PROPENSITY, TARGET, users=[7] * 4).high)


def test_all_three_find_what_another_policy_would_get() -> None:
    rng = np.random.default_rng(3)
    rates, logged, other = np.array([0.1, 0.3, 0.6]), np.array([0.7, 0.2, 0.1]), [0.1, 0.2, 0.7]
    shown = rng.choice(3, 40_000, p=logged)
    reward = (rng.random(len(shown)) < rates[shown]).astype(float)
    given = (reward, logged[shown], np.array(other)[shown])
    truth = rates @ other
    guess = np.array([0.2, 0.2, 0.5])
    robust = doubly_robust(*given, guess[shown], np.full(len(shown), guess @ other))
    for found in (inverse_propensity(*given), self_normalized(*given), robust):
        assert found.low < truth < found.high
        assert found.value == pytest.approx(truth, abs=0.03)
    assert (
        robust.high - robust.low < inverse_propensity(*given).high - inverse_propensity(*given).low
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (([], [], []), "There are no shows"),
        (([1.0], [0.0], [0.5]), "`propensity` goes from 0 to 0; what was shown"),
        (([1.0], [1.5], [0.5]), "goes from 1.5 to 1.5"),
        (([1.0], [0.5], [-0.5]), "`target` goes from -0.5 to -0.5; probabilities are needed"),
        (([1.0], [0.5, 0.5], [0.5]), r"`propensity` has shape \(2,\), the rewards have \(1,\)"),
    ],
)
def test_what_cannot_be_estimated_from_is_refused(
    given: tuple[list[float], ...], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        inverse_propensity(*given)


def test_a_policy_that_shows_nothing_of_it_has_no_estimate() -> None:
    assert inverse_propensity([1.0], [0.5], [0.0]).value == 0
    with pytest.raises(UsageError, match="shows nothing of what was shown"):
        self_normalized([1.0], [0.5], [0.0])
    with pytest.raises(UsageError, match=r"`expected_of_target` has shape \(2,\)"):
        doubly_robust([1.0], [0.5], [0.5], [0.1], [0.1, 0.1])
