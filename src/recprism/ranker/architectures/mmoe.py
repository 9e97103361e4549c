"""MMoE: shared experts, mixed by a gate of its own for each task (Ma et al., KDD 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from recprism.project.schema import Ranker as Config
from recprism.ranker.architectures.experts import Experts, Gate, mix
from recprism.ranker.architectures.interface import Architecture, hidden_layers


class Mmoe(Architecture):
    """`shared_experts` experts; each task has a gate over them and a tower of one layer."""

    name: ClassVar[str] = "mmoe"

    def __init__(self, n_inputs: int, n_tasks: int, config: Config) -> None:
        super().__init__(n_inputs, n_tasks, config)
        self.experts = Experts(config.shared_experts, n_inputs, config)
        self.gate = nn.ModuleList(Gate(n_inputs, config.shared_experts) for _ in range(n_tasks))
        self.tower = nn.ModuleList(
            hidden_layers(config.expert_size, config.hidden[-1:], config.dropout)
            for _ in range(n_tasks)
        )
        self.size = config.hidden[-1]

    def forward(self, inputs: Tensor, task: int) -> Tensor:
        mixed = mix(self.gate[task](inputs), self.experts(inputs))
        hidden: Tensor = self.tower[task](mixed)
        return hidden

    def gates(self, inputs: Tensor, task: int) -> list[Tensor]:
        return [self.gate[task](inputs)]

    def expert_names(self, task: int, tasks: Sequence[str]) -> list[str]:  # noqa: ARG002
        return [f"shared {i + 1}" for i in range(self.experts.count)]
