"""The candidate lists of RecPrism's ranker with all its columns, for rankers of others.

    python -m benchmarks.peers.candidates FILE FOLDER [--items ITEMS.tsv] [--seed N]

Signals are fitted on the training events. `train-*.npz` and `valid-*.npz` hold the lists before the
last but one event, of four fifths of the users with sampled negatives as our ranker sees them, and
of the others whole; `test-*.npz` the whole lists before the last event. Each has `numbers` [rows,
columns], `codes` [rows, labels], `label` [rows], `offsets` [lists + 1], and `user` [lists] as row
of the file. `times.json` tells the seconds.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import numpy as np
from benchmarks.leave_out import TEST, VALID, write_project
from benchmarks.sequence_files import SequenceFile, read_items, read_sequences
from benchmarks.sequences import sections
from numpy.typing import NDArray

from recprism.data.times import to_micros
from recprism.pipeline import Workspace, prepare
from recprism.project import load_project
from recprism.ranker.harvest import fit_or_load
from recprism.ranker.occasions import Occasions
from recprism.ranker.samples import Sampling, make_samples
from recprism.signals.plan import compile_tasks
from recprism.signals.snapshot import Snapshot

HELD_SHARE = 0.2
PER_FILE = 2_000
TASK = "next"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--items", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    sequences = read_sequences(options.file)
    items = read_items(options.items, sequences)
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as project:
        written = write_project(
            Path(project), sequences.events(), items, sections(items, options.seed)
        )
        workspace = prepare(load_project(written))
        write(workspace, sequences, options.folder, options.seed)
    return 0


def write(workspace: Workspace, sequences: SequenceFile, folder: Path, seed: int) -> None:
    """Write the lists of all tested users into `folder`."""
    start = perf_counter()
    snapshot = fit_or_load(workspace.ground, workspace.log, to_micros(VALID), workspace.samples)
    seconds = {"signals_s": perf_counter() - start}
    tested = [row for row, user in enumerate(sequences.users) if user in sequences.last()]
    held = np.random.default_rng(seed).random(len(tested)) < HELD_SHARE
    users = np.array(tested, np.int64)
    few = workspace.ground.project.ranker.negatives
    for part, who, at, negatives in (
        ("train", users[~held], VALID, few),
        ("valid", users[held], VALID, None),
        ("test", users, TEST, None),
    ):
        start = perf_counter()
        sampling = Sampling(
            workspace.ground.project.ranker.shortlist,
            negatives,
            only_hits=negatives is not None,
            seed=seed,
        )
        for number, first in enumerate(range(0, len(who), PER_FILE)):
            some = who[first : first + PER_FILE]
            file = folder / f"{part}-{number:03}.npz"
            _write_some(workspace, snapshot, sequences, some, to_micros(at), sampling, file)
        seconds[f"{part}_s"] = perf_counter() - start
    (folder / "times.json").write_text(json.dumps(seconds), encoding="utf-8")


def _write_some(
    workspace: Workspace,
    snapshot: Snapshot,
    sequences: SequenceFile,
    users: NDArray[np.int64],
    at: int,
    sampling: Sampling,
    file: Path,
) -> None:
    plan = compile_tasks(workspace.ground.project, workspace.ground.catalog)[TASK]
    ids = workspace.ground.catalog.users.ids
    inner = np.array([ids.index(sequences.users[user]) for user in users.tolist()], np.int32)
    back = {int(row): int(user) for row, user in zip(inner, users, strict=True)}
    occasions = Occasions(inner, np.full(len(inner), at, np.int64))
    found = make_samples(workspace.features, snapshot, workspace.log, [plan], occasions, sampling)[
        TASK
    ]
    np.savez(
        file,
        numbers=found.numbers,
        codes=found.codes,
        label=found.label,
        offsets=found.offsets,
        user=np.array([back[int(row)] for row in found.user], np.int64),
        asked=users,
    )


if __name__ == "__main__":
    sys.exit(main())
