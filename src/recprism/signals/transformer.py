"""Train a transformer to name the next event (PyTorch; training only).

In come histories and what is known of items, out go arrays for serving. Every place of a history
predicts the event after it by a softmax over cosines (SASRec, Kang and McAuley 2018). The decision
worth knowing is the softmax: it runs over the targets of the batch and items drawn at random, each
weighted by the inverse of its chance to be there: an estimate of the softmax over all items at a
fraction of its cost (which negatives are used decides much: Klenitskiy and Vasilev 2023).
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from recprism.data.dataset import FloatArray, IntArray, LongArray
from recprism.project.schema import Transformer as Config
from recprism.signals.events import GAP_BUCKETS, Histories, nearest_seen
from recprism.signals.transformer_batches import (
    Batch,
    Events,
    batches,
    draw_spans,
    hold_out,
    last_spans,
)
from recprism.signals.transformer_network import (
    Facts,
    ItemVectors,
    Reader,
    export_reader,
    unit,
)

METRIC_K = 10
AVERAGING = 0.99
"""Decay of the moving average of the weights, per batch; the average is what is kept."""
CONTENT_SIZE = 128
"""Content vectors are whitened to at most so many numbers."""
CHUNK = 4096
Progress = Callable[[str, float], None]
"""Told what is being done and which part of it is done, 0 to 1."""


@dataclass(frozen=True)
class Trained:
    """What serving needs, as arrays, and how training went.

    `arrays`: `item` [n_items, size] float32 of length 1 or 0 (nothing known), `length` [n_items] by
    which they are multiplied to be read, `graph` (bytes of the ONNX graph, see `export_reader`),
    `before_as`, `until_as` (which gap to read as which), and the numbers `n_codes`, `temperature`,
    `max_length`. `account`: NDCG@10 after each epoch, and counts.
    """

    arrays: Mapping[str, NDArray[Any]]
    account: Mapping[str, Any]


class Model(nn.Module):
    """Item vectors and the reader, trained together."""

    def __init__(self, facts: Facts, n_codes: int, config: Config) -> None:
        super().__init__()
        self.items, self.reader = ItemVectors(facts, config), Reader(n_codes, config)


def train_transformer(
    histories: Histories,
    content: FloatArray | None,
    labels: IntArray | None,
    n_items: int,
    config: Config,
    seed: int,
    progress: Progress | None = None,
) -> Trained:
    """Train on `histories`, with `content` [n_items, d] (zeros: no content) and `labels`
    [n_items, k] (codes, 0: none) as far as `config` wants them.

    The last event of some users is held out to see when to stop. Without anybody who has two
    events, all item vectors are zeros. Deterministic for one seed, machine and number of threads.
    """
    started = time.perf_counter()
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        facts = _facts(histories, content, labels, n_items, config)
        model = Model(facts, int(histories.code.max(initial=0)) + 1, config)
        loop = Loop(model, histories, facts, config, rng)
        history = loop.run(progress) if loop.n_positions else [0.0]
    arrays = _arrays(model.eval(), histories, n_items if loop.n_positions else 0, n_items, config)
    account = {
        "ndcg@10": history,
        "best_epoch": int(np.argmax(history)),
        "positions": loop.n_positions,
        "held_out": len(loop.held_out),
        "train_s": time.perf_counter() - started,
    }
    return Trained(arrays, account)


class Loop:
    """One training: what is drawn, the loss, when to stop."""

    def __init__(
        self, model: Model, histories: Histories, facts: Facts, config: Config, rng: Any
    ) -> None:
        self.model, self.histories, self.config, self.rng = model, histories, config, rng
        self.events = Events.read(histories)
        self.held_out, self._stop = hold_out(histories, rng)
        self.n_positions = int(np.maximum(0, self._stop - histories.offsets[:-1] - 1).sum())
        self.pool = Candidates.of(facts, histories, config)
        self._validation = last_spans(histories, self.held_out, config.max_length)

    def run(self, progress: Progress | None) -> list[float]:
        """Train until validation stops getting better; the model has the best weights then."""
        config, model = self.config, self.model
        optimizer = torch.optim.AdamW(
            model.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        averaged = AveragedModel(model, multi_avg_fn=_average)
        smooth = cast(Model, averaged.module)
        best, history = copy.deepcopy(smooth.state_dict()), [self.validate(smooth)]
        steps = max(1, min(self.n_positions, config.pass_events) // config.batch_size)
        rate = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: _rate(step, steps, config.epochs)
        )
        for epoch in range(config.epochs):
            model.train()
            for batch in self._batches():
                loss = self.loss(batch)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                rate.step()
                averaged.update_parameters(model)
            history.append(self.validate(smooth))
            if history[-1] > max(history[:-1]) or not len(self.held_out):
                best = copy.deepcopy(smooth.state_dict())
            if progress is not None:
                progress("train the transformer", (epoch + 1) / config.epochs)
            if len(history) - 1 - int(np.argmax(history)) >= config.patience:
                break
        model.load_state_dict(best)
        return history

    def _batches(self) -> list[Batch]:
        spans = draw_spans(self.histories.offsets[:-1], self._stop, self.config, self.rng)
        return [
            self.events.batch(spans, rows)
            for rows in batches(spans, self.config.batch_size, self.rng)
        ]

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy of the next items among the candidates of the batch."""
        is_event = torch.from_numpy(batch.is_event)
        target = batch.target[batch.is_event]
        chosen, chance = self.pool.draw(target, self.rng)
        rows, inverse = np.unique(np.append(chosen, batch.item), return_inverse=True)
        vectors = self.model.items(torch.from_numpy(rows))
        place = torch.from_numpy(inverse)
        read = vectors[place[len(chosen) :].view(batch.item.shape)]
        users = self.model.reader(read, torch.from_numpy(batch.codes))[is_event]
        logit = users @ unit(vectors[place[: len(chosen)]]).T / self.config.temperature
        right = torch.from_numpy(np.searchsorted(chosen, target))
        away = torch.from_numpy(-np.log(chance)).expand(len(right), -1)
        away = away.scatter(1, right[:, None], 0.0)
        return F.cross_entropy(logit + away, right)

    @torch.no_grad()
    def validate(self, model: Model) -> float:
        """NDCG@10 of the events held out among all items that training knows."""
        if not len(self.held_out):
            return 0.0
        model.eval()
        items = self.pool.item
        table, gains = unit(model.items(torch.from_numpy(items))), []
        for rows in batches(self._validation, CHUNK, None):
            batch = self.events.batch(self._validation, rows)
            score = last_users(model, batch) @ table.T
            target = batch.target[np.arange(len(rows)), batch.size - 1]
            place = np.searchsorted(items, target).clip(max=len(items) - 1)
            own = score.gather(1, torch.from_numpy(place)[:, None])
            rank = (score > own).sum(dim=1).numpy()
            gains.append((rank < METRIC_K) * (items[place] == target) / np.log2(2.0 + rank))
        return float(np.concatenate(gains).mean())


@dataclass(frozen=True)
class Candidates:
    """Items of the training events: `item` [n] ascending, and how many to draw per batch.

    `share` [n] is each item's part of all events.
    """

    item: LongArray
    share: NDArray[np.float64]
    negatives: int

    @classmethod
    def of(cls, facts: Facts, histories: Histories, config: Config) -> Candidates:
        counts = np.bincount(histories.item, minlength=len(facts.row))
        item = np.flatnonzero(counts)
        return cls(item, counts[item] / max(1, counts.sum()), config.negatives)

    def draw(self, target: LongArray, rng: Any) -> tuple[LongArray, FloatArray]:
        """Distinct items, ascending, with all of `target` among them, and each one's chance."""
        n = len(self.item)
        if n <= self.negatives:
            return self.item, np.ones(n, np.float32)
        chosen = np.union1d(target, self.item[rng.choice(n, self.negatives, replace=False)])
        share = self.share[np.searchsorted(self.item, chosen)]
        missed = (1.0 - self.negatives / n) * (1.0 - share) ** len(target)
        return chosen, np.asarray(1.0 - missed, np.float32)


def last_users(model: Model, batch: Batch) -> Tensor:
    """Unit vectors of the users of a batch after their last event, [b, size]."""
    read = model.items(torch.from_numpy(batch.item.ravel())).view(*batch.item.shape, -1)
    users = model.reader(read, torch.from_numpy(batch.codes))
    return cast(Tensor, users[torch.arange(len(batch.size)), torch.from_numpy(batch.size - 1)])


def _facts(
    histories: Histories,
    content: FloatArray | None,
    labels: IntArray | None,
    n_items: int,
    config: Config,
) -> Facts:
    """What the network may know of items; learned vectors for those with events only."""
    known = np.bincount(histories.item, minlength=n_items) > 0
    row = np.where(known, np.cumsum(known), 0)
    wide = None
    if config.with_content and content is not None and content.any():
        wide = torch.from_numpy(whiten(content))
    codes = None
    if config.with_labels and labels is not None and labels.shape[1]:
        codes = torch.from_numpy(labels.astype(np.int64))
    return Facts(torch.from_numpy(row.astype(np.int64)), wide, codes)


def whiten(content: FloatArray) -> FloatArray:
    """`content` [n, d] on its main axes, each of the same spread, rows of length about 1; zeros
    stay zeros. At most `CONTENT_SIZE` numbers."""
    known = content.any(axis=1)
    centered = content[known] - content[known].mean(axis=0)
    _, spread, axes = np.linalg.svd(centered.T @ centered / max(1, known.sum()), hermitian=True)
    n = min(CONTENT_SIZE, max(1, int((spread > 1e-6 * spread.max(initial=1e-12)).sum())))
    out = np.zeros((len(content), n), np.float32)
    out[known] = centered @ axes[:n].T / np.sqrt(spread[:n] + 1e-12)
    length = np.linalg.norm(out, axis=1, keepdims=True)
    return np.asarray(out / np.maximum(length, 1e-6), np.float32)


def _average(averaged: Any, current: Any, n_averaged: Any) -> None:
    """Moving average of weights, in place, that forgets the first batches quickly."""
    n = float(n_averaged)
    decay = min(AVERAGING, (1 + n) / (10 + n))
    get_ema_multi_avg_fn(decay)(averaged, current, n_averaged)  # type: ignore[no-untyped-call]


def _rate(step: int, steps: int, epochs: int) -> float:
    """Share of the learning rate: up within half an epoch, then down along a cosine."""
    part = min(1.0, step / (steps * epochs))
    return min(1.0, (step + 1) / (0.5 * steps + 1)) * (
        0.05 + 0.475 * (1 + math.cos(math.pi * part))
    )


@torch.no_grad()
def _arrays(
    model: Model, histories: Histories, n_known: int, n_items: int, config: Config
) -> dict[str, NDArray[Any]]:
    item = np.zeros((n_items, config.size), np.float32)
    for i in range(0, n_known, CHUNK):
        rows = torch.arange(i, min(i + CHUNK, n_items))
        item[i : i + CHUNK] = model.items(rows).numpy()
    events = Events.read(histories)
    is_input = np.ones(len(events.item), bool)
    is_input[histories.offsets[1:][np.diff(histories.offsets) > 0] - 1] = False
    seen = [np.bincount(events.codes[is_input, i], minlength=GAP_BUCKETS) > 0 for i in (1, 2)]
    length = np.linalg.norm(item, axis=1)
    return {
        "item": item / np.maximum(length, 1e-6)[:, None],
        "length": np.where(length > 1e-6, length, 0.0).astype(np.float32),
        "graph": np.frombuffer(export_reader(model.reader, config.size), np.uint8),
        "before_as": nearest_seen(seen[0]),
        "until_as": nearest_seen(seen[1]),
        "n_codes": np.array([int(histories.code.max(initial=0)) + 1], np.int64),
        "temperature": np.array([config.temperature], np.float32),
        "max_length": np.array([config.max_length], np.int64),
    }
