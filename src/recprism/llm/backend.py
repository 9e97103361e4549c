"""The interface of a backend: something that answers requests, over one loaded or remote model.

Calls are async and may run side by side; a backend limits by itself how many do. It raises
`LLMUnavailable` for what it cannot do or did not get; deadlines, budgets, caching and the audit log
are not its business.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TypeVar

from recprism.errors import LLMUnavailable
from recprism.llm.requests import Choice, Choose, Complete, Embed, Reply, Score

T = TypeVar("T")


class Backend(Protocol):
    """One model. Every method raises `LLMUnavailable`; unsupported requests say so in it."""

    async def complete(self, request: Complete) -> Reply[str]:
        """Text that follows the prompt, one JSON document when the request has a schema."""
        ...

    async def choose(self, request: Choose) -> Reply[Choice]:
        """One of the options."""
        ...

    async def score(self, request: Score) -> Reply[tuple[float, ...]]:
        """The log-likelihood of each continuation."""
        ...

    async def embed(self, request: Embed) -> Reply[tuple[tuple[float, ...], ...]]:
        """One vector per text."""
        ...

    async def close(self) -> None:
        """Let go of connections and memory."""
        ...


async def in_thread(work: Callable[[], T]) -> T:
    """The result of blocking `work`, done on a thread that nobody has to wait for.

    The loop's own executor joins its threads when the process ends, so that one hanging call would
    keep it from ending.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, fault = None, None
        try:
            result = work()
        except BaseException as error:
            fault = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, fault)

    threading.Thread(target=run, name="recprism-llm-call", daemon=True).start()
    return await done


def check_json(text: str) -> str:
    """`text` if it is one JSON document. Raises `LLMUnavailable`, such as when it was cut off."""
    with suppress(ValueError):
        json.loads(text)
        return text.strip()
    raise LLMUnavailable(
        "The model's answer is no complete JSON document; allow it more tokens, or use another one."
    )
