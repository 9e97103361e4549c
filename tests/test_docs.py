"""Commands in the documentation exist, and those on projects that ship here really run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from recprism.cli.app import app

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"```(?:console|sh|bash)\n(.*?)```", re.DOTALL)


def commands(page: Path) -> list[str]:
    """The `recprism` and `make` lines of a page's console blocks."""
    lines = "\n".join(BLOCK.findall(page.read_text(encoding="utf-8"))).splitlines()
    cleaned = [line.strip().removeprefix("$ ").removeprefix(".venv/bin/") for line in lines]
    return [line for line in cleaned if line.startswith(("recprism ", "make "))]


ALL = sorted({(page.name, line) for page in PAGES for line in commands(page)})
BOOKS = [line for line in commands(ROOT / "README.md") if " books" in line]


@pytest.mark.parametrize(("page", "line"), ALL)
def test_a_documented_command_exists_with_its_options(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)
    if words[0] == "make":
        makefile = (ROOT / "Makefile").read_text("utf-8")
        targets = re.findall(r"^([a-z]+):", makefile, re.MULTILINE)
        named = [word for word in words[1:] if "=" not in word]
        assert set(named) <= set(targets), page
        variables = [word.partition("=")[0] for word in words[1:] if "=" in word]
        assert all(f"$({variable})" in makefile for variable in variables), page
        return
    group: Any = typer.main.get_command(app)
    found = group.commands.get(words[1])
    assert found is not None, f"{page}: `{line}` names no command"
    if hasattr(found, "commands"):
        found = found.commands[words[2]]
    known = {option for parameter in found.params for option in parameter.opts}
    used = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert used - {"--help"} <= known, f"{page}: `{line}` uses an option that does not exist"


def test_the_smallest_project_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(BOOKS) == 3
    for line in BOOKS:
        result = CliRunner().invoke(app, shlex.split(line)[1:])
        assert result.exit_code == 0, f"`{line}`: {result.output}"
    assert "深度学习实战" in result.output
