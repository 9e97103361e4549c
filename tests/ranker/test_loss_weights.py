"""How much the loss of each task counts: equally, by numbers, or by learned uncertainty."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recprism.ranker.loss import TaskWeights
from recprism.ranker.train import TaskData, train_ranker
from recprism.ranker.validate import predict
from recprism.testing.planted import CODES, config, lists, task


def test_equal_and_given_weights_stay_as_they_are() -> None:
    loss = torch.tensor(3.0)
    assert float(TaskWeights(["a", "b"], "equal")(loss, 1)) == 3.0
    given = TaskWeights(["a", "b"], {"b": 0.5, "gone": 9.0})
    assert [float(given(loss, i)) for i in range(2)] == [3.0, 1.5]
    assert given.to_dict() == {"a": 1.0, "b": 0.5}
    assert not given.log_variance.requires_grad


def test_uncertainty_settles_where_a_loss_counts_its_inverse() -> None:
    """exp(-s) L + s / 2 is least at s = log(2 L), a weight of 1 / (2 L)."""
    weights = TaskWeights(["loud", "quiet"], "uncertainty")
    assert float(weights(torch.tensor(3.0), 0).detach()) == 3.0
    optimizer = torch.optim.Adam([weights.log_variance], lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        (weights(torch.tensor(4.0), 0) + weights(torch.tensor(0.5), 1)).backward()
        optimizer.step()
    found = weights.to_dict()
    assert found["loud"] == pytest.approx(1 / 8, rel=0.02)
    assert found["quiet"] == pytest.approx(1.0, rel=0.02)


def test_a_task_that_cannot_be_learned_counts_less_in_the_end() -> None:
    noise = TaskData(lists(64, seed=1), lists(64, seed=2))
    data = {"rule": task(number=0), "noise": noise}
    trained = train_ranker(data, CODES, config(loss_weights="uncertainty"))
    assert trained.loss_weights["noise"] < trained.loss_weights["rule"]
    assert max(trained.history["rule"]) > 0.75


def test_weights_change_what_is_learned_and_equal_ones_do_not() -> None:
    data = {"one": task(number=0), "two": task(number=1)}

    def logits(weights: object) -> np.ndarray:
        trained = train_ranker(data, CODES, config(epochs=2, loss_weights=weights))
        return np.asarray(predict(trained.networks[0], 0, data["one"].valid))

    np.testing.assert_array_equal(logits("equal"), logits({"one": 1.0}))
    assert not np.array_equal(logits("equal"), logits({"one": 0.1}))
