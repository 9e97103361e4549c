"""What a trained network says about lists: scores, how well they rank, and where its gates look."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from recprism.data.dataset import FloatArray
from recprism.ranker.loss import tensors
from recprism.ranker.network import Network
from recprism.ranker.samples import Samples
from recprism.ranker.threads import one_thread

METRIC_K = 10
CHUNK = 100_000
"""Rows that are scored at a time."""


@one_thread()
@torch.no_grad()
def predict(network: Network, task: int, samples: Samples) -> FloatArray:
    """Logits of reaching each action [rows, actions], the goal in the last column."""
    return score_prepared(network, task, prepare_samples(network, task, samples))


@torch.no_grad()
def prepare_samples(network: Network, task: int, samples: Samples) -> Samples:
    """The samples with prepared numbers: they stay the same in every epoch."""
    out = np.empty_like(samples.numbers)
    for i in range(0, len(out), CHUNK):
        part = torch.from_numpy(samples.numbers[i : i + CHUNK].astype(np.float32))
        out[i : i + CHUNK] = network.prepare(part, task).numpy()
    return replace(samples, numbers=out)


@torch.no_grad()
def score_prepared(network: Network, task: int, prepared: Samples) -> FloatArray:
    """`predict` for samples whose numbers are prepared already."""
    network.eval()
    parts = [
        network.chain(*tensors(prepared, slice(i, i + CHUNK)), task).numpy()
        for i in range(0, len(prepared.label), CHUNK)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, network.n_actions[task]), np.float32)


def validate(network: Network, task: int, prepared: Samples) -> float:
    """Mean NDCG@10 over the lists that have something to find; 0 without any."""
    return list_ndcg(score_prepared(network, task, prepared)[:, -1], prepared, METRIC_K)


def list_ndcg(score: FloatArray, samples: Samples, k: int) -> float:
    """Mean NDCG@k over lists with outcomes (see `each_ndcg`), 0 without any."""
    found = each_ndcg(score, samples, k)
    return float(found.mean()) if len(found) else 0.0


def each_ndcg(score: FloatArray, samples: Samples, k: int) -> NDArray[np.float64]:
    """NDCG@k of each list with outcomes; the ideal counts outcomes that retrieval missed.

    An item with several offers stands in a list once, at its best place, as in serving.
    """
    asked = samples.hits > 0
    lists = np.repeat(np.arange(len(samples)), np.diff(samples.offsets))
    order = np.lexsort((-score, lists))
    order = order[_is_first(lists[order], samples.item[order])]
    lists = lists[order]
    starts = np.searchsorted(lists, np.arange(len(samples)))
    rank = np.arange(len(order)) - starts[lists]
    gain = samples.label[order] / np.log2(2.0 + rank) * (rank < k)
    dcg = np.bincount(lists, gain, len(samples))
    ideal = np.concatenate([[0.0], np.cumsum(1 / np.log2(2.0 + np.arange(k)))])
    return np.asarray(dcg[asked] / ideal[np.minimum(samples.hits[asked], k)], np.float64)


def _is_first(lists: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Which rows [n] are the first ones of their item in their list."""
    key = lists.astype(np.int64) * (int(item.max(initial=0)) + 1) + item
    first = np.zeros(len(key), bool)
    first[np.unique(key, return_index=True)[1]] = True
    return first


@torch.no_grad()
def mean_gates(
    network: Network, task: int, prepared: Samples, tasks: list[str]
) -> list[dict[str, float]]:
    """Mean weight of each expert by name, for each level of gates; empty without gates or lists.

    The mean is over all candidates of the lists, whose numbers are prepared.
    """
    network.eval()
    names = network.body.expert_names(task, tasks)
    if not names or not len(prepared.label):
        return []
    total = [np.zeros(len(names))]
    for i in range(0, len(prepared.label), CHUNK):
        found = network.gates(*tensors(prepared, slice(i, i + CHUNK)), task)
        sums = [weights.sum(dim=0).double().numpy() for weights in found]
        total = sums if i == 0 else [a + b for a, b in zip(total, sums, strict=True)]
    return [
        {name: float(w) for name, w in zip(names, level / level.sum(), strict=True)}
        for level in total
    ]
