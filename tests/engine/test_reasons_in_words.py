"""The role `explain`: reasons in a model's words, on the reins."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recprism.engine import Engine, open_engine
from recprism.explain import ItemFacts, check
from recprism.llm import Budget, Complete, Door, Ground, Ledger, Reply, Role, refuse
from recprism.llm.backend import Backend
from recprism.pipeline import train
from recprism.project import load_project
from recprism.project.llm_rules import known_fields
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
        lines = request.prompt.user.splitlines()
        line = next(x for x in lines if x.startswith(('"sentence"', '"summary"')))
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


SECRETS = {
    "e-mail": "mia.secret@example.com",
    "phone": "+49 170 1234567",
    "card": "4111 1111 1111 1111",
    "national id": "123-45-6789",
}


def test_planted_secrets_and_ids_never_leave(shop_copy: Path) -> None:
    """Every field that may be listed is, and holds a secret; every item and user has an odd id."""
    products = shop_copy / "data" / "products.csv"
    lines = products.read_text(encoding="utf-8").splitlines()
    secrets = list(SECRETS.values())
    header = lines[0].split(",")
    planted = []
    for number, line in enumerate(lines[1:]):
        cells = line.split(",")
        cells[header.index("name")] += f" {secrets[number % len(secrets)]}"
        planted.append(",".join(cells))
    products.write_text("\n".join([lines[0], *planted]) + "\n", encoding="utf-8")
    train(load_project(shop_copy))
    backend = Says(str)
    fields = sorted(known_fields(load_project(shop_copy).spec))
    with open_engine(
        shop_copy, store=MemoryStore(), door=door_to(backend, fields=fields)
    ) as engine:
        for user in ("mia", "u03", None):
            engine.recommend(user, at=AT, query=f"cheese {secrets[0]} {secrets[2]}")
            engine.recommend(user, at=AT)
        for user in ("mia", "u03"):
            engine.profile(user, at=AT)
    read = prompts(backend)
    assert any("(e-mail)" in prompt for prompt in read)
    digits = re.compile(r"\D")
    for prompt in read:
        assert "mia" not in prompt
        assert "u03" not in prompt
        assert not re.search(r"\b[pc]\d\d\b|c-milk|c-pantry", prompt)
        assert "example.com" not in prompt
        for secret in secrets[1:]:
            assert digits.sub("", secret) not in digits.sub("", prompt)


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(st.lists(st.one_of(st.text(max_size=200), st.sampled_from(["7 days", "milk", "您好"]))))
def test_garbage_never_shows_what_the_guard_did_not_accept(
    engine: Engine, with_model: Open, garbage: list[str]
) -> None:
    answers = cycle([*garbage, ""])
    told = with_model(Says(lambda _: next(answers))).recommend("mia", ["products"], at=AT)
    plain = engine.recommend("mia", ["products"], at=AT)
    for old, new in zip(reasons(plain), reasons(told), strict=True):
        if new.text != old.text:
            assert new.source == "llm"
            ground = Ground(
                names=tuple(re.findall(r"[a-z-]+", old.text)),
                numbers=tuple(range(400)),
                said=old.text,
            )
            assert refuse(new.text, ground, "en") == ()


@pytest.mark.parametrize("name", ["qwen2.5-coder-0.5b-instruct", "gemma-3-270m-q4_k_m"])
def test_real_weights_show_nothing_that_the_guard_refuses(trained_shop: Path, name: str) -> None:
    folder = os.environ.get("RECPRISM_WEIGHTS")
    path = Path(folder or "") / f"{name}.gguf"
    if folder is None or not path.is_file():
        pytest.skip(f"`RECPRISM_WEIGHTS` names no folder with `{name}.gguf`")
    pytest.importorskip("xllamacpp", reason="needs the extra `llm`")
    from recprism.llm.embedded import EmbeddedBackend

    backend = EmbeddedBackend(path, threads=1)
    role = Role(model=name, deadline_s=90.0)
    with open_engine(
        trained_shop, store=MemoryStore(), door=door_to(backend, role, fields=FIELDS)
    ) as engine:
        told = engine.recommend("mia", ["products"], size=3, at=AT)
    assert told.llm in ("used", "deadline")
    for item in told.lists["products"].items:
        facts = ItemFacts(item.title, "products", item.labels)
        assert check(item.reason.text, item.reason.evidence, facts) == ()
