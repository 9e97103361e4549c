"""YAML that is not a project: every way of being broken gives one sentence with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from recprism.errors import ProjectError
from recprism.project import load_project
from recprism.project.document import read_document


def write(folder: Path, text: str | bytes) -> Path:
    file = folder / "recprism.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"recprism\.yaml: the file is empty"),
        ("# only a comment\n", "the file is empty"),
        ("~\n", "the file is empty"),
        ("- a\n- b\n", r"yaml:1: expected sections .* found a list"),
        ("\njust words\n", r"yaml:2: expected sections .* found a single value"),
        ("a: 1\nb: 2\na: 3\n", r"yaml:3: the key `a` stands here twice, first on line 1"),
        ("x:\n  - {b: 1, b: 2}\n", r"yaml:2: the key `b` stands here twice, first on line 2"),
        ("a: [1, 2\nb: 3\n", r"yaml:2: not valid YAML: "),
        ("a:\n\tb: 1\n", r"yaml:2: not valid YAML: a tab stands where spaces are expected"),
        ("a: b: c\n", r"yaml:1: not valid YAML: a `:` stands where none is expected"),
        ("a: *nowhere\n", r"yaml:1: not valid YAML: found undefined alias 'nowhere'"),
        ("a: 1\n---\nb: 2\n", r"yaml:2: not valid YAML: a second document begins"),
        ("a: 1\nb: \x00\n", r"yaml:2: not valid YAML: character '\\x00' is not allowed"),
        (b"a: 1\nb: \xff\n", r"yaml:2: byte 0xff is not UTF-8"),
        ("a: &x [*x]\n", r"yaml:1: the anchor `&x` holds itself"),
        ("? [1, 2]\n: 3\n", r"yaml:1: a key must be text"),
        ("a: !!python/object:os.system ls\n", r"yaml:1: the tag `!!python/object:os.system`"),
        ("a: !secret x\n", r"yaml:1: the tag `!secret` is not known"),
        ("a: " + "[" * 60 + "]" * 60, r"yaml:1: not valid YAML: nested deeper than 40 levels"),
    ],
)
def test_broken_yaml_gives_one_sentence_with_its_line(
    tmp_path: Path, text: str | bytes, message: str
) -> None:
    write(tmp_path, text)
    with pytest.raises(ProjectError, match=message):
        load_project(tmp_path)


def test_aliases_cannot_grow_without_end(tmp_path: Path) -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    write(tmp_path, "\n".join(rows))
    with pytest.raises(ProjectError, match="more than 100,000 values"):
        load_project(tmp_path)


def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "recprism.yaml"
    with file.open("wb") as out:
        out.truncate(100_000_000)
    with pytest.raises(ProjectError, match=r"has 100\.0 MB, a project file has at most 1 MB"):
        load_project(file)


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"nowhere: there is no such file or directory"):
        load_project(tmp_path / "nowhere")


def test_a_directory_without_project_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"has no `recprism\.yaml`\. Run `recprism init"):
        load_project(tmp_path)


def test_the_other_spelling_of_the_file_name_is_pointed_out(tmp_path: Path) -> None:
    (tmp_path / "recprism.yml").write_text("project: a\n")
    with pytest.raises(ProjectError, match=r"Rename `recprism\.yml` to `recprism\.yaml`"):
        load_project(tmp_path)


def test_a_file_that_cannot_be_read_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    write(tmp_path, "project: a\n")
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ProjectError, match="cannot be read: Permission denied"):
        load_project(tmp_path)


def test_text_that_looks_like_something_else_stays_text(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "a: [0012, 2017-12-01, on, no, '7', 7, -3, 0x1f, 1.5, 1e3, true, ~, .inf, 1:30]\n12: x\n",
    )
    data = read_document(file).data
    assert data["a"][:9] == ["0012", "2017-12-01", "on", "no", "7", 7, -3, 31, 1.5]
    assert data["a"][9:] == [1000.0, True, None, float("inf"), "1:30"]
    assert data["12"] == "x"


def test_aliases_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    file = write(tmp_path, b"\xef\xbb\xbfa: &x {b: 1}\nc: *x\n")
    document = read_document(file)
    assert document.data == {"a": {"b": 1}, "c": {"b": 1}}


def test_lines_are_those_of_keys_and_list_entries(tmp_path: Path) -> None:
    document = read_document(write(tmp_path, "a:\n  b:\n    - x\n    -\n      c: 1\n"))
    assert document.line_of(("a", "b")) == 2
    assert document.line_of(("a", "b", 0)) == 3
    assert document.line_of(("a", "b", 1, "c")) == 5
    assert document.line_of(("a", "b", 1, "missing")) == 5
    assert document.line_of(("z",)) is None
