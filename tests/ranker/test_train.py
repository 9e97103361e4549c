"""A ranker finds a planted rule, stops in time, and gives the same for the same seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from recprism.project.schema import Ranker as Config
from recprism.ranker.loss import POINTWISE, list_loss
from recprism.ranker.network import CLIP, Network, measure_numbers
from recprism.ranker.samples import Samples
from recprism.ranker.train import (
    AVERAGING,
    TaskData,
    _average,
    _expected_best,
    train_ranker,
)
from recprism.ranker.validate import METRIC_K, list_ndcg, predict, prepare_samples
from recprism.testing.planted import CODES, N_NUMBERS, SIZE, config, lists, task

LEARNED = 0.75
"""NDCG of a ranker that has found the rule; one at random has 0.5."""


def test_history_begins_before_training_and_ends_after_the_last_epoch() -> None:
    steps: list[float] = []
    trained = train_ranker(
        {"one": task(number=0)}, CODES, config(), progress=lambda _, done: steps.append(done)
    )
    assert len(trained.history["one"]) == config().epochs + 1
    assert steps[-1] == 1.0
    assert steps == sorted(steps)


def test_a_task_stops_after_so_many_epochs_without_gain_and_keeps_its_best() -> None:
    noise = TaskData(lists(48, seed=1), lists(48, seed=2))
    settings = config(epochs=30, patience=2)
    trained = train_ranker({"noise": noise}, CODES, settings)
    history = trained.history["noise"]
    assert len(history) < settings.epochs + 1
    assert len(history) - 1 - int(np.argmax(history)) == settings.patience
    kept = list_ndcg(predict(trained.networks[0], 0, noise.valid)[:, 0], noise.valid, METRIC_K)
    assert kept == pytest.approx(max(history), abs=1e-9)


def test_one_task_may_stop_while_another_learns_on() -> None:
    data = {"noise": TaskData(lists(24, seed=1), lists(24, seed=2)), "rule": task(number=0)}
    history = train_ranker(data, CODES, config(epochs=12, patience=2)).history
    assert len(history["noise"]) < len(history["rule"])


def test_without_outcomes_to_validate_on_the_last_epoch_is_kept() -> None:
    blind = lists(8, seed=3, number=0)
    blind = replace(blind, label=np.zeros_like(blind.label), hits=np.zeros_like(blind.hits))
    trained = train_ranker({"rule": TaskData(task(number=0).train, blind)}, CODES, config())
    valid = task(number=0).valid
    assert list_ndcg(predict(trained.networks[0], 0, valid)[:, 0], valid, METRIC_K) > LEARNED


def test_medians_are_those_of_the_training_numbers() -> None:
    one = task(number=0)
    trained = train_ranker({"one": one}, CODES, config(epochs=1))
    wanted = np.median(one.train.numbers.astype(np.float32), axis=0)
    np.testing.assert_allclose(trained.medians[0], wanted, atol=1e-3)


def a_network(parts: list[Samples], settings: Config) -> Network:
    torch.manual_seed(0)
    about = measure_numbers([part.numbers for part in parts])
    n_actions = [1 + part.earlier.shape[1] for part in parts]
    return Network(about, list(CODES.values()), n_actions, settings)


def test_the_loss_is_the_listwise_softmax_plus_cross_entropy() -> None:
    samples = lists(3, seed=4, number=0)
    label, weight = samples.label.copy(), np.ones(len(samples.label), np.float32)
    label[1] = 1  # the first list has one or two hits, the last one none
    label[2 * SIZE :] = 0
    weight[label == 0] = 2.5
    samples = replace(samples, label=label, weight=weight)
    network = a_network([samples], config())
    with torch.no_grad():
        for linear in network.linear:
            linear.weight.normal_()  # type: ignore[operator]
    logit = predict(network, 0, samples)[:, 0].astype(np.float64)
    listwise, pointwise = [], 0.0
    for rows in (slice(0, SIZE), slice(SIZE, 2 * SIZE), slice(2 * SIZE, 3 * SIZE)):
        score, hit, rate = logit[rows], label[rows], weight[rows]
        share = np.exp(score) / (rate * np.exp(score)).sum()
        if hit.any():
            listwise.append(-np.log(share[hit == 1]).mean())
        probability = 1 / (1 + np.exp(-score))
        surprise = -np.log(np.where(hit == 1, probability, 1 - probability))
        pointwise += float((rate * surprise).sum())
    wanted = np.mean(listwise) + POINTWISE * pointwise / weight.sum()
    found = list_loss(network, 0, prepare_samples(network, 0, samples), np.arange(3))
    assert float(found.detach()) == pytest.approx(wanted, rel=1e-2)


@pytest.mark.parametrize(
    ("score", "label", "hits", "wanted"),
    [
        ([3, 2, 1], [1, 0, 0], 1, 1.0),
        ([1, 2, 3], [1, 0, 0], 1, 1 / np.log2(4)),
        ([3, 2, 1], [0, 0, 0], 1, 0.0),
        ([3, 2, 1], [1, 0, 0], 2, 1 / (1 + 1 / np.log2(3))),
        ([3, 2, 1], [1, 1, 1], 5, 1.0),
    ],
)
def test_ndcg_of_hand_worked_lists(
    score: list[float], label: list[int], hits: int, wanted: float
) -> None:
    """At a cut-off of 2, beside a list that has nothing to find and does not count."""
    empty = lists(1, seed=0)
    n = len(score)
    samples = replace(
        empty,
        item=np.arange(n + 2, dtype=np.int32),
        label=np.array([*label, 0, 0], np.int8),
        offsets=np.array([0, n, n + 2], np.int64),
        user=np.zeros(2, np.int32),
        hits=np.array([hits, 0], np.int32),
    )
    wanted = wanted if score[0] == 3 else 0.0  # the hit of the reversed list is beyond the cut-off
    assert list_ndcg(np.array([*score, 1, 2], np.float32), samples, 2) == pytest.approx(wanted)


def test_an_item_with_several_offers_stands_in_a_list_once() -> None:
    """Three offers of one hit at ranks 1, 2 and 4 beside two other items, one of them a hit."""
    one = replace(
        lists(1, seed=0),
        item=np.array([7, 7, 8, 7, 9], np.int32),
        label=np.array([1, 1, 0, 1, 1], np.int8),
        offsets=np.array([0, 5], np.int64),
        hits=np.array([2], np.int32),
    )
    wanted = (1 + 1 / np.log2(4)) / (1 + 1 / np.log2(3))
    assert list_ndcg(np.array([5, 4, 3, 2, 1], np.float32), one, 10) == pytest.approx(wanted)


def test_a_weight_is_the_best_where_many_lists_say_so_and_the_middle_where_few_do() -> None:
    choices = (0.0, 0.25, 0.5, 1.0)
    rng = np.random.default_rng(0)
    noise = [rng.normal(0, 0.01, 1000) for _ in choices]
    clear = [place + one for place, one in zip((0.1, 0.2, 0.1, 0.0), noise, strict=True)]
    assert _expected_best(choices, clear) == pytest.approx(0.25, abs=1e-6)
    assert _expected_best(choices, [np.ones(30)] * 4) == pytest.approx(np.mean(choices))
    assert _expected_best(choices, [np.zeros(0)] * 4) == 0.0
    # Two lists: the gaps are 0 and 0.2, their mean 0.1 is one standard error (0.1 / sqrt(1)).
    open_question = [np.array([0.5, 0.5]), np.array([0.5, 0.3])]
    e = np.exp(-0.5)
    assert _expected_best((0.0, 1.0), open_question) == pytest.approx(e / (1 + e))


def test_training_uses_one_thread_and_gives_the_others_back() -> None:
    seen: list[int] = []
    torch.set_num_threads(2)
    try:
        train_ranker(
            {"one": task(8, number=0)},
            CODES,
            config(epochs=1),
            progress=lambda *_: seen.append(torch.get_num_threads()),
        )
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert seen == [1]


def test_numbers_are_standardized_per_task_and_clipped() -> None:
    parts = [lists(40, seed=1), lists(40, seed=2)]
    parts[1] = replace(parts[1], numbers=(parts[1].numbers * 10).astype(np.float16))
    network = a_network(parts, config())
    for i, part in enumerate(parts):
        standard = network.prepare(torch.from_numpy(part.numbers.astype(np.float32)), i).numpy()
        np.testing.assert_allclose(standard.mean(axis=0), 0, atol=0.05)
        np.testing.assert_allclose(standard.std(axis=0), 1, atol=0.05)
    far = torch.full((1, N_NUMBERS), 60_000.0)
    assert float(network.prepare(far, 0).max()) <= CLIP
    assert float(network.prepare(-far, 0).min()) >= -CLIP


def test_a_number_that_never_changes_does_no_harm() -> None:
    numbers = np.zeros((10, 3), np.float16)
    numbers[:, 1] = 7.0
    numbers[:, 2] = np.arange(10)
    scale, mean, spread = measure_numbers([numbers, numbers[:0]])
    assert np.isfinite([*scale, *mean.ravel(), *spread.ravel()]).all()
    assert spread[0, :2].tolist() == [1.0, 1.0]
    assert (scale > 0).all()


def test_the_average_of_the_weights_soon_forgets_the_first_batches() -> None:
    averaged, ones = [torch.zeros(1)], [torch.ones(1)]
    for n in range(1, 20):
        _average(averaged, ones, torch.tensor(n))
    assert float(averaged[0]) > 0.99
    late = [torch.zeros(1)]
    _average(late, ones, torch.tensor(10**6))
    assert float(late[0]) == pytest.approx(1 - AVERAGING, rel=1e-3)
