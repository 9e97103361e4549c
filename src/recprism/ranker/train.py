"""Training of the ranker: network, optimizer, loop (PyTorch; never imported by serving).

In come samples per task, out goes a `TrainedRanker`: for each task the weights of its best epoch on
validation, or of its last one where validation has nothing to find. Batches alternate between
tasks; each task stops by itself.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from recprism.data.dataset import FloatArray
from recprism.project.schema import Ranker as Config
from recprism.ranker.batches import count_batches, draw_batches
from recprism.ranker.loss import TaskWeights, list_loss, tensors
from recprism.ranker.network import Network, chain_logits, measure_numbers
from recprism.ranker.samples import Samples
from recprism.ranker.threads import one_thread
from recprism.ranker.validate import (
    CHUNK,
    METRIC_K,
    each_ndcg,
    mean_gates,
    prepare_samples,
    validate,
)

LEANINGS = (0.0, 0.25, 0.5, 1.0)
"""Weights of the personal rule that validation weighs."""
AVERAGING = 0.98
"""Decay of the moving average of the weights, per batch; the average is what is kept."""
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
    personal rule, `gates[task]` the mean weight of each expert on the validation lists at each
    level of gates (see `mean_gates`), `loss_weights[task]` how much the task's loss counted in the
    end.
    """

    tasks: list[str]
    networks: list[Network]
    medians: FloatArray
    history: Mapping[str, list[float]]
    config: Config
    code_sizes: Mapping[str, int] = field(default_factory=dict)
    leaning: Mapping[str, float] = field(default_factory=dict)
    gates: Mapping[str, list[dict[str, float]]] = field(default_factory=dict)
    loss_weights: Mapping[str, float] = field(default_factory=dict)


@one_thread()
def train_ranker(
    data: Mapping[str, TaskData],
    code_sizes: Mapping[str, int],
    config: Config,
    progress: Progress | None = None,
    rule: int | None = None,
) -> TrainedRanker:
    """Train one network for all tasks of `data` (or one per task, by `config.architecture`).

    `rule` is the column of a simple personal rule, to which each task is then drawn as far as
    validation says (see `_lean_on_rule`). Runs on one thread (see `one_thread`), and is
    deterministic for one seed and machine.
    """
    tasks = list(data)
    medians = np.stack([_median(d.train.numbers) for d in data.values()])
    training = _Training(data, list(code_sizes.values()), config)
    for epoch in range(config.epochs):
        if not training.active:
            break
        training.learn()
        training.judge()
        if progress is not None:
            progress("train the ranker", (epoch + 1) / config.epochs)
    networks, leaning, gates = training.best_networks(), dict.fromkeys(tasks, 0.0), {}
    for i, (task, network) in enumerate(zip(tasks, networks, strict=True)):
        valid = training.data[task].valid
        gates[task] = mean_gates(network, i, valid, tasks)
        if rule is not None:
            leaning[task] = _lean_on_rule(network, i, valid, rule)
    return TrainedRanker(
        tasks,
        networks,
        medians,
        training.history,
        config,
        dict(code_sizes),
        leaning,
        {task: found for task, found in gates.items() if found},
        training.weights.to_dict(),
    )


class _Training:
    """A training under way: the network, its moving average, and each task's best weights so far.

    `data` holds prepared samples, `active` the tasks that have not stopped yet.
    """

    def __init__(
        self, data: Mapping[str, TaskData], code_sizes: Sequence[int], config: Config
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self.rng = config, np.random.default_rng(config.seed)
        self.tasks = list(data)
        n_actions = [1 + d.train.earlier.shape[1] for d in data.values()]
        about = measure_numbers([d.train.numbers for d in data.values()])
        self.network = Network(about, code_sizes, n_actions, config)
        self.weights = TaskWeights(self.tasks, config.loss_weights)
        self.data = {
            task: TaskData(*(prepare_samples(self.network, i, part) for part in (d.train, d.valid)))
            for i, (task, d) in enumerate(data.items())
        }
        self.averaged = AveragedModel(self.network, multi_avg_fn=_average)
        self.best = {task: copy.deepcopy(self._smooth.state_dict()) for task in self.tasks}
        self.history = {task: [self._validate(task)] for task in self.tasks}
        self.sizes = {task: len(d.train) for task, d in data.items()}
        self.n_batches = count_batches(self.sizes, config.batch_size)
        self.active = [task for task in self.tasks if self.sizes[task]]
        self.optimizer, self.schedule = self._optimizer()

    def _optimizer(self) -> tuple[torch.optim.AdamW, torch.optim.lr_scheduler.OneCycleLR]:
        """AdamW on one cycle; learned weights of tasks do not decay."""
        rate, total = self.config.learning_rate, 1 + self.n_batches * self.config.epochs
        groups: list[dict[str, Any]] = [{"params": list(self.network.parameters())}]
        if self.weights.is_learned:
            groups.append({"params": [self.weights.log_variance], "weight_decay": 0.0})
        optimizer = torch.optim.AdamW(groups, lr=rate, weight_decay=self.config.weight_decay)
        cycle = torch.optim.lr_scheduler.OneCycleLR
        return optimizer, cycle(optimizer, rate, total_steps=total, pct_start=0.1)

    @property
    def _smooth(self) -> Network:
        """The network with averaged weights: what is judged and kept."""
        return cast(Network, self.averaged.module)

    def learn(self) -> None:
        """One epoch of the active tasks."""
        self.network.train()
        sizes = {task: self.sizes[task] for task in self.active}
        for task, lists in draw_batches(sizes, self.n_batches, self.config.batch_size, self.rng):
            self._learn_from(task, lists)

    def _learn_from(self, task: str, lists: NDArray[np.int64]) -> None:
        i = self.tasks.index(task)
        loss = self.weights(list_loss(self.network, i, self.data[task].train, lists), i)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.schedule.step()
        self.averaged.update_parameters(self.network)

    def judge(self) -> None:
        """Validate the active tasks: keep what is better, stop who no longer gains."""
        for task in list(self.active):
            metric, history = self._validate(task), self.history[task]
            if metric > max(history) or not self.data[task].valid.hits.any():
                self.best[task] = copy.deepcopy(self._smooth.state_dict())
            history.append(metric)
            if len(history) - 1 - int(np.argmax(history)) >= self.config.patience:
                self.active.remove(task)

    def _validate(self, task: str) -> float:
        return validate(self._smooth, self.tasks.index(task), self.data[task].valid)

    def best_networks(self) -> list[Network]:
        """A network per task, with the weights of its best epoch."""
        return [_with_weights(self.network, self.best[task]) for task in self.tasks]


@torch.no_grad()
def _lean_on_rule(network: Network, task: int, prepared: Samples, rule: int) -> float:
    """Add the rule's number to the logit with the weight that validation speaks for; returns it.

    The weight is a share of the spread of the logits: the mean of `LEANINGS`, each counted by how
    likely it is to be the best (see `_expected_best`). A task with few lists cannot learn from them
    how good a simple rule is; a single weight it can. In a funnel the number is added at every
    step.
    """
    if len(prepared.label) == 0:
        return 0.0
    steps = torch.cat(
        [
            network.steps(*tensors(prepared, slice(i, i + CHUNK)), task)
            for i in range(0, len(prepared.label), CHUNK)
        ]
    )
    number = torch.from_numpy(prepared.numbers[:, rule].astype(np.float32)).unsqueeze(1)
    spread = float(chain_logits(steps)[:, -1].std(correction=0))
    goal = [chain_logits(steps + w * spread * number)[:, -1].numpy() for w in LEANINGS]
    weight = _expected_best(LEANINGS, [each_ndcg(logit, prepared, METRIC_K) for logit in goal])
    linear = cast(torch.nn.Linear, network.linear[task])
    linear.weight[:, rule] += weight * spread
    return weight


def _expected_best(choices: Sequence[float], metrics: Sequence[NDArray[np.float64]]) -> float:
    """The mean of `choices`, each weighted by exp(-z^2 / 2).

    z is by how many standard errors of the paired difference its metric [lists] is below that of
    the best. Where thousands of lists tell choices apart this is the best one; where a few dozen do
    not, it is the middle of what they leave open, and not what was lucky.
    """
    if not len(metrics[0]):
        return 0.0
    best = max(metrics, key=lambda metric: float(metric.mean()))
    lag = [best - metric for metric in metrics]
    error = [gap.std() / np.sqrt(max(1, len(gap) - 1)) for gap in lag]
    z = [gap.mean() / e if e > 0 else 0.0 for gap, e in zip(lag, error, strict=True)]
    return float(np.average(choices, weights=np.exp(-np.square(z) / 2)))


def _average(averaged: Any, current: Any, n_averaged: Any) -> None:
    """Moving average of weights, in place, that forgets the first batches quickly.

    The decay after n batches is (1 + n) / (10 + n), at most `AVERAGING`: with a fixed one, a small
    project would keep little but what it had after its first batch.
    """
    n = float(n_averaged)
    decay = min(AVERAGING, (1 + n) / (10 + n))
    get_ema_multi_avg_fn(decay)(averaged, current, n_averaged)  # type: ignore[no-untyped-call]


def _with_weights(network: Network, state: dict[str, Tensor]) -> Network:
    twin = copy.deepcopy(network)
    twin.load_state_dict(state)
    return twin.eval()


def _median(numbers: NDArray[np.float16]) -> FloatArray:
    if len(numbers) == 0:
        return np.zeros(numbers.shape[1], np.float32)
    return np.median(numbers[:: max(1, len(numbers) // 50_000)].astype(np.float32), axis=0)
