"""The backend for servers, against llama.cpp's own server, and against ones that misbehave."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from tests.llm.servers import KEY, Running

from recprism.errors import LLMUnavailable, MissingExtra
from recprism.llm import served
from recprism.llm.requests import Choose, Complete, Embed, Prompt, Score
from recprism.llm.served import ServedBackend
from recprism.testing.llms import PROMPT, SCHEMA, BackendKit

pytest.importorskip("openai", reason="needs the extra `llm`")
pytest.importorskip("stamina", reason="needs the extra `llm`")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.setattr(served, "LONGEST_WAIT_S", 0.01)


class TestRealServer(BackendKit):
    """Of the kit, all but vectors, which need a server of their own."""

    test_vectors_have_one_length_and_keep_the_order = None  # type: ignore[assignment]

    @pytest.fixture(autouse=True)
    def _server(self, running: Running) -> None:
        self.running = running

    def make(self) -> ServedBackend:
        return ServedBackend(self.running.model, self.running.base_url, key_env="MY_KEY")


class TestRealEmbeddingServer(BackendKit):
    """Of the kit, what is about vectors."""

    test_text_comes_with_its_usage = None  # type: ignore[assignment]
    test_a_schema_gives_one_json_document = None  # type: ignore[assignment]
    test_a_choice_is_one_of_the_options = None  # type: ignore[assignment]
    test_many_at_once_come_back_in_their_places = None  # type: ignore[assignment]

    @pytest.fixture(autouse=True)
    def _server(self, embedding: Running) -> None:
        self.running = embedding

    def make(self) -> ServedBackend:
        return ServedBackend(self.running.model, self.running.base_url, key_env="MY_KEY")


def test_a_wrong_key_is_told_without_the_servers_words(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "another")
    with pytest.raises(LLMUnavailable, match=r"failed: AuthenticationError, status 401\.$"):
        ask(running.base_url, lambda b: b.complete(Complete(prompt=PROMPT)))


Answer = tuple[int, dict[str, str], object]


class Script:
    """What a server answers, request by request; the last answer is repeated."""

    def __init__(self, *answers: Answer) -> None:
        self.answers, self.asked = list(answers), list[dict[str, Any]]()
        self.most_at_once = self._now = 0
        self._lock = threading.Lock()
        self.delay = threading.Event()

    def answer(self, body: dict[str, Any]) -> Answer:
        with self._lock:
            self.asked.append(body)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        self.delay.wait(0.05)
        with self._lock:
            self._now -= 1
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def said(text: object, usage: bool = True) -> Answer:
    """A proper answer with `text`."""
    message = {"role": "assistant", "content": text}
    body: dict[str, Any] = {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
    }
    if usage:
        body["usage"] = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
    return 200, {}, body


def failed(status: int, **headers: str) -> Answer:
    """A failure, whose words repeat the prompt."""
    return status, headers, {"error": {"message": "cannot answer What is milk?", "code": status}}


@contextmanager
def serving(script: Script) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, headers, answer = script.answer(body)
            content = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ask(base_url: str, work: Callable[[ServedBackend], Awaitable[Any]], **settings: Any) -> Any:
    async def run() -> Any:
        backend = ServedBackend("m", base_url, key_env="MY_KEY", **settings)
        try:
            return await work(backend)
        finally:
            await backend.close()

    return asyncio.run(run())


def test_failures_that_may_pass_are_tried_again() -> None:
    script = Script(failed(429, retry_after="0.01"), failed(503), said("a drink"))
    with serving(script) as url:
        reply = ask(url, lambda b: b.complete(Complete(prompt=PROMPT, stop=("\n",))))
    assert (reply.value, reply.tokens_in, reply.tokens_out) == ("a drink", 7, 2)
    assert len(script.asked) == 3
    assert script.asked[0]["stop"] == ["\n"]


def test_it_gives_up_after_three_times_and_does_not_repeat_what_it_sent() -> None:
    script = Script(failed(500))
    with serving(script) as url, pytest.raises(LLMUnavailable) as caught:
        ask(url, lambda b: b.complete(Complete(prompt=PROMPT)))
    assert len(script.asked) == 3
    assert str(caught.value) == f"`{url}` failed: InternalServerError, status 500."


def test_what_will_not_pass_is_not_tried_again() -> None:
    script = Script(failed(404))
    with serving(script) as url, pytest.raises(LLMUnavailable, match="NotFoundError, status 404"):
        ask(url, lambda b: b.complete(Complete(prompt=PROMPT)))
    assert len(script.asked) == 1


def test_nobody_there_is_told() -> None:
    with pytest.raises(LLMUnavailable, match="failed: APIConnectionError"):
        ask("http://127.0.0.1:9/v1", lambda b: b.complete(Complete(prompt=PROMPT)))


def test_a_server_that_refuses_schemas_is_asked_in_words_from_then_on() -> None:
    script = Script(failed(400), said('```json\n{"kind": "drink"}\n```'))
    request = Complete(prompt=PROMPT, schema=SCHEMA)

    async def twice(backend: ServedBackend) -> tuple[str, str]:
        first = await backend.complete(request)
        second = await backend.complete(request)
        return first.value, second.value

    with serving(script) as url:
        assert ask(url, twice) == ('{"kind": "drink"}',) * 2
    forms = ["response_format" in body for body in script.asked]
    assert forms == [True, False, False]
    assert '"enum": ["drink", "bread"]' in script.asked[1]["messages"][-1]["content"]


def test_a_server_that_ignores_schemas_is_asked_in_words() -> None:
    script = Script(said("It is a drink."), said('{"kind": "drink"}'))
    with serving(script) as url:
        reply = ask(url, lambda b: b.complete(Complete(prompt=PROMPT, schema=SCHEMA)))
    assert json.loads(reply.value) == {"kind": "drink"}


def test_prose_instead_of_json_is_no_answer() -> None:
    with (
        serving(Script(said("It is a drink."))) as url,
        pytest.raises(LLMUnavailable, match="no complete JSON document"),
    ):
        ask(url, lambda b: b.complete(Complete(prompt=PROMPT, schema=SCHEMA)))


@pytest.mark.parametrize("text", ['{"choice": "wine"}', '{"kind": "bread"}', '["bread"]'])
def test_a_choice_of_something_else_is_no_answer(text: str) -> None:
    request = Choose(prompt=PROMPT, options=("milk", "bread"))
    with (
        serving(Script(said(text))) as url,
        pytest.raises(LLMUnavailable, match="`m` chose none of the options"),
    ):
        ask(url, lambda b: b.choose(request))


def test_a_choice_says_its_place() -> None:
    script = Script(said('{"choice": "bread"}', usage=False))
    with serving(script) as url:
        reply = ask(url, lambda b: b.choose(Choose(prompt=PROMPT, options=("milk", "bread"))))
    assert (reply.value.index, reply.value.probabilities, reply.tokens_in) == (1, None, 0)


@pytest.mark.parametrize("text", ["", None])
def test_an_empty_answer_is_none(text: object) -> None:
    with (
        serving(Script(said(text))) as url,
        pytest.raises(LLMUnavailable, match="answered without any text"),
    ):
        ask(url, lambda b: b.complete(Complete(prompt=PROMPT)))


def test_missing_vectors_are_noticed() -> None:
    row = {"object": "embedding", "index": 0, "embedding": [0.5, 1.0]}
    body = {"object": "list", "model": "m", "data": [row], "usage": None}
    with serving(Script((200, {}, body))) as url:
        reply = ask(url, lambda b: b.embed(Embed(texts=("a",))))
        assert reply.value == ((0.5, 1.0),)
        with pytest.raises(LLMUnavailable, match="sent 1 vectors for 2 texts"):
            ask(url, lambda b: b.embed(Embed(texts=("a", "b"))))


def test_no_more_requests_at_once_than_allowed() -> None:
    script = Script(said("a drink"))

    async def many(backend: ServedBackend) -> None:
        requests = [Complete(prompt=Prompt(user=f"{n}")) for n in range(8)]
        await asyncio.gather(*map(backend.complete, requests))

    with serving(script) as url:
        ask(url, many, concurrency=2)
    assert len(script.asked) == 8
    assert script.most_at_once <= 2


def test_scores_are_not_in_the_protocol() -> None:
    request = Score(prompt=PROMPT, continuations=("a", "b"))
    with pytest.raises(LLMUnavailable, match=r"cannot score 2 given texts.*`backend: embedded`"):
        ask("http://127.0.0.1:9/v1", lambda b: b.score(request))


def test_a_key_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_KEY")
    with pytest.raises(LLMUnavailable, match="environment variable `MY_KEY` is not set"):
        ServedBackend("m", "http://127.0.0.1:9/v1", key_env="MY_KEY")


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(MissingExtra, match=r"needs the package `openai`.*recprism\[llm\]"):
        ServedBackend("m", "http://127.0.0.1:9/v1")
