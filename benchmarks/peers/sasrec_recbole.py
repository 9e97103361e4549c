"""SASRec (Kang and McAuley, 2018) as RecBole trains it.

RecBole gets its own files, one row per training target with what came before it (its documented
way for sequences that are cut already), so that it sees exactly the targets of the protocol. It
stops early by its own validation score; ranks are counted by ours.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from benchmarks.peers.program import Options, arguments, installed
from benchmarks.peers.protocol import Answers, Rows, Scores, Split, answers, ask

LENGTH = 50
"""RecBole's default number of items that a sequence keeps."""
SETTINGS: dict[str, Any] = {
    "n_layers": 2,
    "n_heads": 2,
    "hidden_size": 64,
    "inner_size": 256,
    "hidden_dropout_prob": 0.5,
    "attn_dropout_prob": 0.5,
    "loss_type": "CE",
    "learning_rate": 0.001,
    "train_batch_size": 256,
    "epochs": 300,
    "stopping_step": 10,
}
"""RecBole's defaults (`properties/model/SASRec.yaml` and `properties/overall.yaml`), but batches of
256 in place of 2,048: with few epochs in the budget, small batches take more steps."""
QUICK = {"hidden_size": 16, "inner_size": 32, "epochs": 2}


class OutOfTime(Exception):
    """The budget of seconds is spent; the best epoch so far is kept."""


def main() -> int:
    options = arguments(__doc__)
    split = Split.load(options.split)
    sys.argv = sys.argv[:1]  # RecBole reads settings from the command line, ours are none
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # RecBole leaves logs where it is started
        run(split, options, Path(folder)).save(options.answers)
    return 0


def run(split: Split, options: Options, folder: Path) -> Answers:
    import torch
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.data.interaction import Interaction
    from recbole.model.sequential_recommender import SASRec
    from recbole.trainer import Trainer
    from recbole.utils import init_seed

    write_files(split, folder / "peers")
    chosen = {**SETTINGS, **(QUICK if options.quick else {})}
    config = Config(model="SASRec", dataset="peers", config_dict=_config(chosen, options, folder))
    init_seed(config["seed"], config["reproducibility"])
    logging.getLogger().setLevel(logging.WARNING)
    dataset = create_dataset(config)
    train, valid, _ = data_preparation(config, dataset)
    model, epochs, start = SASRec(config, train.dataset), [0], perf_counter()

    def look(epoch: int, score: float) -> None:
        epochs[0] = epoch + 1
        seconds = perf_counter() - start
        sys.stderr.write(f"epoch {epoch + 1}: valid {score:.4f} after {seconds:.0f} s\n")
        if seconds > options.seconds:
            raise OutOfTime

    trainer, ended = Trainer(config, model), "stopped early or ran all epochs"
    try:
        trainer.fit(train, valid, saved=True, show_progress=False, callback_fn=look)
    except OutOfTime:
        ended = f"ended after {options.seconds:.0f} s"
    train_s = perf_counter() - start
    kept = torch.load(trainer.saved_model_file, weights_only=False)
    model.load_state_dict(kept["state_dict"])
    model.eval()
    inner = dataset.token2id("item_id", [f"i{row}" for row in range(split.n_items)])

    @torch.no_grad()
    def score(users: Rows, part: str) -> Scores:
        past = np.zeros((len(users), LENGTH), np.int64)
        length = np.zeros(len(users), np.int64)
        for row, user in enumerate(users.tolist()):
            own = inner[split.history(user, part)][-LENGTH:]
            past[row, : len(own)], length[row] = own, len(own)
        batch = {"item_id_list": torch.from_numpy(past), "item_length": torch.from_numpy(length)}
        scores: Scores = model.full_sort_predict(Interaction(batch)).numpy()[:, inner]
        return scores

    told = {**chosen, "best_epoch": int(kept["epoch"]) + 1, "epochs_run": epochs[0], "end": ended}
    found = {part: ask(split, score, part) for part in ("valid", "test")}
    versions = installed("recbole", "torch", "numpy", "pandas")
    return answers(found["valid"], found["test"], train_s, told, versions)


def write_files(split: Split, folder: Path) -> None:
    """The three files of RecBole: user, what came before (latest `LENGTH`), next item."""
    folder.mkdir(parents=True)
    header = "user_id:token\titem_id_list:token_seq\titem_id:token\n"
    with (
        (folder / "peers.train.inter").open("w", encoding="utf-8") as train,
        (folder / "peers.valid.inter").open("w", encoding="utf-8") as valid,
        (folder / "peers.test.inter").open("w", encoding="utf-8") as test,
    ):
        for file in (train, valid, test):
            file.write(header)
        tested = set(split.tested.tolist())
        for user in range(len(split)):
            own = split.training(user)
            train.writelines(_row(user, own[:end], own[end]) for end in range(1, len(own)))
            if user in tested:
                for file, part in ((valid, "valid"), (test, "test")):
                    wanted = split.wanted(np.array([user]), part)[0]
                    file.write(_row(user, split.history(user, part), wanted))


def _row(user: int, past: Rows, target: int) -> str:
    before = " ".join(f"i{item}" for item in past[-LENGTH:].tolist())
    return f"u{user}\t{before}\ti{target}\n"


def _config(chosen: dict[str, Any], options: Options, folder: Path) -> dict[str, Any]:
    return {
        **chosen,
        "data_path": str(folder),
        "checkpoint_dir": str(folder / "saved"),
        "benchmark_filename": ["train", "valid", "test"],
        "alias_of_item_id": ["item_id_list"],
        "load_col": {"inter": ["user_id", "item_id_list", "item_id"]},
        "USER_ID_FIELD": "user_id",
        "ITEM_ID_FIELD": "item_id",
        "ITEM_LIST_LENGTH_FIELD": "item_length",
        "LIST_SUFFIX": "_list",
        "MAX_ITEM_LIST_LENGTH": LENGTH,
        "train_neg_sample_args": None,
        "eval_args": {"mode": "full", "order": "TO", "group_by": "user"},
        "metrics": ["Recall", "NDCG"],
        "topk": [10],
        "valid_metric": "NDCG@10",
        "use_gpu": False,
        "gpu_id": "",
        "seed": options.seed,
        "reproducibility": True,
        "show_progress": False,
        "state": "WARNING",
    }


if __name__ == "__main__":
    sys.exit(main())
