"""The multi-task network over the signals' numbers (PyTorch; training only).

Numbers are compressed, sign(x) log(1 + |x| / scale), and standardized per task; labels and
placements are embedded; an architecture turns both into a vector per candidate; each task has a
head and a linear path of its own beside the hidden layers, so that it starts as a linear ranker.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recprism.data.dataset import FloatArray
from recprism.project.schema import Ranker as Config
from recprism.ranker.architectures import ARCHITECTURES

CLIP = 6.0
"""Standardized numbers are clipped here, so that no later outlier leaves the known range."""


class Network(nn.Module):
    """One logit per candidate.

    `scale` [f], `mean` and `spread` [tasks, f] describe the training numbers; `code_sizes` [k] the
    values of each code column. Single networks embed per task as well, so that nothing is shared.
    """

    scale: Tensor
    mean: Tensor
    spread: Tensor

    def __init__(
        self,
        scale: FloatArray,
        mean: FloatArray,
        spread: FloatArray,
        code_sizes: list[int],
        config: Config,
    ) -> None:
        super().__init__()
        n_tasks, n_numbers = mean.shape
        self.register_buffer("scale", torch.from_numpy(scale))
        self.register_buffer("mean", torch.from_numpy(mean))
        self.register_buffer("spread", torch.from_numpy(spread))
        self.apart = config.architecture == "single"
        self.embeddings = nn.ModuleList(
            nn.ModuleList(nn.Embedding(size, config.embedding_size) for size in code_sizes)
            for _ in range(n_tasks if self.apart else 1)
        )
        for embedding in self.embeddings.modules():
            if isinstance(embedding, nn.Embedding):
                nn.init.normal_(embedding.weight, std=0.05)
        n_inputs = n_numbers + config.embedding_size * len(code_sizes)
        self.body = ARCHITECTURES[config.architecture](n_inputs, n_tasks, config)
        self.heads = nn.ModuleList(nn.Linear(config.hidden[-1], 1) for _ in range(n_tasks))
        self.linear = nn.ModuleList(nn.Linear(n_numbers, 1) for _ in range(n_tasks))
        for head in (*self.heads, *self.linear):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def prepare(self, numbers: Tensor, task: int) -> Tensor:
        """Compressed and standardized numbers [n, f]."""
        squeezed = torch.sign(numbers) * torch.log1p(torch.abs(numbers) / self.scale)
        standard = (squeezed - self.mean[task]) / self.spread[task]
        return torch.clamp(standard, -CLIP, CLIP)

    def forward(self, numbers: Tensor, codes: Tensor, task: int) -> Tensor:
        """Logits [n] of candidates of one task: `numbers` [n, f], `codes` [n, k]."""
        return self.score(self.prepare(numbers, task), codes, task)

    def score(self, standard: Tensor, codes: Tensor, task: int) -> Tensor:
        """Logits [n] from numbers that are prepared already."""
        tables: Any = self.embeddings[task if self.apart else 0]
        embedded = [table(codes[:, i]) for i, table in enumerate(tables)]
        hidden = self.body(torch.cat([standard, *embedded], dim=1), task)
        logit: Tensor = self.heads[task](hidden) + self.linear[task](standard)
        return logit.squeeze(1)


class OneTask(nn.Module):
    """A network seen from one task: what is exported."""

    def __init__(self, network: Network, task: int) -> None:
        super().__init__()
        self.network, self.task = network, task

    def forward(self, numbers: Tensor, codes: Tensor) -> Tensor:
        logit: Tensor = self.network(numbers, codes, self.task)
        return logit


def measure_numbers(
    numbers: list[np.ndarray], n_rows: int = 200_000
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
