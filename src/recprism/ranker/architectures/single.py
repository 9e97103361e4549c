"""Single: hidden layers of its own for each task, the yardstick of sharing."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from recprism.project.schema import Ranker as Config
from recprism.ranker.architectures.interface import Architecture, hidden_layers


class Single(Architecture):
    """One stack of hidden layers per task."""

    name: ClassVar[str] = "single"
    apart: ClassVar[bool] = True

    def __init__(self, n_inputs: int, n_tasks: int, config: Config) -> None:
        super().__init__(n_inputs, n_tasks, config)
        self.layers = nn.ModuleList(
            hidden_layers(n_inputs, config.hidden, config.dropout) for _ in range(n_tasks)
        )
        self.size = config.hidden[-1]

    def forward(self, inputs: Tensor, task: int) -> Tensor:
        hidden: Tensor = self.layers[task](inputs)
        return hidden
