"""What the ranker minimizes: a listwise softmax, a cross-entropy per action, a weight per task.

Where a task's actions form a funnel, the cross-entropy is taken of every chained probability over
all candidates, whether or not they reached the action before (ESMM; Ma et al., SIGIR 2018).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from recprism.ranker.network import Network
from recprism.ranker.samples import Samples

POINTWISE = 2.0
"""Weight of the cross-entropy beside the listwise softmax."""


def list_loss(network: Network, task: int, samples: Samples, lists: NDArray[np.int64]) -> Tensor:
    """The loss of some lists with prepared numbers.

    Listwise softmax of the goal (negatives weighted by their inverse rate) plus `POINTWISE` times
    the weighted cross-entropy, summed over the actions of the funnel.
    """
    row, place, size = _rows_of(samples.offsets, lists)
    chain = network.chain(*tensors(samples, row), task)  # [rows, actions], the goal last
    reached = torch.from_numpy(samples.reached[row].astype(np.float32))
    weight = torch.from_numpy(samples.weight[row])
    listwise = _listwise(chain[:, -1], reached[:, -1], weight, (place, len(lists), size))
    pointwise = F.binary_cross_entropy_with_logits(
        chain, reached, weight.unsqueeze(1), reduction="sum"
    )
    return listwise + POINTWISE * pointwise / weight.sum()


def _listwise(
    logit: Tensor, label: Tensor, weight: Tensor, table: tuple[NDArray[np.int64], int, int]
) -> Tensor:
    """Mean over lists with hits of the surprise at their hits; all inputs [rows].

    `table` gives the place of each row in a padded [lists, size] table, and its shape.
    """
    place, n_lists, size = table
    index = torch.from_numpy(place)
    spread = torch.full((n_lists * size,), -torch.inf)
    spread = spread.index_put((index,), logit + torch.log(weight)).view(n_lists, size)
    normalizer = torch.logsumexp(spread, dim=1)[index // size]
    hits = torch.zeros(n_lists).index_add(0, index // size, label)
    share = label / hits.clamp(min=1)[index // size]
    return -(share * (logit - normalizer)).sum() / (hits > 0).sum().clamp(min=1)


def _rows_of(
    offsets: NDArray[np.int64], lists: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Rows of `lists`, their places in a padded [lists, size] table, and the table's size."""
    counts = offsets[lists + 1] - offsets[lists]
    starts = np.cumsum(counts) - counts
    within = np.arange(int(counts.sum())) - np.repeat(starts, counts)
    row = np.repeat(offsets[lists], counts) + within
    size = int(counts.max())
    return row, np.repeat(np.arange(len(lists)) * size, counts) + within, size


def tensors(samples: Samples, row: Any) -> tuple[Tensor, Tensor]:
    """(numbers [n, f] float32, codes [n, k] int64) of some rows."""
    return (
        torch.from_numpy(samples.numbers[row].astype(np.float32)),
        torch.from_numpy(samples.codes[row].astype(np.int64)),
    )


class TaskWeights(nn.Module):
    """How much the loss of each task counts.

    `equal`, numbers by task (1 where none is given), or `uncertainty`: exp(-s) loss + s / 2 with a
    learned log-variance s per task (Kendall et al., CVPR 2018), so that a task whose loss stays
    high counts less.
    """

    fixed: Tensor

    def __init__(self, tasks: Sequence[str], setting: str | Mapping[str, float]) -> None:
        super().__init__()
        given = setting if isinstance(setting, Mapping) else {}
        self.register_buffer("fixed", torch.tensor([float(given.get(t, 1.0)) for t in tasks]))
        self.tasks, self.is_learned = list(tasks), setting == "uncertainty"
        self.log_variance = nn.Parameter(torch.zeros(len(tasks)), requires_grad=self.is_learned)

    def forward(self, loss: Tensor, task: int) -> Tensor:
        if not self.is_learned:
            return loss * self.fixed[task]
        s = self.log_variance[task]
        return torch.exp(-s) * loss + s / 2

    def to_dict(self) -> dict[str, float]:
        """The weight of each task's loss as it stands."""
        weights = torch.exp(-self.log_variance.detach()) if self.is_learned else self.fixed
        return {task: float(w) for task, w in zip(self.tasks, weights, strict=True)}
