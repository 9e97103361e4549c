"""The role `profile`: the summary in a model's words, on the reins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.test_reasons_in_words import AT, FIELDS, ROLE, Hangs, door_to, prompts

from recprism.engine import Engine, open_engine
from recprism.llm import Complete, Reply, Role
from recprism.llm.backend import Backend
from recprism.profiles.retelling import judge
from recprism.store import MemoryStore
from recprism.testing.llms import EchoLLM, ScriptedLLM

Open = Callable[..., Engine]
SAID = (
    "31 purchases in 20 visits, about every 7 days, most often from 09:00 to 10:00; "
    "the last was 3 days ago. Most of the purchases by department: DAIRY (40 %) and PETS (20 %)."
)
NAMES = ["DAIRY", "PETS"]


@pytest.fixture
def with_model(trained_shop: Path) -> Iterator[Open]:
    opened: list[Engine] = []

    def open_(backend: Backend, role: Role = ROLE, fields: tuple[str, ...] = FIELDS) -> Engine:
        door = door_to(backend, role, fields=fields)
        opened.append(open_engine(trained_shop, store=MemoryStore(), door=door))
        return opened[-1]

    yield open_
    for engine in opened:
        engine.close()


class Retells(EchoLLM):
    """Says the summary again behind a few words of its own."""

    async def complete(self, request: Complete) -> Reply[str]:
        await self._hear(request)
        line = next(x for x in request.prompt.user.splitlines() if x.startswith('"summary"'))
        return Reply(value="In short: " + line.partition(": ")[2][1:-1], tokens_in=9, tokens_out=9)


def test_without_the_role_the_summary_is_ours(engine: Engine) -> None:
    found = engine.profile("mia", at=AT).to_dict()
    assert found["summary"]["source"] == "facts"
    assert found["llm"] == "off"


def test_an_accepted_summary_is_shown_with_the_rest_of_the_facts(
    engine: Engine, with_model: Open
) -> None:
    plain = engine.profile("u03", at=AT)
    told = with_model(Retells()).profile("u03", at=AT)
    assert told.summary == f"In short: {plain.summary}"
    assert (told.summary_source, told.llm) == ("llm", "used")
    assert told.habits == plain.habits


@pytest.mark.parametrize("answer", ["", "A loyal caviar fan.", "您好", "x" * 9000, "\x00"])
def test_a_refused_summary_leaves_ours(engine: Engine, with_model: Open, answer: str) -> None:
    told = with_model(ScriptedLLM([answer])).profile("mia", at=AT)
    assert told.summary == engine.profile("mia", at=AT).summary
    assert (told.summary_source, told.llm) == ("facts", "used")


def test_a_hanging_model_leaves_our_summary(engine: Engine, with_model: Open) -> None:
    told = with_model(Hangs(), Role(model="m", deadline_s=0.2)).profile("mia", at=AT)
    assert told.summary == engine.profile("mia", at=AT).summary
    assert told.llm == "deadline"


def test_only_allowed_labels_and_no_trait_or_segment_leave(with_model: Open) -> None:
    backend = Retells()
    told = with_model(backend, fields=("history", "products.department")).profile("u03", at=AT)
    (read,) = prompts(backend)
    assert "by department" in read
    assert "by family" not in read
    assert "Known traits" not in read
    assert "Segment" not in read
    for part in ("by family", "Known traits", "Segment"):
        assert part in told.summary
    nothing = Retells()
    assert with_model(nothing, fields=("products.department",)).profile("u03", at=AT).llm == "off"
    assert nothing.asked == []


@pytest.mark.parametrize(
    "text",
    [
        SAID,
        "This person made 31 purchases in 20 visits, most often from 09:00 to 10:00.",
        "The last was 3 days ago. The purchases were DAIRY (40 %) and PETS (20 %).",
    ],
)
def test_a_true_summary_is_accepted(text: str) -> None:
    assert judge(text, SAID, NAMES, "en") == ()


@pytest.mark.parametrize(
    "text",
    [
        "31 purchases: DAIRY (20 %) and PETS (40 %).",
        "31 purchases, most often from 10:00 to 11:00, of DAIRY.",
        "20 purchases in 31 visits, of DAIRY.",
        "DAIRY purchases about every 3 days.",
        "A diabetic person who likes DAIRY.",
        "A rich person with 31 purchases of DAIRY.",
    ],
)
def test_a_false_summary_is_refused(text: str) -> None:
    assert judge(text, SAID, NAMES, "en") != ()


@settings(deadline=None)
@given(st.text(max_size=200), st.sampled_from(["en", "zh"]))
def test_any_text_is_judged_without_fail(text: str, language: str) -> None:
    assert judge(text, SAID, NAMES, language) == judge(text, SAID, NAMES, language)
