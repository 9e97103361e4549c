"""Commands that need no artifact, through the real application."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from recprism.artifact import MANIFEST, ArtifactShelf
from recprism.cli import reference
from recprism.cli.app import app
from recprism.cli.output import plain
from recprism.project import load_project
from recprism.testing.shops import write_shop


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def document(result: Result) -> Any:
    """The one JSON document on standard output."""
    return json.loads(result.stdout)


def test_templates_are_listed() -> None:
    names = {t["name"] for t in document(run("templates", "--json"))}
    assert {"grocery", "text"} <= names
    shown = run("templates").stdout
    assert all(name in shown for name in names)


def test_init_writes_a_template_that_loads(tmp_path: Path) -> None:
    folder = tmp_path / "wishes"
    result = run("init", folder, "--template", "text", "--json")
    assert result.exit_code == 0
    assert str(folder / "recprism.yaml") in document(result)["written"]
    assert load_project(folder).spec.tasks


def test_init_says_what_comes_next(tmp_path: Path) -> None:
    result = run("init", tmp_path / "wishes", "--template", "text")
    assert f"recprism check {tmp_path / 'wishes'}" in result.stdout.replace("\n", "")


def test_init_refuses_an_occupied_directory_without_force(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear diary")
    refused = run("init", tmp_path, "--template", "text")
    assert (refused.exit_code, "is not empty" in refused.stderr) == (2, True)
    assert run("init", tmp_path, "--template", "text", "--force").exit_code == 0
    assert (tmp_path / "letter.txt").read_text() == "dear diary"


def test_init_infers_a_project_and_says_why(tmp_path: Path) -> None:
    shop = write_shop(tmp_path / "shop")
    tables = [shop / "data" / name for name in ("users.csv", "products.csv", "purchases.csv")]
    words = [word for table in tables for word in ("--from", table)]
    result = run("init", tmp_path / "mine", *words, "--json")
    assert result.exit_code == 0, result.stderr
    choices = document(result)["choices"]
    assert all(choice["why"] for choice in choices)
    assert load_project(tmp_path / "mine").spec.events[0].user == "user"
    again = run("init", tmp_path / "mine", *words)
    assert (again.exit_code, "is not empty" in again.stderr) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Either `--template NAME` or `--from FILE_OR_FOLDER` is needed"),
        (["--template", "text", "--from", "x.csv"], "Either `--template NAME`"),
        (["--template", "grocry"], "Did you mean `grocery`?"),
        (["--from", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_init_says_what_it_needs(tmp_path: Path, words: list[str], said: str) -> None:
    result = run("init", tmp_path / "new", *words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert not (tmp_path / "new").exists()


def test_the_schema_is_a_json_schema() -> None:
    assert document(run("schema")) == document(run("schema", "--json"))
    assert "tasks" in document(run("schema"))["properties"]


def test_check_of_a_sound_project_shows_the_cleaning(tmp_path: Path) -> None:
    shop = write_shop(tmp_path / "shop")
    result = run("check", shop, "--json")
    assert result.exit_code == 0
    found = document(result)
    assert (found["ok"], found["problems"]) == (True, [])
    assert {row["rule"] for row in found["report"]} >= {"rows-read", "only-in-events"}
    assert "ids seen only in events" in run("check", shop).stdout


def test_check_names_every_problem_of_the_file_at_once(tmp_path: Path) -> None:
    shop = write_shop(tmp_path / "shop")
    file = shop / "recprism.yaml"
    text = file.read_text().replace("goal: redeem", "gaol: redeem").replace("  users:", "  usres:")
    file.write_text(text.replace("clock: data", "clokc: data"))
    result = run("check", shop, "--json")
    assert result.exit_code == 2
    problems = document(result)["problems"]
    assert len(problems) >= 2
    assert any("`goal`" in problem for problem in problems)
    assert any("`clock`" in problem for problem in problems)
    assert f"{file}:" in run("check", shop).stderr


def test_check_names_every_problem_of_the_data_at_once(tmp_path: Path) -> None:
    shop = write_shop(tmp_path / "shop")
    (shop / "data" / "mailings.csv").unlink()
    (shop / "data" / "users.csv").write_text("user,age,household\nmia,55+,1\nmia,18-34,2\n")
    result = run("check", shop)
    assert result.exit_code == 2
    assert "mailings.csv" in result.stderr
    assert "users.csv" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("project: [unfinished\n", "recprism.yaml"),
        ("", "recprism.yaml"),
        ("\ttabs: 1\n", "recprism.yaml"),
        ("- just\n- a list\n", "recprism.yaml"),
    ],
)
@pytest.mark.parametrize("command", ["check", "train"])
def test_a_broken_project_file_is_one_sentence(
    tmp_path: Path, content: str, said: str, command: str
) -> None:
    (tmp_path / "recprism.yaml").write_text(content)
    result = run(command, tmp_path)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", ["check", "train", "recommend", "artifacts list"])
def test_a_directory_without_project_is_named(tmp_path: Path, command: str) -> None:
    result = run(*command.split(), tmp_path / "nowhere")
    assert result.exit_code == 2
    assert f"{tmp_path / 'nowhere'}" in result.stderr


def shelve(shop: Path) -> ArtifactShelf:
    """A shelf with two small artifacts."""
    shelf = ArtifactShelf(shop / ".recprism" / "artifacts")
    for text in ("one", "two"):
        folder = shelf.new()
        (folder / "data.txt").write_text(text)
        shelf.publish(folder, {})
    return shelf


def test_artifacts_are_listed_used_and_unpinned(tmp_path: Path) -> None:
    shop = write_shop(tmp_path / "shop")
    assert run("artifacts", "list", shop).stdout.strip() == "No artifacts yet."
    shelf = shelve(shop)
    newest = shelf.current().name
    (older,) = set(shelf.ids()) - {newest}
    listed = {row["id"]: row for row in document(run("artifacts", "list", shop, "--json"))}
    assert (listed[newest]["serving"], listed[older]["serving"]) == (True, False)
    assert document(run("artifacts", "use", shop, older, "--json"))["serving"] == older
    assert shelf.current().name == older
    assert "serving, pinned" in run("artifacts", "list", shop).stdout
    assert run("artifacts", "use", shop, newest).exit_code == 0
    assert document(run("artifacts", "unpin", shop, "--json")) == {
        "serving": newest,
        "pinned": None,
    }
    assert run("artifacts", "unpin", shop).exit_code == 0


def test_an_unknown_artifact_is_named_with_the_known_ones(tmp_path: Path) -> None:
    shop = write_shop(tmp_path / "shop")
    shelf = shelve(shop)
    result = run("artifacts", "use", shop, "2020-01-01T00-00-00Z-0000")
    assert result.exit_code == 2
    assert shelf.ids()[0] in result.stderr


def test_a_damaged_artifact_is_listed_with_its_problem(tmp_path: Path) -> None:
    shop = write_shop(tmp_path / "shop")
    shelf = shelve(shop)
    (shelf.current() / MANIFEST).write_text("{}")
    (problem,) = [
        row["problem"]
        for row in document(run("artifacts", "list", shop, "--json"))
        if row["serving"]
    ]
    assert "is damaged" in problem


def test_rolling_back_works_while_the_project_file_is_broken(tmp_path: Path) -> None:
    shop = write_shop(tmp_path / "shop")
    shelf = shelve(shop)
    (shop / "recprism.yaml").write_text("project: [unfinished\n")
    assert run("artifacts", "use", shop, shelf.ids()[0]).exit_code == 0


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["train", "--nonsense"],
        ["train", "--engine", "spark"],
        ["recommend", "--size", "0"],
        ["profile", "."],
        ["artifacts", "use", "."],
    ],
)
def test_usage_errors_exit_with_2(words: list[str]) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert result.stdout == ""


def test_the_version_is_shown() -> None:
    assert run("--version").stdout.startswith("recprism 0.")


def test_every_command_takes_json() -> None:
    page = reference.reference_page()
    for section in page.split("\n## ")[1:]:
        assert "`--json`" in section


def test_the_reference_page_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "docs" / "cli.md"
    assert reference.main(["--check", "--page", str(page)]) == 1
    assert "is stale; run `python -m recprism.cli.reference`" in capsys.readouterr().err
    assert reference.main(["--page", str(page)]) == 0
    assert reference.main(["--check", "--page", str(page)]) == 0


def test_control_characters_of_the_data_do_not_reach_the_terminal() -> None:
    assert plain("a\x1b[31mb\nc") == "a [31mb c"
