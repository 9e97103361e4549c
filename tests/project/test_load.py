"""Loading, its messages, and what stays the same on the way."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recprism.errors import ProjectError
from recprism.project import find_problems, hash_spec, load_project, to_yaml
from recprism.project.schema import ProjectFile, RepeatAfter, Section, Source

TEMPLATES = Path(__file__).parents[2] / "src/recprism/project/templates"

HEAD = """\
project: shop
items:
  things: {source: things.csv, id: thing, text: name}
"""
EVENTS = """\
events:
  - {source: buys.csv, user: who, kind: things, item: thing, action: buy, time: day}
"""
TASKS = """\
tasks:
  things: {recommend: things, goal: buy}
"""


def problems(folder: Path, text: str) -> list[str]:
    file = folder / "recprism.yaml"
    file.write_text(text, encoding="utf-8")
    return [str(problem).removeprefix(f"{file}:") for problem in find_problems(file)]


def test_a_small_project_loads_with_every_default(tmp_path: Path) -> None:
    file = tmp_path / "recprism.yaml"
    file.write_text(HEAD + EVENTS + TASKS)
    project = load_project(tmp_path)
    assert (project.path, project.file) == (tmp_path, file)
    assert project.spec.items["things"].text == ["name"]
    assert project.spec.tasks["things"].horizon == timedelta(days=7)
    assert project.spec.ranker.hidden == [96, 48]
    assert load_project(str(file)) == project


def test_lines_of_keys_can_be_asked_for(tmp_path: Path) -> None:
    (tmp_path / "recprism.yaml").write_text(HEAD + EVENTS + TASKS)
    project = load_project(tmp_path)
    assert project.line_of("items", "things", "id") == 3
    assert project.line_of("events", 0, "time") == 5
    assert project.line_of("tasks", "things", "size") == 7
    assert project.line_of("content", "size") is None


@pytest.mark.parametrize("name", ["grocery", "text"])
def test_shipped_project_files_have_no_problem(name: str) -> None:
    assert find_problems(TEMPLATES / name) == []


def test_the_grocery_file_says_what_the_protocols_need() -> None:
    spec = load_project(TEMPLATES / "grocery").spec
    assert spec.evaluate["products"].until == [datetime(2017, 12, 1)]
    assert (spec.evaluate["coupons"].at, spec.evaluate["coupons"].k) == ("events", 5)
    assert [t.isoformat() for t in spec.evaluate["ads"].until] == [
        f"2017-{day}T05:00:00" for day in ("11-27", "12-04", "12-11", "12-18")
    ]
    assert spec.tasks["coupons"].ask == "events"
    assert spec.llm.roles["embed"] is True
    assert spec.llm.roles["rank"] is False


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("project: shop", "projekt: shop", "1: unknown key `projekt`. Did you mean `project`?"),
        ("project: shop", "project: My Shop", "1: `project`: expected a name"),
        ("project: shop", "project:", "1: `project` has no value. Name of the project."),
        ("id: thing", "ident: thing", "3: unknown key `ident` in `items.things`. Known here: `so"),
        ("id: thing", "id: thing, txet: x", "3: unknown key `txet` in `items.things`. Did you me"),
        ("id: thing", "id: ", "3: `items.things.id` has no value. Column that holds the item id."),
        (", id: thing", "", "3: `items.things` lacks `id`. Column that holds the item id."),
        ("id: thing", "id: 5", "3: `items.things.id`: expected text, found `5`. Put it in quotes."),
        ("id: thing", "id: ''", "3: `items.things.id`: expected some text, found ``."),
        ("id: thing", "id: [a]", "3: `items.things.id`: expected text, found a list."),
        ("text: name", "text: {a: b}", "3: `items.things.text`: expected a list, found a mapping."),
        ("text: name", "labels: x", "3: `items.things.labels`: expected a mapping, found `x`."),
        ("text: name", "links: {of: {kin: a}}", "3: unknown key `kin` in `items.things.links.of`"),
        ("text: name", "rows: link", "3: `items.things.rows`: expected `items`, `links` or `offe"),
        ("text: name", "available: {period: week}", "3: `items.things.available`: `period` must"),
        ("text: name", "available: {store: {column: a, first: 2017-01-01, every: 7d}}", "3: `ite"),
        ("text: name", "available: {period: {colum: a}}", "unknown key `colum` in `items.things.a"),
        ("  things: {sou", "  My Things: {sou", "3: `My Things` cannot be a name in `items`"),
        ("action: buy", "action: buy, action_column: b", "5: `events[0]`: exactly one of `action`"),
        ("action: buy, ", "", "5: `events[0]`: exactly one of `action` and `action_column` is ne"),
        ("time: day", "tim: day", "5: unknown key `tim` in `events[0]`. Did you mean `time`?"),
        (
            "action: buy",
            "action: ' b'",
            "expected text of at most 63 characters on one line, found",
        ),
        ("goal: buy", "goal: buy, size: ten", "`tasks.things.size`: expected a whole number, foun"),
        ("goal: buy", "goal: buy, size: true", "expected a whole number, found `true`."),
        ("goal: buy", "goal: buy, size: 1.5", "expected a whole number, found `1.5`."),
        ("goal: buy", "goal: buy, size: 0", "expected a number of at least 1, found `0`."),
        ("goal: buy", "goal: buy, size: 5000", "expected a number of at most 1000, found `5000`."),
        ("goal: buy", "goal: buy, diversity: .nan", "expected a finite number, found `nan`."),
        ("goal: buy", "goal: buy, diversity: x", "expected a number, found `x`."),
        ("goal: buy", "goal: buy, repeat: nevr", "expected `allow` or `never` or a mapping, foun"),
        ("goal: buy", "goal: buy, repeat: {aftr: 7d}", "unknown key `aftr` in `tasks.things.repe"),
        ("goal: buy", "goal: buy, repeat: {after: 7}", "`7` is no duration; write a number and a"),
        ("goal: buy", "goal: buy, horizon: 99999999999w", "`99999999999w` is too long"),
        ("goal: buy", "goal: buy, cap: {shows: 1, per: dya}", "found `dya`. Did you mean `day`?"),
        ("goal: buy", "goal: buy, slots: {a: {when: {b: {nt: x}}}}", "unknown key `nt`"),
        ("goal: buy", "goal: buy, slots: {a: {when: {b: 1.5}}}", "expected a list or a mapping"),
        ("tasks:", "timezone: Mars/Base\ntasks:", "6: `timezone`: `Mars/Base` is no IANA time"),
        ("tasks:", "signals: {trend: {decay_days: 0}}\ntasks:", "expected a number above 0, fou"),
        ("tasks:", "ranker: {dropout: 1}\ntasks:", "expected a number below 1, found `1`."),
        ("tasks:", "ranker: {hidden: []}\ntasks:", "expected at least one entry, found an empty"),
        ("tasks:", "experiments: {a: {arms: {x: {}}}}\ntasks:", "expected at least 2 entries, fou"),
        ("tasks:", "ranker: {hidden: [8, 0]}\ntasks:", "6: `ranker.hidden[1]`: expected a numbe"),
        ("tasks:", "lists: {a: 1}\ntasks:", "This section takes no keys in this version"),
        ("tasks:", "llm: {roles: {embedd: on}}\ntasks:", "6: unknown key `embedd` in `llm.role"),
        ("tasks:", "llm: {roles: {rank: maybe}}\ntasks:", "`true` or `false` or a mapping, found"),
        ("tasks:", "evaluate: {things: {until: 2017}}\ntasks:", "`2017` is no time; write it, su"),
        ("tasks:", "evaluate: {things: {until: 2017-02-30}}\ntasks:", "`2017-02-30` is no time:"),
        ("tasks:", "evaluate: {things: {until: 2017-12-01T00:00Z}}\ntasks:", "has a zone; write"),
        ("tasks:", "users: 5\ntasks:", "6: `users`: expected a mapping, found `5`."),
    ],
)
def test_each_mistake_has_its_line_and_plain_words(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    text = HEAD + EVENTS + TASKS
    assert old in text
    found = problems(tmp_path, text.replace(old, new, 1))
    assert any(message in problem for problem in found), found
    assert not any("pydantic" in problem.lower() for problem in found)
    with pytest.raises(ProjectError, match=re.escape(found[0])):
        load_project(tmp_path)


def test_events_must_be_a_list_and_tasks_must_be_there(tmp_path: Path) -> None:
    found = problems(tmp_path, HEAD + "events: {a: 1}\n")
    assert found[0].endswith("the file lacks `tasks`. The lists to recommend.")
    assert found[1] == "4: `events`: expected a list, found a mapping."


def test_all_problems_are_reported_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    text = """\
project: shop
languge: en
items:
  things: {source: things.csv, id: thing, text: name, txt: more}
  ads: {source: ads.csv, id: ad, links: {shows: {kind: thigns, column: thing}}}
events:
  - {source: buys.csv, user: who, kind: things, item: thing, action: buy}
  - {source: buys.csv, user: who, kind: thing, item: thing, action: buy, time: day}
tasks:
  things: {recommend: things, size: ten}
  ads: {recommend: ads, goal: buy, via: show}
"""
    assert problems(tmp_path, text) == [
        "2: unknown key `languge`. Did you mean `language`?",
        "4: unknown key `txt` in `items.things`. Did you mean `text`?",
        "5: `items.ads.links.shows.kind`: there is no kind `thigns` under `items`. "
        "Did you mean `things`?",
        "7: `events[0]` lacks `time`. Column with the time.",
        "8: `events[1].kind`: there is no kind `thing` under `items`. Did you mean `things`?",
        "10: `tasks.things.size`: expected a whole number, found `ten`.",
        "11: `tasks.ads.via`: `ads` has no link `show`. Did you mean `shows`?",
    ]


def test_what_follows_from_a_mistake_is_not_reported_beside_it(tmp_path: Path) -> None:
    text = (HEAD + EVENTS + TASKS).replace("id: thing,", "").replace("time: day", "tme: day")
    found = problems(tmp_path, text)
    assert [problem.split(":")[0] for problem in found] == ["3", "5", "5"]


def test_values_may_be_single_or_numbers_and_switches_on_or_off(tmp_path: Path) -> None:
    text = HEAD.replace("text: name", "text: [name, 'on'], rows: offers, placement: [place]")
    text += (
        EVENTS
        + """\
tasks:
  things:
    recommend: things
    goal: buy
    repeat: {after: 2w}
    slots: {top: {when: {place: [1, "2", 003]}}, low: {when: {place: {not: 0}}}}
evaluate: {things: {until: 2017-12-01T05:00}}
llm: {roles: {embed: on, rank: false, ask: off}}
store:
"""
    )
    (tmp_path / "recprism.yaml").write_text(text)
    spec = load_project(tmp_path).spec
    task = spec.tasks["things"]
    assert task.slots["top"].when["place"] == ["1", "2", "003"]
    assert task.slots["low"].model_dump()["when"]["place"] == {"not_": "0"}
    assert task.repeat == RepeatAfter(after=timedelta(days=14))
    assert spec.evaluate["things"].until == [datetime(2017, 12, 1, 5)]
    assert spec.llm.roles == {"embed": True, "rank": False, "ask": False}
    assert spec.store.url is None


def test_the_hash_follows_the_meaning_and_not_the_layout(tmp_path: Path) -> None:
    def hash_of(text: str) -> str:
        (tmp_path / "recprism.yaml").write_text(text)
        return load_project(tmp_path).hash

    first = hash_of(HEAD + EVENTS + TASKS)
    assert re.fullmatch(r"[0-9a-f]{12}", first)
    assert hash_of("# note\n" + TASKS + EVENTS + HEAD) == first
    assert hash_of(HEAD + EVENTS + TASKS.replace("goal: buy", "goal: buy, size: 10")) == first
    assert hash_of(HEAD + EVENTS + TASKS.replace("goal: buy", "goal: buy, size: 9")) != first


name = st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True)
column = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Co", "Cn"]), min_size=1, max_size=12
).filter(lambda text: text.strip() == text and "://" not in text)
duration = st.integers(1, 400).flatmap(
    lambda n: st.sampled_from(["s", "min", "h", "d"]).map(lambda unit: f"{n}{unit}")
)


@st.composite
def specs(draw: st.DrawFn) -> ProjectFile:
    """Valid projects with most sections drawn at random."""
    kind, action, label, slot, place = (draw(name) for _ in range(5))
    item = {
        "source": draw(column),
        "id": draw(column),
        "text": draw(st.lists(column, min_size=1, max_size=3)),
        "labels": {label: draw(column)},
        "numbers": {f"of_{label}": draw(column)},
        "rows": "offers",
        "placement": [place],
        "available": {"period": {"column": "w", "first": "2017-01-02", "every": draw(duration)}},
    }
    event = {"source": draw(column), "user": "u", "kind": kind, "item": "i", "action": action}
    task: dict[str, Any] = {
        "recommend": kind,
        "goal": draw(st.sampled_from([None, action])),
        "horizon": draw(duration),
        "size": draw(st.integers(1, 1000)),
        "repeat": draw(st.one_of(st.sampled_from(["allow", "never"]), st.just({"after": "3d"}))),
        "diversity": draw(st.floats(0, 1)),
        "exclude": draw(st.dictionaries(st.just(label), st.lists(column, max_size=2))),
        "slots": {slot: {"when": {place: draw(st.one_of(st.just({"not": "0"}), st.just(["1"])))}}},
    }
    when = draw(st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1)))
    evaluate = {draw(name): {"until": [when]}} if task["goal"] else {}
    return ProjectFile.model_validate(
        {
            "project": draw(name),
            "language": draw(st.sampled_from(["en", "zh"])),
            "users": {"source": draw(column), "id": draw(column), "traits": ["on", "0012", "~"]},
            "items": {kind: item},
            "events": [{**event, "time": draw(column), "context": {"a": draw(column)}}],
            "tasks": {next(iter(evaluate), kind): task},
            "evaluate": evaluate,
            "signals": {"follow": {"damping": draw(st.floats(0, 1))}},
            "ranker": {"hidden": draw(st.lists(st.integers(1, 512), min_size=1, max_size=3))},
            "llm": {"roles": draw(st.dictionaries(st.just("embed"), st.booleans()))},
        }
    )


@given(spec=specs())
@settings(deadline=None, max_examples=60)
def test_a_spec_written_and_loaded_is_the_same_spec(
    tmp_path_factory: pytest.TempPathFactory, spec: ProjectFile
) -> None:
    file = tmp_path_factory.mktemp("project") / "recprism.yaml"
    file.write_text(to_yaml(spec, "a comment\n\nof three lines"), encoding="utf-8")
    project = load_project(file)
    assert project.spec == spec
    assert project.hash == hash_spec(spec)


def test_every_setting_is_documented() -> None:
    sections: list[type[Section]] = [*Section.__subclasses__(), *Source.__subclasses__()]
    undocumented = [
        f"{section.__name__}.{name}"
        for section in sections
        for name, field in section.model_fields.items()
        if not field.description
    ]
    assert undocumented == []
