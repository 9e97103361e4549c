"""Actions that lead to a goal: chained probabilities, their loss, their samples, their serving."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from recprism.data.dataset import DAY_US, UNKNOWN
from recprism.ranker.calibrate import Calibration, fit_calibration
from recprism.ranker.export import export_onnx
from recprism.ranker.features import Features, FeatureSpec
from recprism.ranker.loss import POINTWISE, list_loss
from recprism.ranker.network import Network, chain_logits, measure_numbers
from recprism.ranker.occasions import Occasions, weekly_occasions
from recprism.ranker.samples import MOST_POSITIVES, Samples, Sampling, make_samples
from recprism.ranker.scorer import TaskRanker
from recprism.ranker.train import TaskData, TrainedRanker, train_ranker
from recprism.ranker.validate import predict, prepare_samples
from recprism.signals.plan import TaskPlan
from recprism.testing.planted import CODES, SIZE, config, funnel_lists, lists, task
from recprism.testing.signals import CUT, SignalShop, plant_events

WHOLE = Sampling(shortlist=60, negatives=None, only_hits=False, seed=0)
FEW = Sampling(shortlist=60, negatives=5, only_hits=True, seed=0)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x.astype(np.float64))))


def test_a_chained_probability_is_the_product_of_the_steps() -> None:
    steps = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)) * 2
    found = sigmoid(chain_logits(steps).numpy())
    np.testing.assert_allclose(found, np.cumprod(sigmoid(steps.numpy()), axis=1), rtol=1e-4)


def test_a_chain_of_one_is_left_alone() -> None:
    steps = torch.randn(5, 1)
    assert chain_logits(steps) is steps


@pytest.mark.parametrize("far", [-80.0, 80.0])
def test_a_chain_stays_finite_where_probabilities_reach_0_or_1(far: float) -> None:
    steps = torch.full((1, 3), far, requires_grad=True)
    chain = chain_logits(steps)
    assert torch.isfinite(chain).all()
    chain.sum().backward()  # type: ignore[no-untyped-call]
    assert steps.grad is not None
    assert torch.isfinite(steps.grad).all()
    # P = p^3 near 0, and 1 - P = 3 (1 - p) near 1.
    wanted = 3 * far if far < 0 else far - np.log(3)
    assert float(chain[0, 2].detach()) == pytest.approx(wanted, rel=1e-5)


def test_the_loss_takes_the_cross_entropy_of_every_action_over_all_candidates() -> None:
    samples = funnel_lists(9, seed=4)
    about = measure_numbers([samples.numbers])
    network = Network(about, list(CODES.values()), [3], config())
    with torch.no_grad():
        network.linear[0].weight.normal_()  # type: ignore[operator]
    logit = predict(network, 0, samples).astype(np.float64)
    surprise = 0.0
    for action in range(3):
        chance, reached = sigmoid(logit[:, action]), samples.reached[:, action] == 1
        surprise += float(-np.log(np.where(reached, chance, 1 - chance)).mean())
    listwise = []
    for i in range(9):
        rows = slice(i * SIZE, (i + 1) * SIZE)
        score, hit = logit[rows, -1], samples.label[rows] == 1
        if hit.any():
            listwise.append(float((np.log(np.exp(score).sum()) - score[hit]).mean()))
    found = list_loss(network, 0, prepare_samples(network, 0, samples), np.arange(9))
    wanted = np.mean(listwise) + POINTWISE * surprise
    assert float(found.detach()) == pytest.approx(wanted, rel=1e-2)


def test_rates_of_every_action_are_learned() -> None:
    data = {"shop": TaskData(funnel_lists(400, seed=1), funnel_lists(200, seed=2))}
    ranker = train_ranker(data, CODES, config(epochs=12))
    valid = data["shop"].valid
    chances = sigmoid(predict(ranker.networks[0], 0, valid))
    assert (np.diff(chances, axis=1) <= 1e-6).all()
    for action in range(3):
        known, reached = chances[:, action], valid.reached[:, action]
        error = float(((known - reached) ** 2).mean())
        assert error < 0.9 * float(reached.var()), action
        assert known.mean() == pytest.approx(reached.mean(), abs=0.05)


def test_the_personal_rule_raises_every_step() -> None:
    data = {"shop": TaskData(funnel_lists(12, seed=1), funnel_lists(100, seed=2))}
    settings = config(epochs=1, learning_rate=1e-4)
    plain = train_ranker(data, CODES, settings)
    leaning = train_ranker(data, CODES, settings, rule=0)
    assert leaning.leaning["shop"] > 0
    moved = [
        (b.weight - a.weight).detach()[:, 0]  # type: ignore[operator]
        for a, b in zip(plain.networks[0].linear, leaning.networks[0].linear, strict=True)
    ]
    assert (moved[0] > 0).all()
    steps = moved[0].tolist()
    assert steps == pytest.approx([steps[0]] * len(steps), rel=1e-3)


def served(ranker: TrainedRanker, curves: list[Calibration]) -> TaskRanker:
    *earlier, goal = curves
    return TaskRanker.open(export_onnx(ranker)["shop"], goal, ranker.medians[0], earlier)


def test_serving_gives_a_chance_for_every_action_and_none_below_a_later_one() -> None:
    data = {"shop": TaskData(funnel_lists(64, seed=1), funnel_lists(64, seed=2))}
    ranker = train_ranker(data, CODES, config(epochs=4))
    valid = data["shop"].valid
    logits = predict(ranker.networks[0], 0, valid)
    curves = [fit_calibration(logits[:, a], valid.reached[:, a]) for a in range(3)]
    features = Features(valid.numbers.astype(np.float32), valid.codes.astype(np.int32))
    found = served(ranker, curves).chances(features)
    np.testing.assert_allclose(found.logit, logits[:, -1], atol=2e-2)
    np.testing.assert_allclose(found.goal, curves[-1](found.logit))
    assert found.earlier.shape == (len(found.goal), 2)
    assert (found.earlier[:, 0] >= found.earlier[:, 1]).all()
    assert (found.earlier[:, 1] >= found.goal).all()
    assert found.earlier[:, 0].mean() == pytest.approx(valid.reached[:, 0].mean(), abs=0.03)
    crossed = served(ranker, [curves[2], curves[1], curves[0]]).chances(features)
    assert (crossed.earlier >= crossed.goal[:, None]).all()


def test_an_empty_list_has_no_chances() -> None:
    data = {"shop": TaskData(funnel_lists(8, seed=1), funnel_lists(8, seed=2))}
    ranker = train_ranker(data, CODES, config(epochs=1))
    flat = fit_calibration(np.zeros(0, np.float32), np.zeros(0, np.int8))
    nobody = Features(np.zeros((0, 5), np.float32), np.zeros((0, 2), np.int32))
    found = served(ranker, [flat] * 3).chances(nobody)
    assert found.goal.shape == (0,)
    assert found.earlier.shape == (0, 2)


def test_a_task_without_a_funnel_has_no_earlier_chances() -> None:
    ranker = train_ranker({"shop": task(8, number=0)}, CODES, config(epochs=1))
    flat = fit_calibration(np.zeros(0, np.float32), np.zeros(0, np.int8))
    part = lists(2, seed=0)
    features = Features(part.numbers.astype(np.float32), part.codes.astype(np.int32))
    found = served(ranker, [flat]).chances(features)
    assert found.earlier.shape == (2 * SIZE, 0)


REDEEM = 1
"""An action of the shop that nobody takes on products, so that a test may plant it as `view`."""


def with_funnel(shop: SignalShop, *funnel: int) -> TaskPlan:
    return replace(shop.plans["products"], funnel=funnel)


def made(
    shop: SignalShop, spec: FeatureSpec, plan: TaskPlan, sampling: Sampling, viewed: list[int]
) -> Samples:
    """Samples of everyone, where user 0 has looked at some products after the cut."""
    log = plant_events(shop.log, [0], viewed, REDEEM, CUT + DAY_US)
    occasions = weekly_occasions(shop.log, CUT)
    found = make_samples(spec, shop.snapshot, log, [plan], occasions, sampling)
    return found[plan.name]


def test_who_reached_the_goal_has_reached_what_leads_to_it(
    shop: SignalShop, spec: FeatureSpec
) -> None:
    viewed = [0, 1, 2]
    samples = made(shop, spec, with_funnel(shop, REDEEM, UNKNOWN), WHOLE, viewed)
    plain = made(shop, spec, shop.plans["products"], WHOLE, viewed)
    assert samples.earlier.shape == (len(samples.label), 2)
    assert plain.earlier.shape == (len(plain.label), 0)
    np.testing.assert_array_equal(samples.label, plain.label)
    np.testing.assert_array_equal(samples.hits, plain.hits)
    assert (np.diff(samples.reached.astype(int), axis=1) <= 0).all()
    # Nobody has taken the second action, so only purchases count for it.
    np.testing.assert_array_equal(samples.earlier[:, 1], samples.label)
    rows = slice(int(samples.offsets[0]), int(samples.offsets[1]))
    assert samples.user[0] == 0
    looked = np.isin(samples.item[rows], viewed) | (samples.label[rows] == 1)
    np.testing.assert_array_equal(samples.earlier[rows, 0] == 1, looked)
    others = slice(int(samples.offsets[1]), None)
    np.testing.assert_array_equal(samples.earlier[others, 0], samples.label[others])


def test_a_list_that_ends_before_the_goal_teaches_too(shop: SignalShop, spec: FeatureSpec) -> None:
    """User 0 looks at all products; beside the negatives, so many of those are kept."""
    viewed = list(range(60))
    plan, asked = with_funnel(shop, REDEEM), Occasions(np.zeros(1, np.int32), np.array([CUT]))
    log = plant_events(shop.log, [0], viewed, REDEEM, CUT + DAY_US)
    nothing_bought = replace(plan, goal=replace(plan.goal, action=UNKNOWN))
    for sampling in (WHOLE, FEW):
        found = make_samples(spec, shop.snapshot, log, [nothing_bought], asked, sampling)
        samples = found["products"]
        assert samples.hits.tolist() == [0]
        assert not samples.label.any()
        assert samples.earlier.all()
    assert len(samples.earlier) == MOST_POSITIVES
    assert samples.weight.sum() == pytest.approx(60, rel=1e-5)
