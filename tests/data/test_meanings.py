"""What a language model says of columns with odd names: heard where the rules know nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from benchmarks.llm_columns import PROJECTS, Tables, given, truth_of, write
from hypothesis import given as for_all
from hypothesis import strategies as st
from ruamel.yaml import YAML

from recprism.data.infer import infer_project
from recprism.data.meanings import LONGEST_LINE, MOST_QUESTIONS, NOTHING, cleaned
from recprism.errors import DataError, LLMUnavailable
from recprism.llm import Choice, Choose, Complete, Door, Reply, Role
from recprism.llm.backend import Backend
from recprism.project import find_problems
from recprism.testing.llms import EchoLLM

OPTION_OF = {
    "user": "customer", "user id": "customer", "item": "product", "item id": "product",
    "session": "order or visit", "place": "shop or place", "epoch": "date or time",
    "value": "price or quantity", "count": "price or quantity", "action": "action",
    "title": "title", "text": "description", "label": "category",
}  # fmt: skip
GERMAN = PROJECTS[0]


class Reader(EchoLLM):
    """Answers by a function of the column's name, and describes each with one `line`."""

    def __init__(self, says: Callable[[str], str], line: str = "what it holds") -> None:
        super().__init__()
        self.says, self.line = says, line

    async def choose(self, request: Choose) -> Reply[Choice]:
        await self._hear(request)
        wanted = self.says(str(facts_of(request).get("column", "")))
        last = len(request.options) - 1
        place = request.options.index(wanted) if wanted in request.options else last
        return Reply(value=Choice(index=place))

    async def complete(self, request: Complete) -> Reply[str]:
        await self._hear(request)
        return Reply(value=self.line)


def facts_of(request: Choose) -> dict[str, Any]:
    inside = request.prompt.user.partition("<data>\n")[2].partition("\n</data>")[0]
    return dict(json.loads("{" + inside.replace("\n", ", ") + "}"))


def door_to(backend: Backend) -> Door:
    return Door(lambda _: backend, {"configure": Role(model="m", deadline_s=60.0)}, name="test")


def knowing(project: Tables) -> Reader:
    """A model that understands every name of a project."""
    found = (project.events, project.items, *filter(None, [project.users]))
    truth = {name: how for _, columns in found for name, how in columns.items()}
    return Reader(lambda name: OPTION_OF.get(truth.get(name, ""), NOTHING))


def without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_a_model_that_understands_names_gives_more_parts_to_the_right_column(
    tmp_path: Path, project: Tables
) -> None:
    data, truth = write(project, tmp_path), truth_of(project)
    plain, told = given(data, None), given(data, door_to(knowing(project)))
    assert len(truth & told) >= len(truth & plain)
    assert truth - told <= {("value", "KWMENG"), ("value", "NETWR")}


def test_each_choice_of_the_model_says_what_it_was_chosen_among(tmp_path: Path) -> None:
    data = write(GERMAN, tmp_path)
    inferred = infer_project([data], "shop", door=door_to(knowing(GERMAN)))
    said = {choice.what: choice for choice in inferred.choices}["verkauf.kunde"]
    assert said.chosen == "customer"
    assert said.why.startswith("the language model chose it among `customer`, `product`, ")
    assert "verkauf.kunde: customer (the language model chose it among" in inferred.yaml
    assert "# verkauf.kunde: what it holds" in inferred.yaml.splitlines()


@pytest.mark.parametrize("says", [lambda _: NOTHING, lambda _: "'; DROP TABLE"])
def test_a_model_that_knows_nothing_changes_nothing(
    tmp_path: Path, says: Callable[[str], str]
) -> None:
    data = english(tmp_path)
    plain = infer_project([data], "shop")
    told = infer_project([data], "shop", door=door_to(Reader(says, line=" \n\x00")))
    assert told == plain


@pytest.mark.parametrize("option", sorted({*OPTION_OF.values(), NOTHING}))
def test_whatever_a_model_says_the_parts_with_telling_names_stay(
    tmp_path: Path, option: str
) -> None:
    data = english(tmp_path)
    plain = infer_project([data], "shop")
    told = infer_project([data], "shop", door=door_to(Reader(lambda _: option)))
    files = [YAML(typ="safe").load(text) for text in (plain.yaml, told.yaml)]
    assert files[0]["events"][0].items() <= files[1]["events"][0].items()
    assert files[0]["users"]["id"] == files[1]["users"]["id"]
    assert files[0]["items"]["products"]["id"] == files[1]["items"]["products"]["id"]
    assert files[0]["tasks"] == files[1]["tasks"]


def english(folder: Path) -> Path:
    """A shop with telling names but for `xq`, `zz` and `vv`, one in each table."""
    data = folder / "english"
    data.mkdir()
    frames: Mapping[str, Mapping[str, Any]] = {
        "purchases": {
            "xq": [n % 40 for n in range(200)],
            "user_id": [n % 50 for n in range(200)],
            "product_id": [f"p{n * 7 % 60}" for n in range(200)],
            "time": [1_704_067_200 + n * 900 for n in range(200)],
            "amount": [n / 8 for n in range(200)],
        },
        "products": {
            "product_id": [f"p{n}" for n in range(60)],
            "name": [f"a red thing {n}" for n in range(60)],
            "zz": [f"p{n}" for n in range(60)],
        },
        "users": {"user_id": list(range(50)), "vv": [n % 12 for n in range(50)]},
    }
    for name, frame in frames.items():
        pl.DataFrame(frame).write_csv(data / f"{name}.csv")
    return data


def test_columns_with_telling_names_are_not_asked_about(tmp_path: Path) -> None:
    backend = Reader(lambda _: NOTHING)
    infer_project([english(tmp_path)], "shop", door=door_to(backend))
    asked = [facts_of(request) for request in backend.asked if isinstance(request, Choose)]
    assert {facts["column"] for facts in asked} == {"xq", "zz", "vv"}
    for request in backend.asked:
        if isinstance(request, Choose) and facts_of(request)["column"] == "xq":
            assert not {"customer", "product", "date or time"} & set(request.options)


def test_no_value_of_a_cell_reaches_a_prompt(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    columns = ("kunde", "artikel", "zeit", "gruppe", "text")
    frame = {name: [f"SECRET{name}{n % 70}" for n in range(300)] for name in columns}
    frame |= {"satz": [f"SECRET words of row {n}" for n in range(300)]}
    pl.DataFrame(frame).write_csv(data / "verkauf.csv")
    pl.DataFrame({"artikel": frame["artikel"][:70], "was": frame["satz"][:70]}).write_csv(
        data / "artikel.csv"
    )
    backend = Reader(lambda _: "product")
    infer_project([data], "shop", door=door_to(backend))
    assert len(backend.asked) > 6
    assert "SECRET" not in str(backend.asked)
    assert "kunde" in str(backend.asked)


class Failing(EchoLLM):
    async def choose(self, request: Choose) -> Reply[Choice]:
        await self._hear(request)
        raise LLMUnavailable("the server is on fire")


def test_a_model_that_fails_leaves_the_plain_file_and_one_note(tmp_path: Path) -> None:
    data = english(tmp_path)
    plain = infer_project([data], "shop")
    told = infer_project([data], "shop", door=door_to(Failing()))
    assert without_comments(told.yaml) == without_comments(plain.yaml)
    (note,) = [choice for choice in told.choices if choice not in plain.choices]
    assert (note.what, note.chosen) == ("language model", "not used")
    assert note.why == "the server is on fire"


def test_an_answer_that_is_late_leaves_the_plain_file(tmp_path: Path) -> None:
    data = english(tmp_path)
    late = Door(
        lambda _: EchoLLM(delay_s=30.0), {"configure": Role(model="m", deadline_s=0.05)}, name="t"
    )
    told = infer_project([data], "shop", door=late)
    assert without_comments(told.yaml) == without_comments(infer_project([data], "shop").yaml)
    assert "no answer within" in told.choices[0].why


class Outside(EchoLLM):
    """Chooses what was not offered."""

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index

    async def choose(self, request: Choose) -> Reply[Choice]:
        await self._hear(request)
        return Reply(value=Choice(index=self.index))


@pytest.mark.parametrize("index", [99, -1])
def test_garbage_is_not_heard(tmp_path: Path, index: int) -> None:
    data = english(tmp_path)
    told = infer_project([data], "shop", door=door_to(Outside(index)))
    assert without_comments(told.yaml) == without_comments(infer_project([data], "shop").yaml)
    assert not [c for c in told.choices if "language model" in c.why]


class Likely(EchoLLM):
    """Gives `customer` the share of the column's name in `shares`, the rest to nothing."""

    def __init__(self, shares: Mapping[str, float]) -> None:
        super().__init__()
        self.shares = shares

    async def choose(self, request: Choose) -> Reply[Choice]:
        await self._hear(request)
        share = self.shares.get(str(facts_of(request).get("column")), 0.0)
        found = [0.0] * len(request.options)
        found[-1] = 1.0 - share
        if "customer" in request.options:
            found[request.options.index("customer")] = share
        return Reply(value=Choice(index=int(np.argmax(found)), probabilities=tuple(found)))


@pytest.mark.parametrize(
    ("shares", "user"),
    [
        ({"kk": 0.9, "uu": 0.8}, "kk"),
        ({"kk": 0.6, "uu": 0.9}, "uu"),
        ({"kk": 0.05, "uu": 0.02}, None),
    ],
)
def test_only_the_likeliest_column_of_a_table_is_the_customer(
    tmp_path: Path, shares: dict[str, float], user: str | None
) -> None:
    columns = {"kk": [n % 40 for n in range(200)], "uu": [n % 50 for n in range(200)]}
    times = [f"2024-01-{n % 28 + 1:02d}" for n in range(200)]
    frame = {"product_id": [f"p{n % 70}" for n in range(200)], **columns, "time": times}
    pl.DataFrame(frame).write_csv(tmp_path / "log.csv")
    english(tmp_path)
    paths = [tmp_path / "log.csv", tmp_path / "english" / "products.csv"]
    told = infer_project(
        [*paths, tmp_path / "english" / "users.csv"], "shop", door=door_to(Likely(shares))
    )
    meant = [c.what for c in told.choices if "language model" in c.why]
    assert meant == ([] if user is None else [f"log.{user}"])


def test_an_answer_that_leads_nowhere_is_dropped(tmp_path: Path) -> None:
    pl.DataFrame(
        {
            "artikel_id": [f"p{n % 30}" for n in range(90)],
            "kunden_id": [n % 20 for n in range(90)],
            "wann": [f"2024-01-{n % 28 + 1:02d}" for n in range(90)],
        }
    ).write_csv(tmp_path / "log.csv")
    told = infer_project(
        [tmp_path / "log.csv"], "shop", door=door_to(Reader(lambda _: "order or visit"))
    )
    plain = infer_project([tmp_path / "log.csv"], "shop")
    assert without_comments(told.yaml) == without_comments(plain.yaml)
    assert told.choices[0].why == "with what it said no project came out"


class Dice(EchoLLM):
    """Chooses at random."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.rng = np.random.default_rng(seed)

    async def choose(self, request: Choose) -> Reply[Choice]:
        return Reply(value=Choice(index=int(self.rng.integers(len(request.options)))))


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_a_model_that_throws_dice_never_breaks_a_project(tmp_path: Path, project: Tables) -> None:
    data, plain = write(project, tmp_path), None
    with suppress(DataError):
        plain = infer_project([data], "shop")
    for seed in range(6):
        if plain is None:
            with suppress(DataError):
                infer_project([data], "shop", door=door_to(Dice(seed)))
            continue
        told = infer_project([data], "shop", door=door_to(Dice(seed)))
        (tmp_path / "recprism.yaml").write_text(told.yaml, encoding="utf-8")
        assert find_problems(tmp_path) == []


def test_users_that_only_the_model_names_must_be_in_the_events(tmp_path: Path) -> None:
    data = english(tmp_path)
    pl.DataFrame({"zz": range(900, 960), "kk": [n % 9 for n in range(60)]}).write_csv(
        data / "others.csv"
    )
    (data / "users.csv").unlink()
    told = infer_project([data], "shop", door=door_to(Reader(lambda _: "customer")))
    assert "users" not in YAML(typ="safe").load(told.yaml)


class Last(EchoLLM):
    async def choose(self, request: Choose) -> Reply[Choice]:
        await self._hear(request)
        return Reply(value=Choice(index=len(request.options) - 1))


def test_among_several_users_and_times_the_model_may_pick(tmp_path: Path) -> None:
    pl.DataFrame(
        {
            "seller_customer_id": [n % 25 for n in range(100)],
            "buyer_customer_id": [n % 20 for n in range(100)],
            "product_id": [f"p{n % 30}" for n in range(100)],
            "printed_at": [f"2024-01-{n % 28 + 1:02d}" for n in range(100)],
            "ordered_at": [f"2024-02-{n % 28 + 1:02d}" for n in range(100)],
        }
    ).write_csv(tmp_path / "sales.csv")
    backend = Last()
    plain = infer_project([tmp_path / "sales.csv"], "shop")
    told = infer_project([tmp_path / "sales.csv"], "shop", door=door_to(backend))
    before, after = (YAML(typ="safe").load(t.yaml)["events"][0] for t in (plain, told))
    assert (before["user"], before["time"]) == ("seller_customer_id", "printed_at")
    assert (after["user"], after["time"]) == ("buyer_customer_id", "ordered_at")
    why = next(c.why for c in told.choices if c.what == "sales.ordered_at")
    assert why == "the language model chose it among `printed_at`, `ordered_at`"


def test_tables_with_very_many_odd_names_are_asked_about_in_part(tmp_path: Path) -> None:
    data = english(tmp_path)
    wide = {
        f"q{chr(97 + n // 26)}{chr(97 + n % 26)}": [n + k for k in range(50)] for n in range(70)
    }
    pl.DataFrame(wide).write_csv(data / "wide.csv")
    backend = Reader(lambda _: NOTHING)
    told = infer_project([data], "shop", door=door_to(backend))
    asked = [request for request in backend.asked if isinstance(request, Choose)]
    assert len(asked) == MOST_QUESTIONS
    assert any("were not asked about" in choice.chosen for choice in told.choices)


@for_all(text=st.text(max_size=300))
def test_a_line_about_a_column_is_one_short_printable_line(text: str) -> None:
    line = cleaned(text)
    assert len(line) <= LONGEST_LINE
    assert line.isprintable()
    assert line == line.strip()
    assert len(line.splitlines()) <= 1


@pytest.mark.parametrize(
    "line", ["x\nproject: evil", "x\u2028project: evil", "x\x85project: evil", "\x1b[31mred", "# {"]
)
def test_what_a_model_writes_stays_in_its_comment(tmp_path: Path, line: str) -> None:
    data = english(tmp_path)
    told = infer_project([data], "shop", door=door_to(Reader(lambda _: NOTHING, line=line)))
    plain = infer_project([data], "shop")
    load = YAML(typ="safe").load
    assert load(told.yaml) == load(plain.yaml)
    assert without_comments(told.yaml) == without_comments(plain.yaml)
    assert "\x1b" not in told.yaml
