"""Shared bottom: all tasks share the hidden layers (Caruana, 1997)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from recprism.project.schema import Ranker as Config


def hidden_layers(n_inputs: int, config: Config) -> nn.Sequential:
    """Linear, SiLU, dropout for each width of the configuration: [n, n_inputs] -> [n, last]."""
    layers: list[nn.Module] = []
    for size in config.hidden:
        layers += [nn.Linear(n_inputs, size), nn.SiLU(), nn.Dropout(config.dropout)]
        n_inputs = size
    return nn.Sequential(*layers)


class SharedBottom(nn.Module):
    """One stack of hidden layers for all tasks."""

    name: ClassVar[str] = "shared-bottom"

    def __init__(self, n_inputs: int, n_tasks: int, config: Config) -> None:  # noqa: ARG002
        super().__init__()
        self.layers = hidden_layers(n_inputs, config)

    def forward(self, inputs: Tensor, task: int) -> Tensor:  # noqa: ARG002
        hidden: Tensor = self.layers(inputs)
        return hidden
