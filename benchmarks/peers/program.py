"""The command line that every peer's program has, NumPy only."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """`split` and whatever else is read, `answers` is written; `seconds` bounds long training."""

    split: Path
    answers: Path
    peer: str
    seed: int
    quick: bool
    seconds: float


def arguments(description: str | None) -> Options:
    """Options from the command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("split", type=_absolute, help="what the peer learns from and is asked")
    parser.add_argument("answers", type=_absolute, help="where the ranks go")
    parser.add_argument("--peer", default="", help="which peer of a program with several")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a tiny model, for tests")
    parser.add_argument("--seconds", type=float, default=600.0, help="budget of long training")
    return Options(**vars(parser.parse_args()))


def _absolute(path: str) -> Path:
    return Path(path).resolve()


def installed(*packages: str) -> dict[str, str]:
    """Versions of packages in this environment."""
    return {name: version(name) for name in packages}
