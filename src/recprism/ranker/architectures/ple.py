"""PLE: shared experts beside experts of each task's own (Tang et al., RecSys 2020).

With one extraction layer this is the paper's CGC. With more, what the shared experts of a layer see
is a mix of all experts of the layer below, other tasks' included, so the graph of one task then
holds those too; with one layer it holds its own and the shared experts alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from recprism.project.schema import Ranker as Config
from recprism.ranker.architectures.experts import Experts, Gate, mix
from recprism.ranker.architectures.interface import Architecture, hidden_layers


class Extraction(nn.Module):
    """One layer: `task_experts` for each task, `shared_experts` for all, and the gates.

    The shared gate, over all experts, exists only where another layer follows.
    """

    def __init__(self, n_inputs: int, n_tasks: int, config: Config, *, is_last: bool) -> None:
        super().__init__()
        own, shared = config.task_experts, config.shared_experts
        self.own = nn.ModuleList(Experts(own, n_inputs, config) for _ in range(n_tasks))
        self.shared = Experts(shared, n_inputs, config)
        self.gate = nn.ModuleList(Gate(n_inputs, own + shared) for _ in range(n_tasks))
        self.shared_gate = None if is_last else Gate(n_inputs, own * n_tasks + shared)

    def one(self, own: Tensor, shared: Tensor, task: int) -> Tensor:
        """What one task makes of its own state and the shared one, [n, d] each: [n, size]."""
        experts = torch.cat([self.own[task](own), self.shared(shared)], dim=1)
        return mix(self.gate[task](own), experts)

    def all(self, own: list[Tensor], shared: Tensor) -> tuple[list[Tensor], Tensor]:
        """The next states of every task and the shared one; not for the last layer."""
        specific = [experts(state) for experts, state in zip(self.own, own, strict=True)]
        common = self.shared(shared)  # [n, shared experts, size]
        states = [
            mix(gate(state), torch.cat([mine, common], dim=1))
            for gate, state, mine in zip(self.gate, own, specific, strict=True)
        ]
        if self.shared_gate is None:
            raise ValueError("the last extraction layer has no shared state to hand on")
        return states, mix(self.shared_gate(shared), torch.cat([*specific, common], dim=1))


class Ple(Architecture):
    """`extraction_layers` of experts, then a tower of one layer for each task."""

    name: ClassVar[str] = "ple"

    def __init__(self, n_inputs: int, n_tasks: int, config: Config) -> None:
        super().__init__(n_inputs, n_tasks, config)
        last = config.extraction_layers - 1
        self.extractions = nn.ModuleList(
            Extraction(
                n_inputs if i == 0 else config.expert_size, n_tasks, config, is_last=i == last
            )
            for i in range(config.extraction_layers)
        )
        self.tower = nn.ModuleList(
            hidden_layers(config.expert_size, config.hidden[-1:], config.dropout)
            for _ in range(n_tasks)
        )
        self.n_tasks, self.n_own, self.n_shared = (
            n_tasks,
            config.task_experts,
            config.shared_experts,
        )
        self.size = config.hidden[-1]

    def forward(self, inputs: Tensor, task: int) -> Tensor:
        *_, (own, shared) = self._states(inputs, task)
        last: Extraction = self.extractions[-1]  # type: ignore[assignment]
        hidden: Tensor = self.tower[task](last.one(own, shared, task))
        return hidden

    def gates(self, inputs: Tensor, task: int) -> list[Tensor]:
        states = self._states(inputs, task)
        return [
            extraction.gate[task](own)  # type: ignore[index, operator]
            for extraction, (own, _) in zip(self.extractions, states, strict=True)
        ]

    def expert_names(self, task: int, tasks: Sequence[str]) -> list[str]:
        own = [f"{tasks[task]} {i + 1}" for i in range(self.n_own)]
        return own + [f"shared {i + 1}" for i in range(self.n_shared)]

    def _states(self, inputs: Tensor, task: int) -> list[tuple[Tensor, Tensor]]:
        """(the task's own state, the shared state) before each extraction layer."""
        own, shared = [inputs] * self.n_tasks, inputs
        states = [(own[task], shared)]
        for extraction in self.extractions[:-1]:
            own, shared = extraction.all(own, shared)  # type: ignore[operator]
            states.append((own[task], shared))
        return states
