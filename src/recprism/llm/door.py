"""The door: the one way to a language model, with a deadline, a budget and an account.

In comes a request for a role, out comes an `Outcome`, always, and by the role's deadline; never an
exception. Requests run on one loop of its own in a daemon thread, so a backend that hangs, or that
blocks that loop, keeps nobody waiting. In order: switched off? in the cache? within the budget?
ask; note what it cost.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, is_dataclass
from time import perf_counter
from typing import Any, TypeVar

from recprism.errors import LLMUnavailable, RecPrismError, UsageError
from recprism.llm.backend import Backend, in_thread
from recprism.llm.ledger import Budget, Call, Ledger
from recprism.llm.prompts import render
from recprism.llm.redact import redact
from recprism.llm.requests import Outcome, Prompt, Reply, Request, State, content_of, hash_text

T = TypeVar("T")
_log = logging.getLogger(__name__)
GRACE_S = 0.001
"""How long after its deadline a call may still hand over that it was late."""
_CLOSED = "the language model was closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """How one use of the model is run; `deadline_s` None waits as long as the backend does."""

    model: str
    deadline_s: float | None = None
    budget: Budget | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a model costs per million tokens, in the operator's currency."""

    input: float = 0.0
    output: float = 0.0

    def of(self, tokens_in: int, tokens_out: int) -> float:
        return (tokens_in * self.input + tokens_out * self.output) / 1e6


class Door:
    """Asks models for roles. `open_backend` makes the backend of a model when it is first needed.

    A role that is not in `roles` is off. Only `fields` reach a prompt. `on_outcome` is told role
    and state of every question, for metrics. Safe to share between threads.
    """

    def __init__(
        self,
        open_backend: Callable[[str], Backend],
        roles: Mapping[str, Role],
        *,
        name: str,
        ledger: Ledger | None = None,
        fields: Sequence[str] = (),
        prices: Mapping[str, Price] | None = None,
    ) -> None:
        self.name, self.roles, self.fields = name, dict(roles), frozenset(fields)
        self.ledger = ledger or Ledger(None)
        self.on_outcome: Callable[[str, State], None] | None = None
        self._open_backend, self._prices = open_backend, dict(prices or {})
        self._backends: dict[str, asyncio.Task[Backend]] = {}
        self._loop = _Loop()

    def prompt(self, name: str, facts: Mapping[str, Any], **texts: str) -> Prompt:
        """The prompt `name` over those facts that the project allows; `texts` are our own words."""
        return render(name, facts, self.fields, **texts)

    def ask(self, role: str, request: Request[T], *, subject: str | None = None) -> Outcome[T]:
        """The outcome of one request, by the role's deadline.

        `subject` names the person that the answer is about, so that `forget` finds it; it is kept
        as a hash and sent nowhere.
        """
        return self.ask_many(role, [request], subject=subject)[0]

    def ask_many(
        self,
        role: str,
        requests: Sequence[Request[T]],
        *,
        subject: str | None = None,
        since: float | None = None,
    ) -> list[Outcome[T]]:
        """The outcomes of several requests side by side, in their order, by one deadline.

        It counts from `since` (of `perf_counter`), for callers whose preparations take a while.
        """
        settings = self.roles.get(role)
        if settings is None:
            return [Outcome(state="off", why=f"the role `{role}` is off") for _ in requests]
        if self._loop.is_mine():
            raise UsageError("A backend must not ask the door that asks it.")
        if self._loop.stopped:
            return [Outcome(state="unavailable", why=_CLOSED) for _ in requests]
        start = perf_counter() if since is None else since
        end = None if settings.deadline_s is None else start + settings.deadline_s
        futures = [
            self._loop.start(self._settled(role, settings, request, subject, end))
            for request in requests
        ]
        limit = None if end is None else end + GRACE_S
        outcomes = [_wait(future, limit) for future in futures]
        if self.on_outcome is not None:
            for outcome in outcomes:
                self.on_outcome(role, outcome.state)
        return outcomes

    async def ask_async(
        self, role: str, request: Request[T], *, subject: str | None = None
    ) -> Outcome[T]:
        """As `ask`, for callers with a loop of their own, which is never blocked."""
        return await in_thread(lambda: self.ask(role, request, subject=subject))

    def forget(self, subject: str) -> int:
        """Drop the cached answers about a person; returns how many."""
        return self.ledger.forget(hash_text(subject))

    def judged(self, role: str, *, accepted: int, refused: int) -> None:
        """Note how many answers of a role were good enough to be shown; waits for nothing."""
        settings = self.roles.get(role)
        if settings is not None and accepted + refused and not self._loop.stopped:
            self._loop.start(self._judge(role, settings.model, accepted, refused))

    async def _judge(self, role: str, model: str, accepted: int, refused: int) -> None:
        with _telling():
            self.ledger.judge(role, model, accepted, refused)

    def close(self) -> None:
        """Close the backends and the loop; calls under way end as `unavailable`."""
        if self._loop.stopped:
            return
        with suppress(FutureTimeout, CancelledError):
            self._loop.start(self._close_backends()).result(timeout=1.0)
        self._loop.stop()
        self.ledger.close()

    async def _close_backends(self) -> None:
        for task in self._backends.values():
            if task.done() and not task.cancelled() and task.exception() is None:
                await task.result().close()

    async def _settled(
        self,
        role: str,
        settings: Role,
        request: Request[T],
        subject: str | None,
        end: float | None,
    ) -> Outcome[T]:
        try:
            return await self._ask(role, settings, request, subject, end)
        except Exception as error:
            return Outcome(state="unavailable", why=_said(error))

    async def _ask(
        self,
        role: str,
        settings: Role,
        request: Request[T],
        subject: str | None,
        end: float | None,
    ) -> Outcome[T]:
        clean = request.map(redact)
        content = content_of(clean)
        call = self._call(role, settings.model, clean, content)
        key = hash_text(self.name, settings.model, content)
        kept = self.ledger.cached(call, key)
        if kept is not None:
            return Outcome(state="used", value=clean.read(json.loads(kept)), cached=True)
        number = self.ledger.begin(call, settings.budget)
        if number is None:
            return Outcome(state="budget", why=f"the budget of the role `{role}` is spent")
        outcome = await self._send(settings, clean, number, end)
        if outcome.value is not None:
            about = None if subject is None else hash_text(subject)
            with _telling():
                self.ledger.keep(key, _to_json(outcome.value), about)
        return outcome

    async def _send(
        self, settings: Role, request: Request[T], number: int, end: float | None
    ) -> Outcome[T]:
        """Ask the backend until `end` and close the call's row, however it ends."""
        start, usage = perf_counter(), None
        state: State = "deadline"
        try:
            async with asyncio.timeout(None if end is None else end - start) as limit:
                backend = await self._backend(settings.model)
                reply = await request.send(backend)
            state, usage = "used", self._usage(settings.model, reply)
            return Outcome(
                state="used",
                value=reply.value,
                tokens_in=usage[0],
                tokens_out=usage[1],
                took_ms=reply.took_ms,
                cost=usage[2],
            )
        except Exception as error:
            if limit.expired():
                return Outcome(state="deadline", why=f"no answer within {settings.deadline_s} s")
            state = "unavailable"
            return Outcome(state="unavailable", why=_said(error))
        finally:
            with _telling():
                self.ledger.end(number, state, usage, (perf_counter() - start) * 1000)

    async def _backend(self, model: str) -> Backend:
        """The backend of a model; opening goes on when its first caller has given up."""
        task = self._backends.get(model)
        failed = task is not None and task.done() and (task.cancelled() or task.exception())
        if task is None or failed:
            task = asyncio.ensure_future(in_thread(lambda: self._open_backend(model)))
            self._backends[model] = task
        return await asyncio.shield(task)

    def _call(self, role: str, model: str, request: Request[Any], content: Any) -> Call:
        tokens_in, tokens_out = request.estimate()
        return Call(
            role=role,
            request=content["kind"],
            backend=self.name,
            model=model,
            fields=request.fields,
            prompt_hash=hash_text(content),
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            cost=self.price(model).of(tokens_in, tokens_out),
        )

    def _usage(self, model: str, reply: Reply[Any]) -> tuple[int, int, float]:
        cost = self.price(model).of(reply.tokens_in, reply.tokens_out)
        return reply.tokens_in, reply.tokens_out, cost

    def price(self, model: str) -> Price:
        """What a model costs; nothing where the project does not say."""
        return self._prices.get(model, Price())


class _Loop:
    """An event loop in a daemon thread, started when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self.stopped = False

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run `work` on the loop. Raises `LLMUnavailable` when it was stopped."""
        with self._lock:
            if self.stopped:
                work.close()
                raise LLMUnavailable(_CLOSED)
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._run, args=(self._loop,), name="recprism-llm", daemon=True
                )
                self._thread.start()
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    def stop(self) -> None:
        """End the loop; a call that blocks it is left behind."""
        with self._lock:
            self.stopped = True
            if self._loop is not None and self._thread is not None:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join(timeout=1.0)

    def is_mine(self) -> bool:
        return threading.current_thread() is self._thread

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop) -> None:
        loop.run_forever()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def _wait(future: Future[Outcome[T]], end: float | None) -> Outcome[T]:
    try:
        return future.result(None if end is None else max(end - perf_counter(), 0.0))
    except FutureTimeout:  # the call's own timeout ends it, when its loop has time
        return Outcome(state="deadline", why="no answer within the deadline")
    except CancelledError:
        return Outcome(state="unavailable", why=_CLOSED)


@contextmanager
def _telling() -> Iterator[None]:
    """An answer that came is given, even when the disk filled meanwhile; the log is told."""
    try:
        yield
    except RecPrismError as error:
        _log.warning("%s", error)


def _said(error: BaseException) -> str:
    """An error in one line; what a server said may be long."""
    return " ".join((str(error) or type(error).__name__).split())[:300]


def _to_json(value: Any) -> str:
    return json.dumps(
        asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
    )
