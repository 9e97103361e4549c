"""The engine and its door to the language model."""

from __future__ import annotations

from pathlib import Path

import pytest

from recprism.engine import Engine, open_engine
from recprism.llm import Door, Role, has_roles, most_telling
from recprism.project.schema import Llm
from recprism.store import MemoryStore
from recprism.testing.llms import EchoLLM


def test_an_engine_has_no_door_while_no_role_is_on(engine: Engine) -> None:
    assert engine.door is None
    assert engine.recommend("mia").llm == "off"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Llm(), False),
        (Llm(roles={"explain": True}), False),
        (Llm(backend="embedded"), False),
        (Llm(backend="embedded", roles={"embed": True, "explain": False}), False),
        (Llm(backend="embedded", roles={"explain": True}), True),
    ],
)
def test_a_door_is_needed_where_a_model_plays_a_role(settings: Llm, expected: bool) -> None:
    assert has_roles(settings) is expected


def test_a_door_of_ones_own_is_closed_with_the_engine(trained_shop: Path) -> None:
    door = Door(lambda _: EchoLLM(), {"other": Role(model="m")}, name="test")
    with open_engine(trained_shop, store=MemoryStore(), door=door) as engine:
        assert engine.door is door
        assert engine.recommend("mia").llm == "off"
    engine.close()
    assert engine.recommend("mia", ["products"]).lists["products"].items


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([], "off"),
        (["off", "used"], "used"),
        (["used", "budget", "used"], "budget"),
        (["budget", "deadline", "used"], "deadline"),
        (["deadline", "unavailable"], "unavailable"),
    ],
)
def test_an_answer_says_the_most_telling_state(states: list[str], expected: str) -> None:
    assert most_telling(states) == expected  # type: ignore[arg-type]
