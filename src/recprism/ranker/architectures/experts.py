"""Experts and the gates that mix them: the parts of `mmoe` and `ple`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recprism.project.schema import Ranker as Config


class Experts(nn.Module):
    """A few experts side by side, one layer each: [n, n_inputs] -> [n, count, expert_size].

    One matrix holds all of them, so that many small experts cost what one wide layer does.
    """

    def __init__(self, count: int, n_inputs: int, config: Config) -> None:
        super().__init__()
        self.count, self.size = count, config.expert_size
        self.layers = nn.Sequential(
            nn.Linear(n_inputs, count * self.size), nn.SiLU(), nn.Dropout(config.dropout)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        side_by_side: Tensor = self.layers(inputs)  # [n, count * size]
        return side_by_side.view(-1, self.count, self.size)


class Gate(nn.Module):
    """Softmax weights [n, count] of `count` experts; at first all are equal."""

    def __init__(self, n_inputs: int, count: int) -> None:
        super().__init__()
        self.linear = nn.Linear(n_inputs, count)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.softmax(self.linear(inputs), dim=1)


def mix(weights: Tensor, experts: Tensor) -> Tensor:
    """The experts [n, count, size] weighted by the gate [n, count]: [n, size]."""
    return (weights.unsqueeze(2) * experts).sum(dim=1)
