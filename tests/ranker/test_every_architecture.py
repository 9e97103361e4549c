"""The table of architectures goes through the kit: a new one cannot skip it."""

from __future__ import annotations

from typing import Any, ClassVar, get_args

import numpy as np
import pytest
import torch

from recprism.project.schema import Ranker as Config
from recprism.ranker.architectures import ARCHITECTURES, Architecture
from recprism.ranker.architectures.ple import Ple
from recprism.ranker.train import train_ranker
from recprism.testing.architectures import ArchitectureKit
from recprism.testing.planted import CODES, config, task


class TestEveryArchitecture(ArchitectureKit):
    @pytest.fixture(params=ARCHITECTURES.values(), ids=list(ARCHITECTURES))
    def kind(self, request: pytest.FixtureRequest) -> type[Architecture]:
        found: type[Architecture] = request.param
        return found


class TestDeepPle(ArchitectureKit):
    architecture = Ple
    settings: ClassVar[dict[str, Any]] = {"extraction_layers": 3, "expert_size": 8}


def test_the_architectures_are_those_of_the_project_file() -> None:
    known = get_args(Config.model_fields["architecture"].annotation)
    assert set(known) == set(ARCHITECTURES)
    assert all(found.name == name for name, found in ARCHITECTURES.items())


@pytest.mark.parametrize(
    ("architecture", "experts"),
    [
        ("mmoe", {"shared 1", "shared 2"}),
        ("ple", {"shared 1", "shared 2", "one 1"}),
        ("shared-bottom", None),
    ],
)
def test_training_tells_where_the_gates_of_each_task_look(
    architecture: str, experts: set[str] | None
) -> None:
    settings = config(architecture=architecture, shared_experts=2, task_experts=1)
    trained = train_ranker({"one": task(number=0), "two": task(number=1)}, CODES, settings)
    if experts is None:
        assert trained.gates == {}
        return
    assert set(trained.gates) == {"one", "two"}
    (level,) = trained.gates["one"]
    assert set(level) == experts
    assert sum(level.values()) == pytest.approx(1.0)
    # The gates begin with equal weights and have moved since.
    assert max(level.values()) > min(level.values())


def test_every_extraction_layer_has_gates_of_its_own() -> None:
    settings = config(architecture="ple", extraction_layers=2)
    trained = train_ranker({"one": task(number=0)}, CODES, settings)
    assert len(trained.gates["one"]) == 2


def test_a_mix_is_the_sum_of_the_experts_by_their_weights() -> None:
    """CGC as in the paper: softmax(gate) over the task's own and the shared experts."""
    torch.manual_seed(0)
    settings = config(architecture="ple", task_experts=1, shared_experts=2, expert_size=3)
    body, x = Ple(4, 2, settings).eval(), torch.randn(5, 4)
    layer: Any = body.extractions[0]
    torch.nn.init.normal_(layer.gate[1].linear.weight)
    own, shared = layer.own[1](x).detach().numpy(), layer.shared(x).detach().numpy()
    (weights,) = (found.detach().numpy() for found in body.gates(x, 1))
    wanted = weights[:, [0]] * own[:, 0]
    wanted = wanted + weights[:, [1]] * shared[:, 0] + weights[:, [2]] * shared[:, 1]
    np.testing.assert_allclose(layer.one(x, x, 1).detach().numpy(), wanted, rtol=1e-5)


def test_the_last_layer_hands_nothing_on() -> None:
    layer: Any = Ple(4, 2, config(architecture="ple")).extractions[0]
    with pytest.raises(ValueError, match="the last extraction layer has no shared state"):
        layer.all([torch.zeros(1, 4)] * 2, torch.zeros(1, 4))
