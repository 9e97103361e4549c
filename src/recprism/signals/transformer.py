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
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from recprism.data.dataset import FloatArray, LongArray
from recprism.project.schema import Transformer as Config
from recprism.signals.events import GAP_BUCKETS, Histories, nearest_seen
from recprism.signals.interface import Progress
from recprism.signals.item_parts import TINY, ContentMap, ItemParts, Whitening
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
CHUNK = 4096


@dataclass(frozen=True)
class Trained:
    """What serving needs, as arrays, and how training went.

    `arrays`: `item` [n_items, size] float32 of length 1 or 0 (nothing known), `length` [n_items] by
    which they are multiplied to be read, `graph` (bytes of the ONNX graph, see `export_reader`),
    `before_as`, `until_as` (which gap to read as which), the numbers `n_codes`, `temperature`,
    `max_length`, and those of `ContentMap` where content is known. `account`: NDCG@10 before the
    first epoch and after each (`ndcg@10`), the best of them (`best_epoch`), counts and seconds.
    """

    arrays: Mapping[str, NDArray[Any]]
    account: Mapping[str, Any]


class Model(nn.Module):
    """Item vectors and the reader, trained together."""

    def __init__(self, facts: Facts, n_codes: int, config: Config) -> None:
        super().__init__()
        self.items, self.reader = ItemVectors(facts, config), Reader(n_codes, config)
        self.size = config.size


def train_transformer(
    histories: Histories,
    parts: ItemParts,
    config: Config,
    seed: int,
    progress: Progress | None = None,
) -> Trained:
    """Train on `histories` with what `parts` tells of items.

    The last event of some users is held out to see when to stop. Without anybody who has two
    events, or anything known of items, all item vectors are zeros. Deterministic for one seed,
    machine and number of threads.
    """
    started = time.perf_counter()
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        whitening, facts = _facts(histories, parts, config.content_size)
        model = Model(facts, int(histories.code.max(initial=0)) + 1, config)
        loop = Loop(model, histories, parts.n_items, config, rng)
        can_learn = loop.n_positions > 0 and not facts.is_empty
        history = loop.run(progress) if can_learn else [0.0]
    model.eval()
    arrays = _arrays(model, histories, config)
    arrays |= _item_arrays(model, whitening, parts.n_items, can_learn)
    account = {
        "ndcg@10": history,
        "best_epoch": int(np.argmax(history)),
        "positions": loop.n_positions,
        "held_out": len(loop.held_out),
        "train_s": round(time.perf_counter() - started, 1),
    }
    return Trained(arrays, account)


class Loop:
    """One training: what is drawn, the loss, when to stop."""

    def __init__(
        self, model: Model, histories: Histories, n_items: int, config: Config, rng: Any
    ) -> None:
        self.model, self.histories, self.config, self.rng = model, histories, config, rng
        self.events = Events.read(histories)
        self.held_out, self._stop = hold_out(histories, rng)
        self.n_positions = int(np.maximum(0, self._stop - histories.offsets[:-1] - 1).sum())
        self.pool = Candidates.of(histories, n_items, config.negatives)
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
                progress("train", (epoch + 1) / config.epochs)
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
    def of(cls, histories: Histories, n_items: int, negatives: int) -> Candidates:
        counts = np.bincount(histories.item, minlength=n_items)
        item = np.flatnonzero(counts)
        return cls(item, counts[item] / max(1, counts.sum()), negatives)

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
    histories: Histories, parts: ItemParts, content_size: int
) -> tuple[Whitening | None, Facts]:
    """What the network may know of items; learned vectors for those with events only."""
    row = wide = codes = whitening = None
    if parts.with_ids:
        known = np.bincount(histories.item, minlength=parts.n_items) > 0
        row = torch.from_numpy(np.where(known, np.cumsum(known), 0).astype(np.int64))
    if parts.content is not None and parts.content.any():
        whitening = Whitening.fit(parts.content, content_size)
        wide = torch.from_numpy(whitening.apply(parts.content))
    if parts.labels is not None and parts.labels.shape[1]:
        codes = torch.from_numpy(parts.labels.astype(np.int64))
    return whitening, Facts(row, wide, codes)


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
def _item_arrays(
    model: Model, whitening: Whitening | None, n_items: int, is_trained: bool
) -> dict[str, NDArray[Any]]:
    """Vectors of all items, and how those of items to come are made of their content."""
    item = np.zeros((n_items, model.size), np.float32)
    for i in range(0, n_items if is_trained else 0, CHUNK):
        rows = torch.arange(i, min(i + CHUNK, n_items))
        item[i : i + CHUNK] = model.items(rows).numpy()
    length = np.linalg.norm(item, axis=1)
    arrays: dict[str, NDArray[Any]] = {
        "item": item / np.maximum(length, TINY)[:, None],
        "length": np.where(length > TINY, length, 0.0).astype(np.float32),
    }
    if whitening is not None and model.items.content is not None:
        weights = [w * np.float32(is_trained) for w in model.items.content.weights()]
        arrays |= ContentMap(whitening, *weights).to_arrays()
    return arrays


def _arrays(model: Model, histories: Histories, config: Config) -> dict[str, NDArray[Any]]:
    """The graph, and how events are read."""
    events = Events.read(histories)
    is_input = np.ones(len(events.item), bool)
    is_input[histories.offsets[1:][np.diff(histories.offsets) > 0] - 1] = False
    seen = [np.bincount(events.codes[is_input, i], minlength=GAP_BUCKETS) > 0 for i in (1, 2)]
    return {
        "graph": np.frombuffer(export_reader(model.reader, config.size), np.uint8),
        "before_as": nearest_seen(seen[0]),
        "until_as": nearest_seen(seen[1]),
        "n_codes": np.array([int(histories.code.max(initial=0)) + 1], np.int64),
        "temperature": np.array([config.temperature], np.float32),
        "max_length": np.array([config.max_length], np.int64),
    }
