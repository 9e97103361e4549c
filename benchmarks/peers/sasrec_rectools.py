"""SASRec (Kang and McAuley, 2018) as RecTools trains it: full softmax over all items.

RecTools trains all positions of a sequence at once. Every few epochs validation NDCG@10 is looked
at; the best epoch serves. Its lists are scored in the order in which they come back; what is not
among the first `LISTED` is a miss.
"""

from __future__ import annotations

import sys
import warnings
from copy import deepcopy
from time import perf_counter
from typing import Any

import numpy as np
from benchmarks.peers.program import Options, arguments, installed
from benchmarks.peers.protocol import Answers, Rows, Scores, Split, answers, ask, ndcg

LISTED = 100
LOOK_EVERY = 5
PATIENCE = 3
"""Training ends when so many looks at validation in a row were no better than the best."""
SETTINGS: dict[str, Any] = {
    "n_blocks": 2,
    "n_heads": 2,
    "n_factors": 64,
    "dropout_rate": 0.2,
    "session_max_len": 100,
    "loss": "softmax",
    "lr": 0.001,
    "batch_size": 128,
    "epochs": 300,
}
"""RecTools' defaults, but 64 numbers and 2 heads in place of 256 and 4 (as RecBole's SASRec has),
and as many epochs as validation gains from in place of 3."""
QUICK = {"n_factors": 16, "epochs": LOOK_EVERY}


def main() -> int:
    options = arguments(__doc__)
    run(Split.load(options.split), options).save(options.answers)
    return 0


def run(split: Split, options: Options) -> Answers:
    from pytorch_lightning import seed_everything
    from rectools.models import SASRecModel

    warnings.simplefilter("ignore")
    chosen = {**SETTINGS, **(QUICK if options.quick else {})}
    seed_everything(options.seed, verbose=False)
    model = SASRecModel(**chosen, deterministic=True, recommend_torch_device="cpu")
    training, train_s, curve = _table(split, None), 0.0, []
    best: tuple[float, int, dict[str, Any]] = (-1.0, 0, {})
    for epochs in range(LOOK_EVERY, chosen["epochs"] + 1, LOOK_EVERY):
        start = perf_counter()
        model.fit_partial(training, min_epochs=LOOK_EVERY, max_epochs=LOOK_EVERY)
        train_s += perf_counter() - start
        value = ndcg(ask(split, _scorer(split, model), "valid"))
        curve.append(round(value, 4))
        sys.stderr.write(f"epoch {epochs}: valid {value:.4f} after {train_s:.0f} s\n")
        if value > best[0]:
            best = (value, epochs, deepcopy(model.lightning_model.state_dict()))
        if epochs - best[1] >= PATIENCE * LOOK_EVERY or train_s > options.seconds:
            break
    model.lightning_model.load_state_dict(best[2])
    score = _scorer(split, model)
    told = {**chosen, "best_epoch": best[1], "epochs_run": epochs, "valid_curve": curve}
    found = {part: ask(split, score, part) for part in ("valid", "test")}
    versions = installed("rectools", "torch", "numpy", "pandas")
    return answers(found["valid"], found["test"], train_s, told, versions)


def _scorer(split: Split, model: Any) -> Any:
    """Scores that count down the lists of a model."""
    tables = {part: _table(split, part) for part in ("valid", "test")}

    def score(users: Rows, part: str) -> Scores:
        found = model.recommend(
            users=users,
            dataset=tables[part],
            k=min(LISTED, split.n_items),
            filter_viewed=True,
            on_unsupported_targets="ignore",
        )
        row = np.searchsorted(users, found["user_id"].to_numpy())
        scores = np.full((len(users), split.n_items), -np.inf, np.float32)
        scores[row, found["item_id"].to_numpy()] = -found["rank"].to_numpy()
        return scores

    return score


def _table(split: Split, part: str | None) -> Any:
    """What is learned from (`part` None) or known at `part`, as a data set of RecTools."""
    import pandas as pd
    from rectools import Columns
    from rectools.dataset import Dataset

    users = np.arange(len(split)) if part is None else split.tested
    rows = [
        split.training(user) if part is None else split.history(user, part)
        for user in users.tolist()
    ]
    # Only the order counts; a day a step keeps each user's events apart.
    step = np.concatenate([np.arange(len(row)) for row in rows])
    table = pd.DataFrame(
        {
            Columns.User: np.repeat(users, [len(row) for row in rows]),
            Columns.Item: np.concatenate(rows),
            Columns.Weight: 1.0,
            Columns.Datetime: pd.Timestamp("2020-01-01") + pd.to_timedelta(step, unit="D"),
        }
    )
    return Dataset.construct(table)


if __name__ == "__main__":
    sys.exit(main())
