"""Single: hidden layers of its own for each task, the yardstick of sharing."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from recprism.project.schema import Ranker as Config
from recprism.ranker.architectures.shared_bottom import hidden_layers


class Single(nn.Module):
    """One stack of hidden layers per task."""

    name: ClassVar[str] = "single"

    def __init__(self, n_inputs: int, n_tasks: int, config: Config) -> None:
        super().__init__()
        self.layers = nn.ModuleList(hidden_layers(n_inputs, config) for _ in range(n_tasks))

    def forward(self, inputs: Tensor, task: int) -> Tensor:
        hidden: Tensor = self.layers[task](inputs)
        return hidden
