"""Probabilities: monotone, inside (0, 1), and about as often right as they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recprism.ranker.calibrate import ENOUGH_FOR_ISOTONIC, Calibration, fit_calibration


def drawn(n: int, shift: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits [n], and outcomes whose true logit is twice the given one plus `shift`."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(0, 1, n).astype(np.float32)
    true = 1 / (1 + np.exp(-(2 * logit + shift)))
    return logit, (rng.random(n) < true).astype(np.int8)


def far_and_wide(calibration: Calibration) -> np.ndarray:
    """Probabilities from far below to far above what was fitted."""
    return calibration(np.concatenate([[-1e6], np.linspace(-20, 20, 400), [1e6]]))


@pytest.mark.parametrize(
    ("n", "shift", "method"), [(2_000, -4.0, "platt"), (20_000, -2.0, "isotonic")]
)
def test_few_positives_get_platt_and_many_isotonic(n: int, shift: float, method: str) -> None:
    logit, label = drawn(n, shift)
    calibration = fit_calibration(logit, label)
    assert (calibration.method, calibration.positives) == (method, int(label.sum()))
    assert (label.sum() >= ENOUGH_FOR_ISOTONIC) == (method == "isotonic")
    true = 1 / (1 + np.exp(-(2 * logit + shift)))
    assert np.abs(calibration(logit) - true).mean() < 0.02
    assert calibration(logit).mean() == pytest.approx(label.mean(), rel=0.02)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(st.floats(-1e4, 1e4, width=32), st.booleans(), st.sampled_from([0.5, 1.0, 30.0])),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from([1, 400]),
)
def test_probabilities_rise_with_the_logit_and_stay_inside(
    rows: list[tuple[float, bool, float]], repeats: int
) -> None:
    logit = np.tile(np.array([row[0] for row in rows], np.float32), repeats)
    label = np.tile(np.array([row[1] for row in rows], np.int8), repeats)
    weight = np.tile(np.array([row[2] for row in rows], np.float32), repeats)
    found = far_and_wide(fit_calibration(logit, label, weight))
    assert np.isfinite(found).all()
    assert (found > 0).all()
    assert (found < 1).all()
    assert (np.diff(found) >= 0).all()


def test_a_perfect_ranker_is_sure_but_not_certain() -> None:
    logit = np.concatenate([np.full(500, -80.0), np.full(50, 80.0)]).astype(np.float32)
    found = fit_calibration(logit, (logit > 0).astype(np.int8))(np.array([-80.0, 80.0]))
    assert 0 < found[0] < 0.01
    assert 0.99 < found[1] < 1


def test_a_ranker_that_is_wrong_gets_the_mean_rate() -> None:
    logit, label = drawn(2_000, -3.0)
    found = far_and_wide(fit_calibration(-logit, label))
    np.testing.assert_allclose(found, label.mean(), rtol=1e-5)


@pytest.mark.parametrize(("label", "rate"), [([0] * 9, 0.05), ([1] * 9, 0.95), ([], 0.5)])
def test_outcomes_that_never_differ_give_one_probability(label: list[int], rate: float) -> None:
    logit = np.linspace(-1, 1, len(label)).astype(np.float32)
    calibration = fit_calibration(logit, np.array(label, np.int8))
    assert calibration.method == "none"
    np.testing.assert_allclose(far_and_wide(calibration), rate, rtol=1e-6)


@pytest.mark.parametrize("n", [2_000, 20_000])
def test_a_weight_counts_like_repeats(n: int) -> None:
    logit, label = drawn(n, -2.0)
    weight = np.where(label == 0, 3, 1)
    weighted = fit_calibration(logit, label, weight.astype(np.float32))
    repeated = fit_calibration(np.repeat(logit, weight), np.repeat(label, weight))
    np.testing.assert_allclose(weighted(logit), repeated(logit), rtol=0.02, atol=1e-3)
