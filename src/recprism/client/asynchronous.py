"""The client for programs with an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Self

import httpx2 as httpx

from recprism.client import calls
from recprism.client.calls import TIMEOUT_S, USUAL_URL, Call, M
from recprism.records import Event
from recprism.serve.shapes import (
    AnswerOut,
    ArtifactsOut,
    EventsResult,
    ExperimentOut,
    ItemPut,
    ItemRow,
    KeyMade,
    KeyRow,
    Near,
    OutcomeRow,
    Role,
    TaskOut,
)


class AsyncClient:
    """What `Client` is, to be awaited; use it in an `async with` block, or `await close()`."""

    def __init__(
        self, url: str = USUAL_URL, key: str | None = None, *, timeout_s: float = TIMEOUT_S
    ) -> None:
        self.url = url
        headers = calls.headers_of(key)
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=timeout_s)

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def lists(
        self,
        user: str | None = None,
        tasks: Sequence[str] | None = None,
        *,
        size: int | None = None,
        query: str | None = None,
        context: Mapping[str, Any] | None = None,
        at: str | None = None,
        events: Sequence[Event] = (),
        explain: bool = True,
        record: bool = True,
    ) -> AnswerOut:
        """Several lists with reasons, as `Engine.recommend` gives them; `events` are supposed."""
        call = calls.lists(
            user, tasks, size, query, context, at, events, explain=explain, record=record
        )
        return await self._run(call)

    async def ask(
        self,
        query: str,
        user: str | None = None,
        tasks: Sequence[str] | None = None,
        size: int | None = None,
    ) -> AnswerOut:
        """Lists for a wish in words; `wish` says how it was understood."""
        return await self._run(calls.ask(query, user, tasks, size))

    async def send(self, *events: Event) -> EventsResult:
        """Hand over what users did; it is on the service's disk when this returns.

        Sent again after a failure only where each event has an `idempotency_key`.
        """
        return await self._run(calls.send(events))

    async def profile(self, user: str) -> dict[str, Any]:
        """What is known of a user."""
        return (await self._run(calls.profile(user))).model_dump()

    async def similar(self, kind: str, item: str, n: int = 10) -> list[Near]:
        """The items nearest to one."""
        return (await self._run(calls.similar(kind, item, n))).items

    async def classify(self, kind: str, text: str) -> dict[str, Any]:
        """Labels of a text, with confidence."""
        return (await self._run(calls.classify(kind, text))).model_dump()

    async def users(self, query: str = "") -> AsyncIterator[str]:
        """Ids of users that hold `query`, in order, page after page."""
        cursor: str | None = ""
        while cursor is not None:
            page = await self._run(calls.users(query, cursor))
            cursor = page.cursor
            for user in page.users:
                yield user

    async def items(self, kind: str, query: str = "") -> AsyncIterator[ItemRow]:
        """Items of a kind with `query` in id or title, in order of id, page after page."""
        cursor: str | None = ""
        while cursor is not None:
            page = await self._run(calls.items(kind, query, cursor))
            cursor = page.cursor
            for item in page.items:
                yield item

    async def put_item(
        self,
        kind: str,
        item: str,
        text: str,
        *,
        title: str | None = None,
        labels: Mapping[str, str] | None = None,
        numbers: Mapping[str, float] | None = None,
    ) -> ItemPut:
        """Say what an item is; the next list may show it."""
        return await self._run(calls.put_item(kind, item, text, title, labels, numbers))

    async def delete_item(self, kind: str, item: str) -> None:
        """Show an item to nobody any more."""
        await self._run(calls.delete_item(kind, item))

    async def tasks(self) -> list[TaskOut]:
        """The tasks as they are served."""
        return (await self._run(calls.tasks())).tasks

    async def change_task(
        self, name: str, changes: Mapping[str, Any] | None = None, reset: Sequence[str] = ()
    ) -> TaskOut:
        """Change settings of a task without training, or go back to the project file's."""
        return await self._run(calls.change_task(name, changes or {}, reset))

    async def outcomes(self, days: int = 7, window_days: int = 7) -> list[OutcomeRow]:
        """Shows by task, slot and artifact, and after how many of them which action came."""
        return (await self._run(calls.outcomes(days, window_days))).rows

    async def experiments(self, days: int = 30) -> list[ExperimentOut]:
        """Users, shows and outcomes by experiment, task and arm, with differences."""
        return (await self._run(calls.experiments(days))).experiments

    async def artifacts(self) -> ArtifactsOut:
        """All artifacts, oldest first."""
        return await self._run(calls.artifacts())

    async def pin(self, artifact: str) -> ArtifactsOut:
        """Serve this artifact until `unpin`."""
        return await self._run(calls.pin(artifact))

    async def unpin(self) -> ArtifactsOut:
        """Serve the newest artifact again."""
        return await self._run(calls.unpin())

    async def keys(self) -> list[KeyRow]:
        """All keys, without their secrets."""
        return (await self._run(calls.keys())).keys

    async def create_key(self, role: Role, name: str = "") -> KeyMade:
        """Make a key, which is shown this once."""
        return await self._run(calls.create_key(role, name))

    async def revoke_key(self, key_id: str) -> list[KeyRow]:
        """Let a key open nothing any more."""
        return (await self._run(calls.revoke_key(key_id))).keys

    async def _run(self, call: Call[M]) -> M:
        tried = 0
        while True:
            tried += 1
            failure: httpx.TransportError | None = None
            response: httpx.Response | None = None
            try:
                response = await self._http.request(
                    call.method, call.path, json=call.body, params=call.query
                )
            except httpx.TransportError as error:
                failure = error
            wait = call.wait_s(tried, response)
            if wait is None and response is not None:
                return call.result(response)
            if wait is None:
                assert failure is not None
                raise calls.unreachable(failure, self.url) from failure
            await asyncio.sleep(wait)
