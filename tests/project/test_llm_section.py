"""The section `llm:`: what it takes, what it refuses and with which words."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recprism.project import find_problems, load_project, to_yaml
from recprism.project.llm_section import (
    Llm,
    LlmRole,
    RoleName,
    format_deadline,
    parse_deadline,
)

BASE = """\
project: shop
users: {source: users.csv, id: who, traits: [age], text: about}
items:
  things: {source: things.csv, id: thing, text: [name, thing], labels: {shelf: s},
           numbers: {price: p}}
events:
  - {source: buys.csv, user: who, kind: things, item: thing, action: buy, time: day}
tasks: {things: {recommend: things, goal: buy}}
"""


def problems(folder: Path, section: str) -> list[str]:
    """The messages for a project with this section at line 9, without the path."""
    file = folder / "recprism.yaml"
    file.write_text(BASE + section)
    return [str(problem).removeprefix(f"{file}:") for problem in find_problems(folder)]


def test_a_section_with_everything_is_read(tmp_path: Path) -> None:
    section = """\
llm:
  backend: openai
  model: gpt-x
  base_url: https://api.example.com/v1
  key_env: EXAMPLE_KEY
  concurrency: 4
  roles: {embed: on, label: off, rank: off}
  fields: [things.name, things.shelf, things.price, users.age, users.about, query]
  prices: {gpt-x: {input: 0.15, output: 0.6}}
"""
    assert problems(tmp_path, section) == []
    llm = load_project(tmp_path).spec.llm
    assert (llm.backend, llm.model, llm.concurrency) == ("openai", "gpt-x", 4)
    assert llm.prices["gpt-x"].output == 0.6
    (tmp_path / "recprism.yaml").write_text(to_yaml(load_project(tmp_path).spec))
    assert load_project(tmp_path).spec.llm == llm


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (
            "llm: {backend: opnai}",
            "`embedded`, `openai` or `none`, found `opnai`. Did you mean `op",
        ),
        ("llm: {backend: openai}", "9: `llm.backend`: `openai` needs `base_url` beside it."),
        ("llm: {backend: openai, base_url: 'http://x'}", "`openai` needs `model` beside it."),
        ("llm: {backend: embedded, base_url: 'http://x'}", "`llm.base_url`: a model in this pro"),
        ("llm: {backend: embedded, key_env: KEY}", "`llm.key_env`: a model in this process has"),
        (
            "llm: {backend: embedded, roles: {label: on}, fields: [things.name]}",
            "`llm.roles.label`: no kind has a label and texts without its id. Write `off`.",
        ),
        ("llm: {base_url: x.com}", "`llm.base_url`: it must begin with `http://` or `https://`."),
        ("llm: {base_url: 'http://me:pw@x'}", "`llm.base_url`: it must not hold a password"),
        ("llm: {concurrency: 0}", "`llm.concurrency`: expected a number of at least 1, found `0`"),
        ("llm: {roles: {embed: {model: x}}}", "`llm.roles.embed`: the text encoder plays this ro"),
        ("llm: {roles: {rank: {deadlin: 1s}}}", "unknown key `deadlin` in `llm.roles.rank`. Did y"),
        ("llm: {roles: {rank: {deadline: 1}}}", "`1` is no duration; write a number and a unit"),
        ("llm: {roles: {rank: maybe}}", "expected `true` or `false` or a mapping, found `maybe`"),
        ("llm: {fields: [things.nme]}", "9: `llm.fields[0]`: the project has no field `things.nm"),
        ("llm: {fields: [thing.name]}", "no field `thing.name`. Did you mean `things.name`?"),
        (
            "llm: {fields: [query, zzz]}",
            "Known: history, query, things.name, things.price, things.",
        ),
        ("llm: {fields: [things.thing]}", "`things.thing` is an id; ids never reach a prompt. Rem"),
        ("llm: {fields: [users.who]}", "`users.who` is an id; ids never reach a prompt."),
        ("llm: {prices: {m: {input: -1.0}}}", "expected a number of at least 0, found `-1.0`"),
        ("llm: {prices: {m: {inptu: 1.0}}}", "Did you mean `input`?"),
    ],
)
def test_each_mistake_has_its_line_and_plain_words(
    tmp_path: Path, section: str, message: str
) -> None:
    found = problems(tmp_path, section)
    assert any(message in problem for problem in found), found


def test_a_key_in_the_place_of_its_variable_is_not_repeated(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "llm: {key_env: sk-very-secret}")
    assert "must be the name of an environment variable" in found
    assert "secret" not in found


@given(st.integers(1, 600_000))
def test_deadlines_come_back_as_they_went_in(milliseconds: int) -> None:
    span = timedelta(milliseconds=milliseconds)
    assert parse_deadline(format_deadline(span)) == span


@pytest.mark.parametrize("text", ["0ms", "ms", "1.5s", "-1s", "", "8 00ms"])
def test_a_deadline_that_is_none_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        parse_deadline(text)


def test_a_role_may_have_settings_of_its_own() -> None:
    roles: dict[RoleName, bool | LlmRole] = {"label": LlmRole(deadline=timedelta(seconds=1))}
    llm = Llm(roles=roles)
    assert Llm.model_validate(llm.model_dump(mode="json")) == llm


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            "[things.name]",
            "allows no label together with all texts of its kind. Add `things.more`, ",
        ),
        ("[things.s]", "Add `things.more`, `things.name` there, or write `off`."),
        ("[things.s, things.name, things.more]", ""),
    ],
)
def test_labels_need_a_label_and_all_texts(tmp_path: Path, fields: str, message: str) -> None:
    file = tmp_path / "recprism.yaml"
    base = BASE.replace("[name, thing]", "[name, more]").replace("{shelf: s}", "{s: s}")
    section = f"llm: {{backend: embedded, roles: {{label: on}}, fields: {fields}}}\n"
    file.write_text(base + section)
    found = [str(problem) for problem in find_problems(tmp_path)]
    assert [message in problem for problem in found] == [True] * bool(message)


def test_a_role_that_nothing_uses_cannot_be_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recprism.project.llm_rules.WORKING_ROLES", ("ask",))
    (found,) = problems(tmp_path, "llm: {roles: {ask: on, compose: {deadline: 1s}}}")
    assert found.startswith("9: `llm.roles.compose`: role `compose` cannot be switched on in this")
