"""Training of the ranker: data, network, optimizer, loop (PyTorch; never imported by serving).

In come samples per task, out goes a `TrainedRanker`: for each task the weights of its best epoch on
validation, or of its last one where validation has nothing to find. Batches alternate between
tasks, drawn by the square root of their number of lists; the loss is a listwise softmax plus a
small weighted cross-entropy; each task stops by itself.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from recprism.data.dataset import FloatArray
from recprism.project.schema import Ranker as Config
from recprism.ranker.network import Network, measure_numbers
from recprism.ranker.samples import Samples

POINTWISE = 2.0
"""Weight of the cross-entropy beside the listwise softmax."""
METRIC_K = 10
LEANINGS = (0.0, 0.25, 0.5, 1.0, 2.0)
"""Weights of the personal rule that validation chooses from."""
AVERAGING = 0.98
"""Decay of the moving average of the weights, per batch; the average is what is kept."""
CHUNK = 100_000
Progress = Callable[[str, float], None]
"""Told what is being done and which part of it is done, 0 to 1."""


@dataclass(frozen=True)
class TaskData:
    """What one task learns from: sampled lists to train on, whole lists to validate on."""

    train: Samples
    valid: Samples


@dataclass
class TrainedRanker:
    """A network per task (the weights of its best epoch), and how training went.

    `history[task]` is the validation NDCG@10 after each epoch, from the untrained network on;
    `medians` [tasks, f] are the medians of the training numbers, `leaning[task]` the weight of the
    personal rule.
    """

    tasks: list[str]
    networks: list[Network]
    medians: FloatArray
    history: Mapping[str, list[float]]
    config: Config
    code_sizes: Mapping[str, int] = field(default_factory=dict)
    leaning: Mapping[str, float] = field(default_factory=dict)


def train_ranker(
    data: Mapping[str, TaskData],
    code_sizes: Mapping[str, int],
    config: Config,
    progress: Progress | None = None,
    rule: int | None = None,
) -> TrainedRanker:
    """Train one network for all tasks of `data` (or one per task, by `config.architecture`).

    `rule` is the column of a simple personal rule, to which each task is then drawn as far as
    validation says (see `_lean_on_rule`).
    Deterministic for one seed, machine and number of threads.
    """
    tasks = list(data)
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    scale, mean, spread = measure_numbers([d.train.numbers for d in data.values()])
    network = Network(scale, mean, spread, list(code_sizes.values()), config)
    medians = np.stack([_median(d.train.numbers) for d in data.values()])
    data = {
        task: TaskData(_prepared(network, i, d.train), _prepared(network, i, d.valid))
        for i, (task, d) in enumerate(data.items())
    }
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    averaged = AveragedModel(network, multi_avg_fn=_average)
    smooth = cast(Network, averaged.module)
    best = {task: copy.deepcopy(smooth.state_dict()) for task in tasks}
    history = {task: [_validate(smooth, i, data[task].valid)] for i, task in enumerate(tasks)}
    active = [task for task in tasks if len(data[task].train)]
    steps = _steps(data, config)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=1 + steps * config.epochs, pct_start=0.1
    )
    for epoch in range(config.epochs):
        if not active:
            break
        network.train()
        for task, rows in _batches(data, active, steps, config, rng):
            loss = _loss(network, tasks.index(task), data[task].train, rows)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            averaged.update_parameters(network)
        for task in list(active):
            metric = _validate(smooth, tasks.index(task), data[task].valid)
            if metric > max(history[task]) or not data[task].valid.hits.any():
                best[task] = copy.deepcopy(smooth.state_dict())
            history[task].append(metric)
            if len(history[task]) - 1 - int(np.argmax(history[task])) >= config.patience:
                active.remove(task)
        if progress is not None:
            progress("train the ranker", (epoch + 1) / config.epochs)
    networks = [_with_weights(network, best[task]) for task in tasks]
    leaning = dict.fromkeys(tasks, 0.0)
    if rule is not None:
        for i, task in enumerate(tasks):
            leaning[task] = _lean_on_rule(networks[i], i, data[task].valid, rule)
    return TrainedRanker(
        tasks,
        networks,
        medians,
        history,
        config,
        dict(code_sizes),
        leaning,
    )


@torch.no_grad()
def _lean_on_rule(network: Network, task: int, prepared: Samples, rule: int) -> float:
    """Add the rule's number to the logit with the weight that validates best, and return it.

    The weight is a share of the spread of the logits, one of `LEANINGS`. A task with few lists
    cannot learn from them how good a simple rule is; a single weight it can.
    """
    logit = _score(network, task, prepared)
    if len(logit) == 0:
        return 0.0
    number, spread = prepared.numbers[:, rule].astype(np.float32), float(logit.std())
    metrics = [list_ndcg(logit + w * spread * number, prepared, METRIC_K) for w in LEANINGS]
    best = LEANINGS[int(np.argmax(metrics))]
    linear = cast(torch.nn.Linear, network.linear[task])
    linear.weight[0, rule] += best * spread
    return best


def _average(averaged: Any, current: Any, n_averaged: Any) -> None:
    """Moving average of weights, in place, that forgets the first batches quickly.

    The decay after n batches is (1 + n) / (10 + n), at most `AVERAGING`: with a fixed one, a small
    project would keep little but what it had after its first batch.
    """
    n = float(n_averaged)
    decay = min(AVERAGING, (1 + n) / (10 + n))
    get_ema_multi_avg_fn(decay)(averaged, current, n_averaged)  # type: ignore[no-untyped-call]


def _steps(data: Mapping[str, TaskData], config: Config) -> int:
    """Batches per epoch: enough to see every list once."""
    lists = sum(len(d.train) for d in data.values())
    return max(1, round(lists / config.batch_size))


def _batches(
    data: Mapping[str, TaskData],
    active: list[str],
    steps: int,
    config: Config,
    rng: np.random.Generator,
) -> list[tuple[str, NDArray[np.int64]]]:
    """(task, lists) of one epoch; tasks are drawn by the root of their number of lists."""
    sizes = np.array([len(data[task].train) for task in active])
    share = np.sqrt(sizes) / np.sqrt(sizes).sum()
    drawn = rng.choice(len(active), size=steps, p=share)
    order = {task: rng.permutation(len(data[task].train)) for task in active}
    taken, batches = dict.fromkeys(active, 0), []
    for choice in drawn:
        task = active[choice]
        start = taken[task]
        rows = order[task][np.arange(start, start + config.batch_size) % len(order[task])]
        taken[task] = (start + config.batch_size) % len(order[task])
        batches.append((task, rows))
    return batches


def _loss(network: Network, task: int, samples: Samples, lists: NDArray[np.int64]) -> Tensor:
    """Listwise softmax (negatives weighted by their inverse rate) plus weighted cross-entropy."""
    row, place, size = _rows_of(samples.offsets, lists)
    logit = network.score(*_tensors(samples, row), task)
    label = torch.from_numpy(samples.label[row].astype(np.float32))
    weight = torch.from_numpy(samples.weight[row])
    spread = torch.full((len(lists), size), -torch.inf)
    index = torch.from_numpy(place)
    spread = spread.flatten().index_put((index,), logit + torch.log(weight)).view(len(lists), size)
    normalizer = torch.logsumexp(spread, dim=1)[index // size]
    hits = torch.zeros(len(lists)).index_add(0, index // size, label)
    has_hits = (hits > 0).sum().clamp(min=1)
    share = label / hits.clamp(min=1)[index // size]
    listwise = -(share * (logit - normalizer)).sum() / has_hits
    pointwise = F.binary_cross_entropy_with_logits(logit, label, weight, reduction="sum")
    loss: Tensor = listwise + POINTWISE * pointwise / weight.sum()
    return loss


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


def _tensors(samples: Samples, row: Any) -> tuple[Tensor, Tensor]:
    return (
        torch.from_numpy(samples.numbers[row].astype(np.float32)),
        torch.from_numpy(samples.codes[row].astype(np.int64)),
    )


@torch.no_grad()
def predict(network: Network, task: int, samples: Samples) -> FloatArray:
    """Logits of all candidates [rows]."""
    return _score(network, task, _prepared(network, task, samples))


@torch.no_grad()
def _prepared(network: Network, task: int, samples: Samples) -> Samples:
    """The samples with prepared numbers: they stay the same in every epoch."""
    out = np.empty_like(samples.numbers)
    for i in range(0, len(out), CHUNK):
        part = torch.from_numpy(samples.numbers[i : i + CHUNK].astype(np.float32))
        out[i : i + CHUNK] = network.prepare(part, task).numpy()
    return replace(samples, numbers=out)


@torch.no_grad()
def _score(network: Network, task: int, prepared: Samples) -> FloatArray:
    network.eval()
    parts = [
        network.score(*_tensors(prepared, slice(i, i + CHUNK)), task).numpy()
        for i in range(0, len(prepared.label), CHUNK)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _validate(network: Network, task: int, prepared: Samples) -> float:
    """Mean NDCG@10 over the lists that have something to find; 0 without any."""
    return list_ndcg(_score(network, task, prepared), prepared, METRIC_K)


def list_ndcg(score: FloatArray, samples: Samples, k: int) -> float:
    """Mean NDCG@k over lists with outcomes; the ideal counts outcomes that retrieval missed."""
    lists = np.repeat(np.arange(len(samples)), np.diff(samples.offsets))
    order = np.lexsort((-score, lists))
    rank = np.arange(len(order)) - np.repeat(samples.offsets[:-1], np.diff(samples.offsets))
    gain = samples.label[order] / np.log2(2.0 + rank) * (rank < k)
    dcg = np.bincount(lists, gain, len(samples))
    ideal = np.concatenate([[0.0], np.cumsum(1 / np.log2(2.0 + np.arange(k)))])
    asked = samples.hits > 0
    if not asked.any():
        return 0.0
    return float(np.mean(dcg[asked] / ideal[np.minimum(samples.hits[asked], k)]))


def _with_weights(network: Network, state: dict[str, Tensor]) -> Network:
    twin = copy.deepcopy(network)
    twin.load_state_dict(state)
    return twin.eval()


def _median(numbers: NDArray[np.float16]) -> FloatArray:
    if len(numbers) == 0:
        return np.zeros(numbers.shape[1], np.float32)
    return np.median(numbers[:: max(1, len(numbers) // 50_000)].astype(np.float32), axis=0)
