"""The role `explain`: reasons in a model's words, on the reins."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recprism.engine import Engine, open_engine
from recprism.llm import Budget, Complete, Door, Ledger, Reply, Role
from recprism.llm.backend import Backend
from recprism.records import Answer, Reason
from recprism.store import MemoryStore
from recprism.testing.llms import EchoLLM

FIELDS = ("products.name", "products.department", "products.family", "history", "query")
AT = "2024-05-20T08:00"
ROLE = Role(model="m", deadline_s=5.0)
Open = Callable[..., Engine]


class Says(EchoLLM):
    """Answers whatever `word` makes of the sentence that it is asked to rephrase."""

    def __init__(self, word: Callable[[str], str]) -> None:
        super().__init__()
        self.word = word

    async def complete(self, request: Complete) -> Reply[str]:
        await self._hear(request)
        line = next(x for x in request.prompt.user.splitlines() if x.startswith('"sentence"'))
        return Reply(value=self.word(line.partition(": ")[2][1:-1]), tokens_in=10, tokens_out=5)


class Hangs(EchoLLM):
    """Answers after a minute."""

    async def complete(self, request: Complete) -> Reply[str]:
        await asyncio.sleep(60)
        return await super().complete(request)


def door_to(backend: Backend, role: Role = ROLE, **settings: Any) -> Door:
    return Door(lambda _: backend, {"explain": role, "profile": role}, name="t", **settings)


@pytest.fixture
def with_model(trained_shop: Path) -> Iterator[Open]:
    """Opens the shop with a model behind the door; all that was opened is closed."""
    opened: list[Engine] = []

    def open_(backend: Backend, role: Role = ROLE, **settings: Any) -> Engine:
        door = door_to(backend, role, **{"fields": FIELDS, **settings})
        opened.append(open_engine(trained_shop, store=MemoryStore(), door=door))
        return opened[-1]

    yield open_
    for engine in opened:
        engine.close()


def prompts(backend: EchoLLM) -> list[str]:
    """Everything that the model was given to read."""
    found = [one.prompt for one in backend.asked if isinstance(one, Complete)]
    assert len(found) == len(backend.asked)
    return [f"{prompt.system}\n{prompt.user}" for prompt in found]


def reasons(answer: Answer) -> list[Reason]:
    return [item.reason for ranked in answer.lists.values() for item in ranked.items]


def test_what_the_guard_accepts_is_shown_over_the_same_evidence(
    engine: Engine, with_model: Open
) -> None:
    plain = engine.recommend("mia", at=AT)
    told = with_model(Says(lambda said: f"Just so you know: {said}")).recommend("mia", at=AT)
    assert told.llm == "used"
    pairs = list(zip(reasons(plain), reasons(told), strict=True))
    assert any(new.source == "llm" for _, new in pairs)
    for old, new in pairs:
        assert new.evidence == old.evidence
        assert new.text in (old.text, f"Just so you know: {old.text}")
        assert new.source == ("evidence" if new.text == old.text else "llm")


@pytest.mark.parametrize(
    "word",
    [
        lambda _: "You buy caviar about every 3 days.",
        lambda said: said.replace("You", "Maria"),
        lambda said: f"{said} It is free today.",
        lambda said: f"Since you are pregnant: {said}",
        lambda said: f"{said} Only $1.99.",
        lambda said: "Vous aimez " + said,
        lambda said: "您喜欢" + said,
        lambda _: "",
        lambda _: "\x00\udcff\n<data>",
        lambda said: said * 1000,
    ],
    ids=[
        "item",
        "name",
        "promise",
        "trait",
        "price",
        "french",
        "chinese",
        "empty",
        "bytes",
        "huge",
    ],
)
def test_what_the_guard_refuses_is_never_shown(
    engine: Engine, with_model: Open, word: Callable[[str], str]
) -> None:
    plain = engine.recommend("mia", at=AT)
    told = with_model(Says(word)).recommend("mia", at=AT)
    assert told.llm == "used"
    assert reasons(told) == reasons(plain)


def test_one_round_asks_for_each_sentence_once(with_model: Open) -> None:
    backend = Says(str)
    engine = with_model(backend)
    answer = engine.recommend("mia", at=AT)
    asked = prompts(backend)
    assert len(asked) == len(set(asked)) <= len(reasons(answer))
    engine.recommend("mia", at=AT)
    assert len(backend.asked) == len(asked)  # from the cache


def test_accepted_and_refused_are_on_the_account(with_model: Open, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "llm.sqlite")
    engine = with_model(Says(lambda s: "Note: " + s if "milk" in s else "caviar"), ledger=ledger)
    engine.recommend("mia", at=AT)
    engine.close()
    (spent,) = Ledger(tmp_path / "llm.sqlite").spent()
    assert (spent.role, spent.failed) == ("explain", 0)
    assert spent.accepted > 0
    assert spent.refused > 0
    assert spent.accepted + spent.refused == spent.calls


def test_a_hanging_model_costs_the_deadline_and_no_reason(engine: Engine, with_model: Open) -> None:
    plain = engine.recommend("mia", at=AT)
    started = time.perf_counter()
    told = with_model(Hangs(), replace(ROLE, deadline_s=0.2)).recommend("mia", at=AT)
    assert time.perf_counter() - started < 5.0
    assert told.llm == told.to_dict()["llm"] == "deadline"
    assert reasons(told) == reasons(plain)


def test_a_spent_budget_and_a_broken_backend_say_so(engine: Engine, with_model: Open) -> None:
    class Broken(EchoLLM):
        async def complete(self, request: Complete) -> Reply[str]:
            raise OSError(f"the cable is out, {request.max_tokens} tokens are lost")

    plain = reasons(engine.recommend("mia", at=AT))
    spent = with_model(Says(str), replace(ROLE, budget=Budget(calls=0))).recommend("mia", at=AT)
    broken = with_model(Broken()).recommend("mia", at=AT)
    assert (spent.llm, broken.llm) == ("budget", "unavailable")
    assert reasons(spent) == reasons(broken) == plain


def test_nobody_is_asked_without_reasons_or_without_the_role(with_model: Open) -> None:
    backend = Says(str)
    engine = with_model(backend)
    assert engine.recommend("mia", at=AT, explain=False).llm == "off"
    assert engine.door is not None
    engine.door.roles.pop("explain")
    assert engine.recommend("mia", at=AT).llm == "off"
    assert backend.asked == []


@pytest.mark.parametrize(
    "fields", [(), ("history",), ("products.name",), ("products.department", "query")]
)
def test_nothing_leaves_that_draws_on_a_field_not_listed(
    with_model: Open, fields: tuple[str, ...]
) -> None:
    backend = Says(str)
    answer = with_model(backend, fields=fields).recommend("mia", ["products"], at=AT)
    assert [one for one in backend.asked if not set(one.fields) <= set(fields)] == []
    if "products.name" not in fields:
        assert backend.asked == []
        assert answer.llm == "off"


def test_a_wish_leaves_only_where_it_may(with_model: Open) -> None:
    backend = Says(str)
    wish = "blue cheese for mia@example.com"
    with_model(backend, fields=("products.name", "history")).recommend("mia", at=AT, query=wish)
    assert not any("blue" in prompt for prompt in prompts(backend))
    with_model(backend).recommend("mia", at=AT, query=wish)
    assert not any("example.com" in prompt for prompt in prompts(backend))
