"""What an architecture is: from prepared inputs and a task to one hidden vector per candidate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from recprism.project.schema import Ranker as Config


class Architecture(nn.Module, ABC):
    """How tasks share hidden layers.

    `name` is the word in the project file; with `apart` nothing is shared, label embeddings
    included; `size` is the width of what `forward` gives.
    """

    name: ClassVar[str]
    apart: ClassVar[bool] = False
    size: int

    def __init__(self, n_inputs: int, n_tasks: int, config: Config) -> None:  # noqa: ARG002
        super().__init__()

    @abstractmethod
    def forward(self, inputs: Tensor, task: int) -> Tensor:
        """Hidden vectors [n, size] of candidates [n, n_inputs] of one task.

        Only what the task needs may be computed: this is traced into the graph that serves it.
        """

    def gates(self, inputs: Tensor, task: int) -> list[Tensor]:  # noqa: ARG002
        """The weights [n, experts] that the task's gate of each level gives to its experts.

        They sum to 1 over the experts. Without gates an empty list.
        """
        return []

    def expert_names(self, task: int, tasks: Sequence[str]) -> list[str]:  # noqa: ARG002
        """Names of the experts that the gates of `task` weigh, in the order of their weights."""
        return []


def hidden_layers(n_inputs: int, sizes: Sequence[int], dropout: float) -> nn.Sequential:
    """Linear, SiLU, dropout for each of `sizes`: [n, n_inputs] -> [n, sizes[-1]]."""
    layers: list[nn.Module] = []
    for size in sizes:
        layers += [nn.Linear(n_inputs, size), nn.SiLU(), nn.Dropout(dropout)]
        n_inputs = size
    return nn.Sequential(*layers)
