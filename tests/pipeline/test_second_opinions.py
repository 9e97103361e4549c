"""Training with the role `label`: who is asked, what is kept, and what a person gets to see."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.data.small_project import EVENTS, write_project

from recprism.cli.views.training import training_view
from recprism.content.propose import words_of
from recprism.engine import Engine, open_engine
from recprism.llm import Door, Ledger, Role
from recprism.llm.opening import LEDGER
from recprism.pipeline import plan, train
from recprism.pipeline.workspace import prepare
from recprism.project import Project
from recprism.store import MemoryStore
from recprism.testing.llms import ScriptedLLM
from recprism.testing.tiny_gguf import write_tiny_gguf

SHELVES = {
    "dairy": ["milk", "cheese", "cream", "yogurt", "butter"],
    "bakery": ["bread", "rolls", "bagels", "cake", "pie"],
}
BARE = ["cheese bread", "cream cake", "butter rolls", "milk pie"]
SECRET = "ann@example.com"
WAVERING = f"cheese bread {SECRET} of b0"
FIELDS = ["goods.name", "goods.shelf"]
TEN = 10


def rows() -> str:
    given = [(word, shelf) for shelf, words in SHELVES.items() for word in words]
    lines = [f"{n},{word},{shelf},hush {SECRET}" for n, (word, shelf) in enumerate(given)]
    lines += [f"b{n},{text} {SECRET},,hush" for n, text in enumerate(BARE)]
    return "sku,name,shelf,note\n" + "\n".join(lines) + "\n"


def project(folder: Path, **llm: Any) -> Project:
    weights = write_tiny_gguf(folder / "tiny.gguf")
    section = {
        "backend": "embedded",
        "model": weights.name,
        "roles": {"label": True},
        "fields": FIELDS,
        "prices": {weights.name: {"input": 2.0}},
    }
    events = EVENTS.replace("milk", "1").replace("bread", "2").replace("0012", "b0")
    files = {"items.csv": rows(), "events.csv": events}
    return write_project(folder, files, llm={**section, **llm})


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    found = project(tmp_path_factory.mktemp("opinions"))
    train(found)
    return found


@pytest.fixture(scope="module")
def engine(trained: Project) -> Iterator[Engine]:
    with open_engine(trained.path, store=MemoryStore()) as engine:
        yield engine


def calls(found: Project) -> list[dict[str, Any]]:
    ledger = Ledger(found.path / LEDGER)
    try:
        return ledger.calls()
    finally:
        ledger.close()


def test_wavering_items_are_asked_about_and_a_person_sees_it(engine: Engine) -> None:
    (said,) = engine.training["labels"]
    asked = said["llm"]["asked"]
    assert 0 < asked <= len(BARE)
    assert said["llm"] == {
        "weight": 0.0,
        "measured": "too few labelled texts",
        "asked": asked,
        "unanswered": 0,
    }
    found = engine.classify("goods")
    labels = [item["labels"]["shelf"] for item in found["items"]]
    opinions = [label for label in labels if "opinion" in label]
    assert len(opinions) == asked
    for label in opinions:
        assert label["source"] == "encoder and language model"
        assert label["opinion"] in SHELVES
    for row in found["review"]:
        differs = row.get("opinion") not in (None, row["suggested"])
        assert ("language model" in row["why"]) is differs
    whys = ["language model" in row["why"] for row in found["review"]]
    assert whys == sorted(whys, reverse=True)
    json.dumps(found, allow_nan=False)


def test_the_account_of_training_says_so(engine: Engine) -> None:
    training = {**engine.training, "seconds": {}}
    lines = [str(line) for line in training_view(training, [])]
    assert any("too few labelled texts show whether it helps" in line for line in lines), lines


def test_only_allowed_fields_left_and_all_calls_are_on_the_account(trained: Project) -> None:
    made = calls(trained)
    assert made
    assert {(call["role"], call["state"]) for call in made} <= {("label", "used")}
    assert all(call["fields"] == FIELDS for call in made)


def test_a_second_training_asks_nothing_anew(trained: Project) -> None:
    before = len(calls(trained))
    prepare(trained)
    assert len(calls(trained)) == before


def test_no_planted_secret_reaches_a_prompt(tmp_path: Path) -> None:
    found, backend = project(tmp_path, roles={"label": False}), ScriptedLLM([0] * TEN)
    train(found)
    door = Door(lambda _: backend, {"label": Role(model="m")}, name="test", fields=FIELDS)
    with open_engine(tmp_path, store=MemoryStore(), door=door) as engine:
        engine.classify("goods", WAVERING)
    assert backend.asked
    for request in backend.asked:
        assert SECRET not in str(request)
        assert "hush" not in str(request)
        assert "(e-mail)" in str(request)


def test_a_text_is_asked_about_when_it_wavers(trained: Project) -> None:
    backend = ScriptedLLM([1] * TEN)
    door = Door(lambda _: backend, {"label": Role(model="m")}, name="test", fields=FIELDS)
    with open_engine(trained.path, store=MemoryStore(), door=door) as engine:
        plain = engine.classify("goods", "milk")["items"][0]["labels"]["shelf"]
        label = engine.classify("goods", WAVERING)["items"][0]["labels"]["shelf"]
    assert (plain["value"], plain["source"]) == ("dairy", "encoder")
    assert len(backend.asked) == 1
    assert label["opinion"] == "dairy"  # the second by name
    assert label["value"] in ("unknown", "bakery")
    assert label["source"] == "encoder and language model"


def test_a_model_that_cannot_be_opened_is_asked_again_next_time(tmp_path: Path) -> None:
    found = project(tmp_path, model="absent.gguf")
    (said,) = prepare(found).labels
    assert said["llm"]["unanswered"] == said["llm"]["asked"] > 0
    write_tiny_gguf(tmp_path / "absent.gguf")
    (said,) = prepare(found).labels
    assert said["llm"]["unanswered"] == 0


def test_a_dry_run_counts_calls_tokens_and_cost(trained: Project, tmp_path: Path) -> None:
    found = plan(trained)
    assert found["llm_calls"] == 14
    assert found["llm_tokens"] > 14 * 20
    assert found["llm_cost"] == pytest.approx(found["llm_tokens"] * 2e-6, abs=1e-4)
    few = project(tmp_path, roles={"label": {"budget": {"calls": 3}}})
    assert plan(few)["llm_calls"] == 3
    off = project(tmp_path, roles={})
    assert (plan(off)["llm_calls"], plan(off)["llm_tokens"], plan(off)["llm_cost"]) == (0, 0, 0.0)


def test_a_budget_holds_in_training(tmp_path: Path) -> None:
    found = project(tmp_path, roles={"label": {"budget": {"calls": 1}}})
    (said,) = prepare(found).labels
    assert len(calls(found)) == 1
    assert said["llm"]["unanswered"] == said["llm"]["asked"] - 1


def test_names_of_proposals_stay_their_own_words(trained: Project) -> None:
    backend = ScriptedLLM(["Cheese bread", "rank me first"])
    door = Door(lambda _: backend, {"label": Role(model="m")}, name="test", fields=FIELDS)
    with open_engine(trained.path, store=MemoryStore(), door=door) as engine:
        found = engine.propose_labels("goods", 2)
    assert len(backend.asked) == len(found["labels"]) == 2
    for row in found["labels"]:
        words = {word for text in row["examples"] for word in words_of(text)}
        assert set(words_of(row["name"])) <= {*words, *row["words"]}
    assert "rank me first" not in [row["name"] for row in found["labels"]]
