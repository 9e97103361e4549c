"""The conformance kit of ranker architectures: subclass `ArchitectureKit` and run pytest.

class TestMyArchitecture(ArchitectureKit):
    architecture = MyArchitecture

The architecture must stand in `ranker.architectures.ARCHITECTURES` and be a word of the project
file's schema. Needs torch. `settings` are tried one after another: sizes of experts and the like.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from recprism.project.schema import Ranker as Config
from recprism.ranker.architectures.interface import Architecture
from recprism.ranker.calibrate import fit_calibration
from recprism.ranker.export import export_onnx
from recprism.ranker.features import Features
from recprism.ranker.loss import list_loss
from recprism.ranker.network import Network, measure_numbers
from recprism.ranker.samples import Samples
from recprism.ranker.scorer import TaskRanker
from recprism.ranker.train import TaskData, TrainedRanker, train_ranker
from recprism.ranker.validate import METRIC_K, list_ndcg, predict, prepare_samples
from recprism.testing.planted import CODES, config, funnel_lists, lists, nothing, task

RANDOM = 0.5
"""NDCG of a random order of the planted lists."""
LEARNED = 0.75
"""NDCG of a ranker that has found the planted rule."""
TASKS = ["big", "small", "color"]


class ArchitectureKit:
    """What every architecture must do."""

    architecture: ClassVar[type[Architecture]]
    settings: ClassVar[Mapping[str, Any]] = {}

    @pytest.fixture
    def kind(self) -> type[Architecture]:
        """The architecture under test; override it to walk a registry."""
        return self.architecture

    @pytest.fixture
    def setup(self, kind: type[Architecture]) -> Config:
        """A configuration small enough for tests."""
        return config(architecture=kind.name, **self.settings)

    def test_hidden_vectors_have_the_size_that_is_promised(
        self, kind: type[Architecture], setup: Config
    ) -> None:
        body = kind(7, 3, setup).eval()
        for index in range(3):
            for n in (1, 5):
                hidden = body(torch.randn(n, 7), index)
                assert hidden.shape == (n, body.size)
                assert torch.isfinite(hidden).all()

    def test_a_candidate_is_scored_for_itself(
        self, kind: type[Architecture], setup: Config
    ) -> None:
        body, inputs = kind(7, 2, setup).eval(), torch.randn(6, 7)
        alone = torch.cat([body(inputs[i : i + 1], 1) for i in range(6)])
        torch.testing.assert_close(body(inputs, 1), alone)

    def test_gates_are_shares_of_named_experts(
        self, kind: type[Architecture], setup: Config
    ) -> None:
        body = kind(7, 3, setup).eval()
        for index in range(3):
            names = body.expert_names(index, TASKS)
            assert len(set(names)) == len(names)
            levels = body.gates(torch.randn(4, 7), index)
            assert bool(levels) == bool(names)
            for weights in levels:
                assert weights.shape == (4, len(names))
                assert (weights >= 0).all()
                torch.testing.assert_close(weights.sum(dim=1), torch.ones(4))

    def test_the_gradient_reaches_all_that_the_task_uses(
        self, kind: type[Architecture], setup: Config
    ) -> None:
        body, inputs = kind(7, 3, setup), torch.randn(32, 7)
        for index in range(3):
            body.zero_grad()
            body(inputs, index).square().sum().backward()
            moved = _moved(body)
            assert moved
            for name, parameter in body.named_parameters():
                used = parameter.grad is not None
                assert used == (name in moved), name

    def test_tasks_share_something_unless_they_are_apart(
        self, kind: type[Architecture], setup: Config
    ) -> None:
        network, parts = _network([task(4, number=0), task(4, number=1)], setup)
        moved = []
        for index, part in enumerate(parts):
            network.zero_grad()
            prepared = prepare_samples(network, index, part)
            list_loss(network, index, prepared, np.arange(4)).backward()  # type: ignore[no-untyped-call]
            moved.append(_moved(network))
        assert all(moved)
        assert bool(moved[0] & moved[1]) != kind.apart

    def test_a_planted_rule_is_found_for_every_task(self, setup: Config) -> None:
        data = {"big": task(number=0), "small": task(40, seed=5, number=3), "color": task(color=2)}
        trained = train_ranker(data, CODES, setup.model_copy(update={"epochs": 12}))
        for index, name in enumerate(data):
            found = _ndcg(trained, index, data[name].valid)
            assert found > LEARNED, name
            assert found > trained.history[name][0] + 0.2

    def test_a_task_alone_is_learned_too(self, setup: Config) -> None:
        data = {"one": task(number=0)}
        assert _ndcg(train_ranker(data, CODES, setup), 0, data["one"].valid) > LEARNED

    def test_a_task_without_lists_spoils_nothing(self, setup: Config) -> None:
        data = {"rule": task(number=0), "nobody": TaskData(nothing(), nothing())}
        trained = train_ranker(data, CODES, setup)
        assert trained.history["nobody"] == [0.0]
        assert max(trained.history["rule"]) > LEARNED
        assert np.isfinite(predict(trained.networks[1], 1, data["rule"].valid)).all()

    def test_a_funnel_is_learned(self, setup: Config) -> None:
        data = {"shop": TaskData(funnel_lists(96, seed=1), funnel_lists(64, seed=2))}
        trained = train_ranker(data, CODES, setup)
        assert _ndcg(trained, 0, data["shop"].valid) > RANDOM + 0.1

    def test_the_same_seed_gives_the_same_ranker(self, setup: Config) -> None:
        data = {"one": task(number=1), "two": task(24, number=2)}

        def logits(seed: int) -> np.ndarray:
            changed = setup.model_copy(update={"seed": seed, "epochs": 2})
            trained = train_ranker(data, CODES, changed)
            return np.asarray(predict(trained.networks[0], 0, data["one"].valid))

        np.testing.assert_array_equal(logits(3), logits(3))
        assert not np.array_equal(logits(3), logits(4))

    def test_a_graph_scores_as_its_network_does(self, setup: Config) -> None:
        funnel = TaskData(funnel_lists(32, seed=1), funnel_lists(16, seed=2))
        data = {"one": task(32, number=0), "two": task(16, color=1), "shop": funnel}
        trained = train_ranker(data, CODES, setup.model_copy(update={"epochs": 2}))
        for index, (name, graph) in enumerate(export_onnx(trained).items()):
            for n in (1, 3, 20):
                part = lists(n, seed=50 + n)
                wanted = _exact(trained.networks[index], index, part)
                served = _open(graph, trained, index)
                features = Features(part.numbers.astype(np.float32), part.codes.astype(np.int32))
                outputs = served.session.run(None, _inputs(features))
                found = np.column_stack([*outputs[1:], outputs[0]])
                np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4, err_msg=name)

    def test_the_graph_of_a_task_holds_only_what_it_needs(
        self, kind: type[Architecture], setup: Config
    ) -> None:
        """What no gradient reaches from a task is not in its graph."""
        trained = train_ranker({name: task(8) for name in TASKS}, CODES, setup)
        graphs = export_onnx(trained)
        body = kind(7, 3, setup)
        body(torch.randn(8, 7), 0).sum().backward()
        used = [name for name, p in body.named_parameters() if p.grad is not None]
        unused = [name for name, p in body.named_parameters() if p.grad is None]
        for name in unused:
            assert f"body.{name}".encode() not in graphs[TASKS[0]], name
        assert all(f"body.{name}".encode() in graphs[TASKS[0]] for name in used)


def _moved(module: torch.nn.Module) -> set[str]:
    """Names of the parameters that got a gradient other than zero."""
    return {
        name
        for name, parameter in module.named_parameters()
        if parameter.grad is not None and parameter.grad.any()
    }


def _network(data: list[TaskData], setup: Config) -> tuple[Network, list[Samples]]:
    """A network whose heads are open: at first they are zero and hide what lies behind them."""
    torch.manual_seed(0)
    parts = [one.train for one in data]
    about = measure_numbers([part.numbers for part in parts])
    network = Network(about, list(CODES.values()), [1] * len(parts), setup)
    with torch.no_grad():
        for head in network.heads:
            head.weight.fill_(1.0)  # type: ignore[operator]
    return network, parts


def _ndcg(trained: TrainedRanker, index: int, part: Samples) -> float:
    return list_ndcg(predict(trained.networks[index], index, part)[:, -1], part, METRIC_K)


def _exact(network: Network, index: int, part: Samples) -> np.ndarray:
    """What the network says of numbers in full precision, as serving has them."""
    numbers = torch.from_numpy(part.numbers.astype(np.float32))
    codes = torch.from_numpy(part.codes.astype(np.int64))
    with torch.no_grad():
        return np.asarray(network(numbers, codes, index))


def _open(graph: bytes, trained: TrainedRanker, index: int) -> TaskRanker:
    flat = fit_calibration(np.zeros(0, np.float32), np.zeros(0, np.int8))
    return TaskRanker.open(graph, flat, trained.medians[index])


def _inputs(features: Features) -> dict[str, np.ndarray]:
    return {"numbers": features.numbers, "codes": features.codes.astype(np.int64)}
