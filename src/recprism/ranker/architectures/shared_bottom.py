"""Shared bottom: all tasks share the hidden layers (Caruana, 1997)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from recprism.project.schema import Ranker as Config
from recprism.ranker.architectures.interface import Architecture, hidden_layers


class SharedBottom(Architecture):
    """One stack of hidden layers for all tasks."""

    name: ClassVar[str] = "shared-bottom"

    def __init__(self, n_inputs: int, n_tasks: int, config: Config) -> None:
        super().__init__(n_inputs, n_tasks, config)
        self.layers = hidden_layers(n_inputs, config.hidden, config.dropout)
        self.size = config.hidden[-1]

    def forward(self, inputs: Tensor, task: int) -> Tensor:  # noqa: ARG002
        hidden: Tensor = self.layers(inputs)
        return hidden
