"""A model behind a server: anything that speaks OpenAI's protocol, through the `openai` client.

vLLM, Ollama, llama.cpp and hosted services do. Structured answers are asked by JSON schema; a
server that does not know them is asked in words, and its answer is checked. Failures that may pass
(no connection, too many requests, errors of the server) are tried again after a growing, random
wait. The protocol has no likelihood of a given text, so `score` is not supported.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from recprism.errors import LLMUnavailable, MissingExtra
from recprism.llm.backend import check_json
from recprism.llm.requests import Choice, Choose, Complete, Embed, Prompt, Reply, Score

if TYPE_CHECKING:
    from openai import AsyncOpenAI

T = TypeVar("T")
TIMEOUT_S = 60.0
ATTEMPTS = 3
LONGEST_WAIT_S = 5.0
_FENCED = re.compile(r"^\s*```(?:json)?\s*(.*?)\s*```\s*$", re.DOTALL)


class _Refused(LLMUnavailable):
    """The server took the request for malformed, as those do that know no schemas."""


class ServedBackend:
    """A model at `base_url`. `key_env` names the environment variable with the key, if one is
    needed; at most `concurrency` requests are under way at once.

    Raises `MissingExtra` without the packages and `LLMUnavailable` when the variable is not set.
    """

    def __init__(
        self,
        model: str,
        base_url: str,
        *,
        key_env: str | None = None,
        concurrency: int = 8,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.model, self.base_url = model, base_url
        self._client = _connect(base_url, _key(key_env), timeout_s)
        self._turn = asyncio.Semaphore(concurrency)
        self._knows_schemas = True

    async def complete(self, request: Complete) -> Reply[str]:
        start = perf_counter()
        if request.schema is None:
            answer = await self._chat(request, request.prompt)
            return _reply(_text(answer), answer, start)
        answer = await self._structured(request, request.schema)
        return _reply(check_json(_unwrap(_text(answer))), answer, start)

    async def choose(self, request: Choose) -> Reply[Choice]:
        """The option that the model names; without probabilities."""
        options = list(request.options)
        listed = json.dumps(options, ensure_ascii=False)
        longest = max(len(option.encode()) for option in options)
        user = f"{request.prompt.user}\n\nChoose exactly one of these options: {listed}"
        named: dict[str, Any] = {"type": "string", "enum": options}
        schema = {
            "type": "object",
            "properties": {"choice": named},
            "required": ["choice"],
            "additionalProperties": False,
        }
        prompt = Prompt(system=request.prompt.system, user=user, fields=request.fields)
        reply = await self.complete(
            Complete(prompt=prompt, schema=schema, max_tokens=2 * longest + 32)
        )
        found = json.loads(reply.value)
        choice = found.get("choice") if isinstance(found, dict) else found
        if choice not in options:
            raise LLMUnavailable(
                f"The model `{self.model}` chose none of the options it was given."
            )
        return Reply(
            value=Choice(index=options.index(choice)),
            tokens_in=reply.tokens_in,
            tokens_out=reply.tokens_out,
            took_ms=reply.took_ms,
        )

    async def score(self, request: Score) -> Reply[tuple[float, ...]]:
        raise LLMUnavailable(
            f"The backend `openai` cannot score {len(request.continuations)} given texts: its "
            "protocol has no likelihoods of them. Use `backend: embedded`, or let it choose."
        )

    async def embed(self, request: Embed) -> Reply[tuple[tuple[float, ...], ...]]:
        start = perf_counter()
        answer = await self._try(
            lambda: self._client.embeddings.create(
                model=self.model, input=list(request.texts), encoding_format="float"
            )
        )
        rows = sorted(answer.data, key=lambda row: row.index)
        if len(rows) != len(request.texts):
            raise LLMUnavailable(
                f"`{self.base_url}` sent {len(rows)} vectors for {len(request.texts)} texts."
            )
        vectors = tuple(tuple(map(float, row.embedding)) for row in rows)
        used = answer.usage.prompt_tokens if answer.usage else 0
        return Reply(value=vectors, tokens_in=used, took_ms=(perf_counter() - start) * 1000)

    async def close(self) -> None:
        await self._client.close()

    async def _structured(self, request: Complete, schema: Mapping[str, Any]) -> Any:
        """An answer by schema, or in words where the server knows no schemas or ignores them."""
        if self._knows_schemas:
            form = {"name": "answer", "strict": True, "schema": dict(schema)}
            wanted = {"response_format": {"type": "json_schema", "json_schema": form}}
            try:
                answer = await self._chat(request, request.prompt, **wanted)
            except _Refused:
                self._knows_schemas = False
            else:
                if _is_json(_text(answer)):
                    return answer
        words = json.dumps(schema, ensure_ascii=False)
        user = (
            f"{request.prompt.user}\n\nAnswer with one JSON document of this schema only: {words}"
        )
        prompt = Prompt(system=request.prompt.system, user=user, fields=request.fields)
        return await self._chat(request, prompt)

    async def _chat(self, request: Complete, prompt: Prompt, **more: Any) -> Any:
        messages = [{"role": "system", "content": prompt.system}] if prompt.system else []
        messages.append({"role": "user", "content": prompt.user})
        if request.stop:
            more["stop"] = list(request.stop)
        create: Any = self._client.chat.completions.create
        return await self._try(
            lambda: create(
                model=self.model,
                messages=messages,
                max_tokens=request.max_tokens,
                temperature=request.temperature,
                **more,
            )
        )

    async def _try(self, send: Callable[[], Awaitable[T]]) -> T:
        """What `send` brings, tried again while the failure may pass."""
        import openai
        import stamina

        # A context, not `stamina.retry`: that one logs the arguments, which hold the prompt.
        retries = stamina.retry_context(
            on=_may_pass, attempts=ATTEMPTS, timeout=None, wait_max=LONGEST_WAIT_S
        )
        try:
            async with self._turn:
                async for attempt in retries:
                    with attempt:
                        return await send()
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            raise _Refused(f"`{self.base_url}` refused: {_said(error)}.") from error
        except openai.APIError as error:
            raise LLMUnavailable(f"`{self.base_url}` failed: {_said(error)}.") from error
        raise LLMUnavailable(f"`{self.base_url}` was not asked.")


def _connect(base_url: str, key: str, timeout_s: float) -> AsyncOpenAI:
    try:
        import stamina  # noqa: F401
        from openai import AsyncOpenAI
    except ImportError as error:
        raise MissingExtra("llm", error.name or "openai", "A language model server") from error
    return AsyncOpenAI(base_url=base_url, api_key=key, timeout=timeout_s, max_retries=0)


def _key(key_env: str | None) -> str:
    if key_env is None:
        return "none"
    key = os.environ.get(key_env, "")
    if not key:
        raise LLMUnavailable(
            f"The environment variable `{key_env}` is not set; `llm.key_env` says that the key of "
            "the language model server is there."
        )
    return key


def _may_pass(error: Exception) -> bool | float:
    """Whether to try again, or after how many seconds where the server says so."""
    import openai

    if isinstance(error, openai.RateLimitError):
        asked = error.response.headers.get("retry-after", "")
        return min(float(asked), LONGEST_WAIT_S) if re.fullmatch(r"\d+(\.\d+)?", asked) else True
    return isinstance(error, openai.APIConnectionError | openai.InternalServerError)


def _said(error: Exception) -> str:
    """The kind of failure; a server's own words may repeat the prompt."""
    status = getattr(error, "status_code", None)
    return type(error).__name__ + (f", status {status}" if status else "")


def _text(answer: Any) -> str:
    content = answer.choices[0].message.content if answer.choices else None
    if not content:
        raise LLMUnavailable("The model answered without any text.")
    return str(content)


def _unwrap(text: str) -> str:
    """JSON out of the code fence that models like to put it in."""
    found = _FENCED.match(text)
    return found[1] if found else text


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _reply(text: str, answer: Any, start: float) -> Reply[str]:
    usage = answer.usage
    return Reply(
        value=text,
        tokens_in=usage.prompt_tokens if usage else 0,
        tokens_out=usage.completion_tokens if usage else 0,
        took_ms=(perf_counter() - start) * 1000,
    )
