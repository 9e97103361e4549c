"""Real peers next to RecPrism: the same split, the same machine, one run.

    python -m benchmarks.peers [FILE] [--items ITEMS.tsv] [--movielens FOLDER] [--json] [--quick]
        [--only NAME ...] [--environments FOLDER] [--seed N] [--seconds S]

`FILE` and `ITEMS.tsv` are those of `benchmarks.sequences`; `--movielens` makes both from a folder
with an `*.inter` and an `*.item` file. Leave-last-out: a peer learns from all but the last two
items of each user, is chosen and tuned by the last but one, and tested on the last, over all items
without the user's own. At the test it is told the validation item as history, but does not learn
from it. Every program runs with one thread; those of the peers in virtual environments of their
own, which are made (pip, minutes) when they are missing. Exit status 1: some row was not measured.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers import environments, movielens
from benchmarks.peers.protocol import Answers, Split
from benchmarks.peers.table import as_text, own_row, row_of, with_ratios
from benchmarks.sequence_files import BadFile, SequenceFile, read_items, read_sequences
from benchmarks.timing import ONE_THREAD, CommandFailed, Measured, measure

from recprism.evaluate.machine import describe_machine

OWN = "recprism"
ROOT = Path(__file__).parents[2]
CAVEATS = (
    "Leave-last-out lets other users' later events into training.",
    "Times and memory hold for this run with one thread per program; RecPrism asks a thousand "
    "users per process, in up to as many as there are cores. Lists of peers are made in batches, "
    "RecPrism's one by one.",
    "Validation of recprism and lambdamart is over the users that their rankers did not learn "
    "from, that of the others over all tested users.",
    "LambdaMART ranks the candidates of RecPrism's signals, with their columns; its training time "
    "holds theirs.",
)


@dataclass(frozen=True)
class Peer:
    """The environment and the program of a peer; with `lists` it ranks our candidates."""

    environment: str
    program: str
    lists: bool = False


PEERS: Mapping[str, Peer] = {
    **{
        name: Peer("neighbours", "neighbours")
        for name in ("popular", "als", "bm25", "cosine", "ease")
    },
    "lambdamart": Peer("boosted", "boosted", lists=True),
    "sasrec-rectools": Peer("rectools", "sasrec_rectools"),
    "sasrec-recbole": Peer("recbole", "sasrec_recbole"),
}


@dataclass(frozen=True)
class Data:
    """What is measured: the files, the split made of them, and a folder to work in."""

    file: Path
    items: Path | None
    sequences: SequenceFile
    n_items: int
    folder: Path
    caveats: tuple[str, ...]

    @property
    def split(self) -> Path:
        return self.folder / "split.npz"


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    with tempfile.TemporaryDirectory() as folder:
        try:
            names = _chosen(options.only)
            data = _data(options, Path(folder))
        except BadFile as error:
            sys.stderr.write(f"{error}\n")
            return 2
        result = compare(data, names, options)
    sys.stdout.write(json.dumps(result, indent=2) + "\n" if options.json else as_text(result))
    return 1 if any("error" in row for row in result["peers"].values()) else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, nargs="?", help="one `user item item ...` line per user")
    parser.add_argument("--items", type=Path, help="titles and attributes of the items")
    parser.add_argument("--movielens", type=Path, help="folder of MovieLens in place of FILE")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--quick", action="store_true", help="tiny models, one setting each")
    parser.add_argument("--only", nargs="+", metavar="NAME", help=f"{OWN}, {', '.join(PEERS)}")
    parser.add_argument(
        "--environments",
        type=Path,
        default=environments.default_folder(),
        help="where the virtual environments are kept",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of all that is random")
    parser.add_argument(
        "--seconds", type=float, default=600.0, help="most seconds that a SASRec may train"
    )
    return parser.parse_args(arguments)


def _chosen(only: Sequence[str] | None) -> list[str]:
    known = [OWN, *PEERS]
    if unknown := [name for name in only or () if name not in known]:
        raise BadFile(f"There is no peer `{unknown[0]}`; known are {', '.join(known)}.")
    return [name for name in known if only is None or name in only]


def _data(options: argparse.Namespace, folder: Path) -> Data:
    """Read the files that the options name. Raises `BadFile`."""
    if (options.file is None) == (options.movielens is None):
        raise BadFile("Name either a sequence FILE or `--movielens FOLDER`.")
    file, items = options.file, options.items
    caveats: tuple[str, ...] = CAVEATS
    if options.movielens is not None:
        made = movielens.convert(options.movielens, folder)
        file, items = made.sequences, items or made.items
        caveats += (
            f"MovieLens: ratings of the same second stay in the order of the file, which chose "
            f"a held-out item of {made.tied} of {made.users} users.",
        )
    sequences = read_sequences(file)
    n_items = len(read_items(items, sequences))
    data = Data(file, items, sequences, n_items, folder, caveats)
    Split.of(sequences.items).save(data.split)
    return data


def compare(data: Data, names: Sequence[str], options: argparse.Namespace) -> dict[str, Any]:
    """A row per name, in order; one that cannot be measured has `error`."""
    rows: dict[str, dict[str, Any]] = {}
    for name in names:
        sys.stderr.write(f"{name}\n")
        try:
            rows[name] = _own(data, options) if name == OWN else _peer(name, data, options)
        except (CommandFailed, environments.NoEnvironment) as error:
            rows[name] = {"error": " ".join(str(error).split())}
    return {
        "peers": with_ratios(rows, OWN),
        "metric": "leave-last-out over all items, own history excluded",
        "sizes": data.sequences.sizes(data.n_items),
        "seed": options.seed,
        "quick": options.quick,
        "machine": describe_machine(),
        "caveats": list(data.caveats),
    }


def _own(data: Data, options: argparse.Namespace) -> dict[str, Any]:
    """RecPrism's row: the sequence benchmark in a process of its own."""
    found = _ours("benchmarks.sequences", [str(data.file), "--json"], data, options)
    return own_row(json.loads(found.output), found.peak_mb, found.seconds)


def _peer(name: str, data: Data, options: argparse.Namespace) -> dict[str, Any]:
    """The row of a peer, its environment made when it is missing."""
    peer = PEERS[name]
    python = environments.make(options.environments, peer.environment)
    source, peak_mb, total_s = data.split, 0.0, 0.0
    if peer.lists:
        source = data.folder / "lists"
        made = _ours("benchmarks.peers.candidates", [str(data.file), str(source)], data, options)
        peak_mb, total_s = made.peak_mb, made.seconds
    answers = data.folder / f"{name}.json"
    command = [str(python), "-m", f"benchmarks.peers.{peer.program}", str(source), str(answers)]
    command += ["--peer", name, "--seed", str(options.seed), "--seconds", str(options.seconds)]
    command += ["--quick"] if options.quick else []
    found = measure(command, {**ONE_THREAD, "PYTHONPATH": str(ROOT)})
    peak_mb, total_s = max(peak_mb, found.peak_mb), total_s + found.seconds
    return row_of(Answers.load(answers), peak_mb, total_s, options.seed)


def _ours(
    module: str, arguments: Sequence[str], data: Data, options: argparse.Namespace
) -> Measured:
    """Run a module of ours on the files, measured."""
    command = [sys.executable, "-m", module, *arguments, "--seed", str(options.seed)]
    command += ["--items", str(data.items)] if data.items is not None else []
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return measure(command, {**ONE_THREAD, "PYTHONPATH": path})


if __name__ == "__main__":
    sys.exit(main())
