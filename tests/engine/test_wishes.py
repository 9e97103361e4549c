"""Wishes in words to lists, over a small shop of things to eat."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.wishes.pantry import write_pantry

from recprism.engine import Engine, open_engine
from recprism.errors import UsageError
from recprism.llm import Door, Role
from recprism.pipeline import train
from recprism.project import load_project
from recprism.records import RankedList
from recprism.store import MemoryStore
from recprism.testing.llms import EchoLLM, ScriptedLLM


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    written = write_pantry(tmp_path_factory.mktemp("pantry"))
    train(load_project(written))
    return written


@pytest.fixture(scope="module")
def pantry(folder: Path) -> Iterator[Engine]:
    with open_engine(folder, store=MemoryStore()) as engine:
        yield engine


def shown(
    engine: Engine, query: str, task: str = "products", size: int | None = None
) -> RankedList:
    return engine.recommend(None, [task], query=query, size=size).lists[task]


def titles(ranked: RankedList) -> list[str]:
    return [item.title for item in ranked.items]


FISH = {"salmon fillet", "tuna in oil", "smoked trout", "fish fingers", "fish soup"}


def test_what_is_wanted_comes_first(pantry: Engine) -> None:
    assert set(titles(shown(pantry, "soup", size=4))) > {"tomato soup", "lentil soup"}
    assert "fish soup" in titles(shown(pantry, "soup"))


@pytest.mark.parametrize("query", ["soup, but not fish", "汤，不要鱼", "Suppe ohne Fisch"])
def test_what_is_not_wanted_is_left_out_in_any_language(pantry: Engine, query: str) -> None:
    found = titles(shown(pantry, query, size=6))
    assert "fish soup" not in found
    assert {"tomato soup", "lentil soup"} <= set(found)


def test_a_wish_may_only_say_what_is_not_wanted(pantry: Engine) -> None:
    found = shown(pantry, "not fish", size=30)
    assert not {"fish fingers", "fish soup"} & set(titles(found))
    assert len(found.items) >= 15
    assert "≠ fish" in (found.short_because or "")


def test_of_two_alike_the_one_that_is_not_wanted_goes(pantry: Engine) -> None:
    found = titles(shown(pantry, "coffee but not decaf"))
    assert found[0] == "ground coffee"
    assert "decaf coffee" not in found


def test_an_item_that_names_a_thing_as_absent_is_no_such_thing(pantry: Engine) -> None:
    assert "sugar free cookies" in titles(shown(pantry, "cookies without sugar"))


def test_prices_filter_and_unknown_ones_do_not_pass(pantry: Engine) -> None:
    found = shown(pantry, "something to eat, between 6 and 8 dollars", size=30)
    assert sorted(titles(found)) == [
        "apple pie", "ground coffee", "light bulbs", "paper towels", "smoked trout",
        "vanilla ice cream",
    ]  # fmt: skip
    assert found.short_because == "only 6 of the products fit the wish (price ≤ 8; price ≥ 6)"


def test_a_bound_leaves_kinds_without_that_number_alone(pantry: Engine) -> None:
    answer = pantry.recommend(None, query="dinner under 3 dollars")
    assert len(answer.lists["recipes"].items) == 2


def test_too_strict_a_wish_says_why_nothing_is_left(pantry: Engine) -> None:
    found = shown(pantry, "a hot drink for at least 20 dollars")
    assert titles(found) == []
    assert found.short_because == "none of the products fits the wish (price ≥ 20)"


def test_a_demanded_label_filters(pantry: Engine) -> None:
    found = shown(pantry, "only soup")
    assert {item.labels["aisle"] for item in found.items} == {"soup"}
    assert found.short_because == "only 4 of the products fit the wish (aisle = soup)"


def test_a_demanded_kind_leaves_other_lists_out_unless_asked_for(pantry: Engine) -> None:
    assert list(pantry.recommend(None, query="only recipes please").lists) == ["recipes"]
    asked = pantry.recommend(None, ["products", "recipes"], query="only recipes please")
    assert list(asked.lists) == ["recipes", "products"]


def test_a_wish_without_conditions_is_read_whole(pantry: Engine) -> None:
    answer = pantry.recommend(None, query="  a warm soup ")
    assert answer.wish is not None
    assert answer.wish["text"] == "  a warm soup "
    assert (answer.wish["unwanted"], answer.wish["bounds"]) == ([], [])
    assert answer.to_dict()["wish"]["read_by"] == "rules"
    assert answer.lists["products"].short_because is None


def test_an_answer_without_a_wish_says_nothing_of_one(pantry: Engine) -> None:
    assert "wish" not in pantry.recommend(None).to_dict()


def test_reasons_name_what_is_wanted_only(pantry: Engine) -> None:
    first = shown(pantry, "soup, not fish").items[0]
    assert first.reason.text == "Matches your search: “soup”."


def test_a_wish_of_blanks_is_no_wish(pantry: Engine) -> None:
    with pytest.raises(UsageError, match="A query needs words"):
        pantry.read_wish(" \n")
    assert pantry.read_wish("soup").intent.text == "soup"


def asking(folder: Path, llm: EchoLLM, deadline: float = 5.0) -> Engine:
    door = Door(
        lambda _: llm,
        {"ask": Role(model="m", deadline_s=deadline)},
        name="test",
        fields=("query", "products.aisle"),
    )
    return open_engine(folder, store=MemoryStore(), door=door)


def test_a_model_reads_what_the_rules_cannot(folder: Path) -> None:
    said = {"want": "", "avoid": ["poisson"], "at_least": None, "at_most": 3, "labels": ["soup"]}
    with asking(folder, ScriptedLLM([json.dumps(said)])) as engine:
        answer = engine.recommend(None, query="une soupe mais pas de poisson, moins de 3 euros")
    assert answer.llm == "used"
    assert answer.wish is not None
    assert (answer.wish["unwanted"], answer.wish["read_by"]) == (["poisson"], "llm")
    found = titles(answer.lists["products"])
    assert found[0].endswith("soup")
    assert "fish soup" not in found


def test_a_model_gets_only_label_values_near_the_wish(folder: Path) -> None:
    llm = EchoLLM()
    with asking(folder, llm) as engine:
        engine.recommend(None, query="soup")
    (request,) = llm.asked
    labels = request.schema["properties"]["labels"]["items"]["enum"]  # type: ignore[attr-defined]
    assert labels[0] == "soup"
    assert sorted(labels) == ["bakery", "drinks", "fish", "home", "soup", "sweets"]


@pytest.mark.parametrize(
    ("llm", "state"),
    [(EchoLLM(delay_s=60.0), "deadline"), (ScriptedLLM(["nonsense"] * 9), "unavailable")],
)
def test_a_model_that_hangs_or_babbles_changes_no_list(
    folder: Path, pantry: Engine, llm: EchoLLM, state: str
) -> None:
    query = "soup, not fish, under 3 dollars"
    with asking(folder, llm, deadline=0.05 if state == "deadline" else 5.0) as engine:
        answer = engine.recommend(None, query=query)
    assert answer.llm == state
    plain = pantry.recommend(None, query=query).to_dict()
    assert answer.to_dict()["lists"] == plain["lists"]
    assert answer.wish == plain["wish"]


def test_somebody_with_a_past_gets_nothing_that_the_wish_rules_out(engine: Engine) -> None:
    bought = engine.recommend("u03", ["products"], size=5).lists["products"].items
    term = bought[0].title
    found = engine.recommend("u03", ["products"], query=f"something, but not {term}", size=5)
    ranked = found.lists["products"]
    assert term not in titles(ranked)
    assert all(
        one.score >= two.score for one, two in zip(ranked.items, ranked.items[1:], strict=False)
    )
