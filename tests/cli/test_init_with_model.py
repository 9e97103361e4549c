"""`recprism init --from ... --llm ...`, through the real application."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from recprism.cli.app import app
from recprism.project import load_project
from recprism.testing.tiny_gguf import write_tiny_gguf


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "sales.csv"
    columns = {
        "customer_id": [n % 20 for n in range(90)],
        "product_id": [f"p{n % 30}" for n in range(90)],
        "wann": [f"2024-01-{n % 28 + 1:02d}" for n in range(90)],
        "betrag": [n / 4 for n in range(90)],
    }
    pl.DataFrame(columns).write_csv(path)
    return path


def test_a_model_in_this_process_is_asked_and_accounted_for(tmp_path: Path, table: Path) -> None:
    pytest.importorskip("xllamacpp", reason="needs the extra `llm`")
    weights = write_tiny_gguf(tmp_path / "tiny.gguf")
    folder = tmp_path / "mine"
    made = run("init", folder, "--from", table, "--llm", "embedded", "--model", weights, "--json")
    assert made.exit_code == 0, made.stderr
    assert load_project(folder).spec.events[0].user == "customer_id"
    rows = json.loads(run("llm", "spend", folder, "--json").stdout)
    assert [(row["role"], row["failed"]) for row in rows] == [("configure", 0)]
    assert rows[0]["calls"] >= 1
    assert "language model" in (folder / "recprism.yaml").read_text()


def test_without_weights_the_rules_decide_and_one_note_says_so(tmp_path: Path, table: Path) -> None:
    plain = run("init", tmp_path / "plain", "--from", table)
    folder = tmp_path / "mine"
    made = run("init", folder, "--from", table, "--llm", "embedded", "--model", "none.gguf")
    assert made.exit_code == 0, made.stderr
    notes = [line for line in made.stderr.splitlines() if line.startswith("language model:")]
    assert len(notes) == 1
    assert notes[0].startswith("language model: not used (")
    assert load_project(folder).spec == load_project(tmp_path / "plain").spec.model_copy(
        update={"project": "mine"}
    )
    assert "language model" not in plain.stderr


def test_a_first_try_that_only_left_an_account_can_be_repeated(tmp_path: Path, table: Path) -> None:
    folder = tmp_path / "mine"
    (folder / ".recprism").mkdir(parents=True)
    assert run("init", folder, "--from", table).exit_code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "gemma3-270m"], "`--model` and `--key-env` need `--llm`"),
        (["--llm", "http://127.0.0.1:9/v1"], "A server needs `--model NAME` beside `--llm`"),
        (["--llm", "embeded", "--model", "m"], "`--llm`: it must begin with `http://`"),
        (["--llm", "embedded", "--key-env", "KEY"], "A model in this process has no key"),
        (
            ["--llm", "http://x/v1", "--model", "m", "--key-env", "sk-1234567890"],
            "`--key-env`: it must be the name of an environment variable",
        ),
    ],
)
def test_the_options_of_the_model_say_what_they_need(
    tmp_path: Path, table: Path, words: list[str], said: str
) -> None:
    result = run("init", tmp_path / "new", "--from", table, *words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "sk-1234567890" not in result.stderr
    assert not (tmp_path / "new").exists()


def test_a_template_needs_no_model(tmp_path: Path) -> None:
    result = run("init", tmp_path / "new", "--template", "text", "--llm", "embedded")
    assert (result.exit_code, "goes with `--from`" in result.stderr) == (2, True)
