"""Language models for tests, and the conformance kit of backends.

class TestMyBackend(BackendKit):
    def make(self) -> Backend:
        return MyBackend()
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from recprism.errors import LLMUnavailable, UsageError
from recprism.llm.backend import Backend
from recprism.llm.requests import (
    Choice,
    Choose,
    Complete,
    Embed,
    Prompt,
    Reply,
    Request,
    Score,
    content_of,
)

Vectors = tuple[tuple[float, ...], ...]


@dataclass
class EchoLLM:
    """Answers with what it was asked, so that a test can assert the prompt.

    Text is the request as JSON, a choice is the first option, a score the length of the text below
    zero, a vector the text's length and number of words. `delay_s` is waited before each answer.
    """

    delay_s: float = 0.0
    asked: list[Request[Any]] = field(default_factory=list)

    async def complete(self, request: Complete) -> Reply[str]:
        await self._hear(request)
        text = json.dumps(content_of(request), ensure_ascii=False)
        return Reply(value=text, tokens_in=len(text), tokens_out=len(text), took_ms=1.0)

    async def choose(self, request: Choose) -> Reply[Choice]:
        await self._hear(request)
        return Reply(value=Choice(index=0), tokens_in=len(request.prompt.user), tokens_out=1)

    async def score(self, request: Score) -> Reply[tuple[float, ...]]:
        await self._hear(request)
        return Reply(value=tuple(-float(len(text)) for text in request.continuations), tokens_in=1)

    async def embed(self, request: Embed) -> Reply[Vectors]:
        await self._hear(request)
        vectors = tuple((float(len(text)), float(len(text.split()))) for text in request.texts)
        return Reply(value=vectors, tokens_in=1)

    async def close(self) -> None:
        """Nothing to let go of."""

    async def _hear(self, request: Request[Any]) -> None:
        self.asked.append(request)
        await asyncio.sleep(self.delay_s)


class ScriptedLLM(EchoLLM):
    """Gives the answers of a script, one after another; an exception in it is raised.

    Raises `UsageError` when it is asked more often than the script has answers.
    """

    def __init__(self, answers: Iterable[Any], delay_s: float = 0.0) -> None:
        super().__init__(delay_s)
        self._answers = iter(list(answers))

    async def complete(self, request: Complete) -> Reply[str]:
        return Reply(value=await self._next(request), tokens_in=10, tokens_out=5)

    async def choose(self, request: Choose) -> Reply[Choice]:
        return Reply(value=Choice(index=await self._next(request)), tokens_in=10, tokens_out=1)

    async def score(self, request: Score) -> Reply[tuple[float, ...]]:
        return Reply(value=await self._next(request), tokens_in=10, tokens_out=1)

    async def embed(self, request: Embed) -> Reply[Vectors]:
        return Reply(value=await self._next(request), tokens_in=10)

    async def _next(self, request: Request[Any]) -> Any:
        await self._hear(request)
        try:
            answer = next(self._answers)
        except StopIteration:
            raise UsageError(
                f"The script has no answer left for request {len(self.asked)}."
            ) from None
        if isinstance(answer, BaseException):
            raise answer
        return answer


PROMPT = Prompt(system="You answer in one word.", user="What is milk?")
OPTIONS = ("drink", "drink made of oats", "bread")
SCHEMA = {
    "type": "object",
    "properties": {"kind": {"type": "string", "enum": ["drink", "bread"]}},
    "required": ["kind"],
    "additionalProperties": False,
}


class BackendKit:
    """What every backend must do. `make` gives one, ready; what it cannot do it must say."""

    def make(self) -> Backend:
        """A backend."""
        raise TypeError(f"{type(self).__name__} must define `make()`")

    def ask(self, *requests: Request[Any]) -> list[Reply[Any]]:
        """The answers, asked side by side on one loop; skips what the backend says it cannot."""

        async def all_of() -> list[Reply[Any]]:
            backend = self.make()
            try:
                return list(await asyncio.gather(*(r.send(backend) for r in requests)))
            finally:
                await backend.close()

        try:
            return asyncio.run(all_of())
        except LLMUnavailable as error:
            if "cannot score" in str(error) or "does not embed" in str(error):
                pytest.skip(str(error))
            raise

    def test_text_comes_with_its_usage(self) -> None:
        (reply,) = self.ask(Complete(prompt=PROMPT, max_tokens=4))
        assert isinstance(reply.value, str)
        assert reply.tokens_in + reply.tokens_out > 0
        assert reply.took_ms > 0

    def test_a_schema_gives_one_json_document(self) -> None:
        (reply,) = self.ask(Complete(prompt=PROMPT, max_tokens=400, schema=SCHEMA))
        assert isinstance(json.loads(reply.value), dict)

    def test_a_choice_is_one_of_the_options(self) -> None:
        (reply,) = self.ask(Choose(prompt=PROMPT, options=OPTIONS))
        assert reply.value.index in range(len(OPTIONS))
        if reply.value.probabilities is not None:
            assert sum(reply.value.probabilities) == pytest.approx(1.0)
            assert max(reply.value.probabilities) == reply.value.probabilities[reply.value.index]

    def test_a_score_is_the_same_alone_and_among_others(self) -> None:
        texts = ("drink", "drink made of oats", "bread")
        together, alone = self.ask(
            Score(prompt=PROMPT, continuations=texts),
            Score(prompt=PROMPT, continuations=texts[2:]),
        )
        assert len(together.value) == len(texts)
        assert all(value < 0 for value in together.value)
        assert together.value[2] == pytest.approx(alone.value[0], abs=0.05)

    def test_vectors_have_one_length_and_keep_the_order(self) -> None:
        both, second = self.ask(Embed(texts=("milk", "rye bread")), Embed(texts=("rye bread",)))
        assert len({len(row) for row in both.value}) == 1
        assert both.value[1] == pytest.approx(second.value[0], abs=0.05)

    def test_many_at_once_come_back_in_their_places(self) -> None:
        options = [(*OPTIONS, f"option {n}") for n in range(5)]
        replies = self.ask(*(Choose(prompt=PROMPT, options=some) for some in options))
        assert all(reply.value.index < 4 for reply in replies)
