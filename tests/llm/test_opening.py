"""From the section of a project file to a door that answers."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tests.llm.servers import KEY, Running

from recprism.llm import Budget, Complete, Price, Prompt, open_door
from recprism.llm.opening import CHECK, CONFIGURE, LEDGER, ask_check
from recprism.project.llm_section import Llm, LlmBudget, LlmPrice, LlmRole

QUESTION = Complete(prompt=Prompt(user="What is milk?"), max_tokens=4)


def test_without_a_model_every_role_is_off(tmp_path: Path) -> None:
    door = open_door(Llm(), tmp_path)
    assert [door.ask(role, QUESTION).state for role in (CHECK, "rank")] == ["off", "off"]
    assert ask_check(door).state == "off"
    assert not list(tmp_path.iterdir())


def test_roles_have_their_model_deadline_and_budget(tmp_path: Path) -> None:
    settings = Llm(
        backend="openai",
        model="big",
        base_url="http://127.0.0.1:9/v1",
        roles={
            "embed": True,
            "ask": False,
            "label": True,
            "explain": LlmRole(
                model="small",
                deadline=timedelta(milliseconds=800),
                budget=LlmBudget(calls=10, tokens=100, cost=0.5, per=timedelta(hours=1)),
            ),
            "rank": LlmRole(),
        },
        fields=["products.brand"],
        prices={"big": LlmPrice(input=1.0, output=2.0)},
    )
    door = open_door(settings, tmp_path)
    assert set(door.roles) == {CHECK, CONFIGURE, "label", "explain", "rank"}
    label, explain = door.roles["label"], door.roles["explain"]
    assert (label.model, label.deadline_s, label.budget) == ("big", 60.0, None)
    assert (explain.model, explain.deadline_s) == ("small", 0.8)
    assert explain.budget == Budget(calls=10, tokens=100, cost=0.5, per_s=3600.0)
    assert door.roles["rank"].deadline_s == 60.0
    assert door.fields == frozenset(["products.brand"])
    assert door._prices == {"big": Price(input=1, output=2)}


def test_a_model_in_this_process_answers(tmp_path: Path, tiny_chat: Path) -> None:
    pytest.importorskip("xllamacpp", reason="needs the extra `llm`")
    settings = Llm(
        backend="embedded", model=str(tiny_chat), prices={str(tiny_chat): LlmPrice(input=1)}
    )
    door = open_door(settings, tmp_path)
    outcome = ask_check(door)
    door.close()
    assert (outcome.state, outcome.why) == ("used", "")
    assert outcome.cost > 0
    assert (tmp_path / LEDGER).is_file()


def test_a_server_answers(
    tmp_path: Path, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openai", reason="needs the extra `llm`")
    monkeypatch.setenv("MY_KEY", KEY)
    settings = Llm(
        backend="openai", model=running.model, base_url=running.base_url, key_env="MY_KEY"
    )
    door = open_door(settings, tmp_path)
    outcome = ask_check(door)
    door.close()
    assert (outcome.state, outcome.why) == ("used", "")


def test_weights_that_are_not_there_are_an_outcome(tmp_path: Path) -> None:
    door = open_door(Llm(backend="embedded", model="none.gguf"), tmp_path)
    outcome = ask_check(door)
    door.close()
    assert outcome.state == "unavailable"
    assert "There are no weights at" in outcome.why
