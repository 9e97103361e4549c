"""The multi-task network over the signals' numbers (PyTorch; training only).

Numbers are compressed, sign(x) log(1 + |x| / scale), and standardized per task; labels and
placements are embedded; an architecture turns both into a vector per candidate; each action of a
task has a head and a linear path of its own beside the hidden layers, so that it starts as a linear
ranker. The actions of a funnel are chained as in ESMM (Ma et al., SIGIR 2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recprism.data.dataset import FloatArray
from recprism.project.schema import Ranker as Config
from recprism.ranker.architectures import ARCHITECTURES

CLIP = 20.0
"""Standardized numbers are clipped here, so that no later outlier leaves the known range. Most
candidates have zeros where the best have much: at 6 the best of a list were all equal."""


class Network(nn.Module):
    """One logit per candidate and action.

    `scale` [f], `mean` and `spread` [tasks, f] describe the training numbers; `code_sizes` [k] the
    values of each code column; `n_actions` [tasks] how many actions lead to each goal, itself
    included. Where nothing is shared, label embeddings are not either.
    """

    scale: Tensor
    mean: Tensor
    spread: Tensor

    def __init__(
        self,
        about: tuple[FloatArray, FloatArray, FloatArray],
        code_sizes: Sequence[int],
        n_actions: Sequence[int],
        config: Config,
    ) -> None:
        super().__init__()
        scale, mean, spread = about
        n_tasks, n_numbers = mean.shape
        self.register_buffer("scale", torch.from_numpy(scale))
        self.register_buffer("mean", torch.from_numpy(mean))
        self.register_buffer("spread", torch.from_numpy(spread))
        architecture = ARCHITECTURES[config.architecture]
        self.apart, self.n_actions = architecture.apart, list(n_actions)
        self.embeddings = nn.ModuleList(
            nn.ModuleList(nn.Embedding(size, config.embedding_size) for size in code_sizes)
            for _ in range(n_tasks if self.apart else 1)
        )
        for embedding in self.embeddings.modules():
            if isinstance(embedding, nn.Embedding):
                nn.init.normal_(embedding.weight, std=0.05)
        n_inputs = n_numbers + config.embedding_size * len(code_sizes)
        self.body = architecture(n_inputs, n_tasks, config)
        self.heads = nn.ModuleList(nn.Linear(self.body.size, n) for n in n_actions)
        self.linear = nn.ModuleList(nn.Linear(n_numbers, n) for n in n_actions)
        for head in (*self.heads, *self.linear):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def prepare(self, numbers: Tensor, task: int) -> Tensor:
        """Compressed and standardized numbers [n, f]."""
        squeezed = torch.sign(numbers) * torch.log1p(torch.abs(numbers) / self.scale)
        standard = (squeezed - self.mean[task]) / self.spread[task]
        return torch.clamp(standard, -CLIP, CLIP)

    def forward(self, numbers: Tensor, codes: Tensor, task: int) -> Tensor:
        """Logits [n, actions] of reaching each action: `numbers` [n, f], `codes` [n, k]."""
        return self.chain(self.prepare(numbers, task), codes, task)

    def chain(self, standard: Tensor, codes: Tensor, task: int) -> Tensor:
        """Logits [n, actions] from numbers that are prepared already, the goal in the last column.

        Each is the logit of reaching the action at all, not of going on from the one before.
        """
        return chain_logits(self.steps(standard, codes, task))

    def steps(self, standard: Tensor, codes: Tensor, task: int) -> Tensor:
        """Logits [n, actions] of reaching each action given the one before it."""
        hidden = self.body(self._inputs(standard, codes, task), task)
        logits: Tensor = self.heads[task](hidden) + self.linear[task](standard)
        return logits

    def gates(self, standard: Tensor, codes: Tensor, task: int) -> list[Tensor]:
        """The weights [n, experts] of each level of gates; empty without gates."""
        return self.body.gates(self._inputs(standard, codes, task), task)

    def _inputs(self, standard: Tensor, codes: Tensor, task: int) -> Tensor:
        tables: Any = self.embeddings[task if self.apart else 0]
        embedded = [table(codes[:, i]) for i, table in enumerate(tables)]
        return torch.cat([standard, *embedded], dim=1)


def chain_logits(steps: Tensor) -> Tensor:
    """The logits [n, a] of P(1), P(1) P(2|1), ... from those of P(1), P(2|1), ... [n, a].

    log P and log(1 - P) are carried along, so nothing is lost where P is near 0 or 1.
    """
    if steps.shape[1] == 1:
        return steps
    reached, missed = -F.softplus(-steps[:, 0]), -F.softplus(steps[:, 0])
    chained = [steps[:, 0]]
    for i in range(1, steps.shape[1]):
        stopped = reached - F.softplus(steps[:, i])
        missed = missed + F.softplus(stopped - missed)  # log(exp(missed) + exp(stopped))
        reached = reached - F.softplus(-steps[:, i])
        chained.append(reached - missed)
    return torch.stack(chained, dim=1)


class OneTask(nn.Module):
    """A network seen from one task: what is exported.

    It gives the goal's logit [n] and, for a funnel, those [n, actions - 1] of what leads to it.
    """

    def __init__(self, network: Network, task: int) -> None:
        super().__init__()
        self.network, self.task = network, task

    def forward(self, numbers: Tensor, codes: Tensor) -> tuple[Tensor, ...]:
        chain: Tensor = self.network(numbers, codes, self.task)
        goal = chain[:, -1]
        return (goal,) if chain.shape[1] == 1 else (goal, chain[:, :-1])


def measure_numbers(
    numbers: list[np.ndarray], n_rows: int = 50_000
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(scale [f], mean [tasks, f], spread [tasks, f]) of each task's training numbers.

    The scale is the mean size of the non-zero numbers over all tasks; a constant column has
    spread 1.
    """
    parts = [part[:: max(1, len(part) // n_rows)].astype(np.float32) for part in numbers]
    size = np.stack([np.abs(part).sum(axis=0) for part in parts]).sum(axis=0)
    count = np.stack([(part != 0).sum(axis=0) for part in parts]).sum(axis=0)
    scale = np.where(count > 0, size / np.maximum(count, 1), 1.0).astype(np.float32)
    squeezed = [np.sign(part) * np.log1p(np.abs(part) / scale) for part in parts]
    nothing = np.zeros(squeezed[0].shape[1])  # a task without lists
    mean = np.stack([part.mean(axis=0) if len(part) else nothing for part in squeezed])
    spread = np.stack([part.std(axis=0) if len(part) else nothing for part in squeezed])
    spread = np.where(spread > 1e-4, spread, 1.0)
    return scale, mean.astype(np.float32), spread.astype(np.float32)
