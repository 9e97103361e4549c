"""A virtual environment per group of peers, made once from pinned requirements.

An environment is made anew when its requirements change. PyTorch always comes as a CPU build: the
pins name one on Linux, and PyTorch's own index is asked where it answers.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
ANSWERS_IN_S = 3
STAMP = "requirements.txt"
"""The requirements that an environment was made from, kept in it."""


class NoEnvironment(Exception):
    """The environment of a peer cannot be made; the reason is the last line of pip."""


def default_folder() -> Path:
    """Where environments are kept unless told otherwise."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "recprism" / "peers"


def requirements(name: str) -> str:
    """The pinned requirements of an environment."""
    return (HERE / f"requirements-{name}.txt").read_text(encoding="utf-8")


def python_of(folder: Path, name: str) -> Path | None:
    """The Python of an environment that is there and up to date, else None."""
    stamp = folder / name / STAMP
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != requirements(name):
        return None
    return folder / name / "bin" / "python"


def make(folder: Path, name: str) -> Path:
    """The Python of an environment, made when it is missing (minutes, once).

    Raises `NoEnvironment`.
    """
    if (ready := python_of(folder, name)) is not None:
        return ready
    place = folder / name
    sys.stderr.write(f"making the environment `{name}`\n")
    shutil.rmtree(place, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(place)], name)
    python = place / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    more = (
        ["--extra-index-url", TORCH_INDEX] if "torch" in requirements(name) and _answers() else []
    )
    _run([*pip, *more, "-r", str(HERE / f"requirements-{name}.txt")], name)
    (place / STAMP).write_text(requirements(name), encoding="utf-8")
    return python


def _run(command: list[str], name: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise NoEnvironment(f"The environment `{name}` cannot be made: {error}.") from error
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        said = (lines or done.stderr.splitlines() or ["nothing said"])[-1]
        raise NoEnvironment(f"The environment `{name}` cannot be made: {said}")


def _answers() -> bool:
    """Whether PyTorch's index can be reached from here."""
    try:
        with urllib.request.urlopen(f"{TORCH_INDEX}/torch/", timeout=ANSWERS_IN_S):
            return True
    except OSError:
        return False
