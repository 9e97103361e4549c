"""The client for programs without an event loop."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
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


class Client:
    """Speaks to the service at `url`, with a key unless it runs on this machine.

    Requests that may be sent twice are sent again where the service is busy or away for a moment.
    Every method raises `ServiceError`. Safe to share between threads; close it, or use it in a
    `with` block.
    """

    def __init__(
        self, url: str = USUAL_URL, key: str | None = None, *, timeout_s: float = TIMEOUT_S
    ) -> None:
        self.url = url
        headers = calls.headers_of(key)
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def lists(
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
        return self._run(call)

    def ask(
        self,
        query: str,
        user: str | None = None,
        tasks: Sequence[str] | None = None,
        size: int | None = None,
    ) -> AnswerOut:
        """Lists for a wish in words; `wish` says how it was understood."""
        return self._run(calls.ask(query, user, tasks, size))

    def send(self, *events: Event) -> EventsResult:
        """Hand over what users did; it is on the service's disk when this returns.

        Sent again after a failure only where each event has an `idempotency_key`.
        """
        return self._run(calls.send(events))

    def profile(self, user: str) -> dict[str, Any]:
        """What is known of a user."""
        return self._run(calls.profile(user)).model_dump()

    def similar(self, kind: str, item: str, n: int = 10) -> list[Near]:
        """The items nearest to one."""
        return self._run(calls.similar(kind, item, n)).items

    def classify(self, kind: str, text: str) -> dict[str, Any]:
        """Labels of a text, with confidence."""
        return self._run(calls.classify(kind, text)).model_dump()

    def users(self, query: str = "") -> Iterator[str]:
        """Ids of users that hold `query`, in order, page after page."""
        cursor: str | None = ""
        while cursor is not None:
            page = self._run(calls.users(query, cursor))
            cursor = page.cursor
            yield from page.users

    def items(self, kind: str, query: str = "") -> Iterator[ItemRow]:
        """Items of a kind with `query` in id or title, in order of id, page after page."""
        cursor: str | None = ""
        while cursor is not None:
            page = self._run(calls.items(kind, query, cursor))
            cursor = page.cursor
            yield from page.items

    def put_item(
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
        return self._run(calls.put_item(kind, item, text, title, labels, numbers))

    def delete_item(self, kind: str, item: str) -> None:
        """Show an item to nobody any more."""
        self._run(calls.delete_item(kind, item))

    def tasks(self) -> list[TaskOut]:
        """The tasks as they are served."""
        return self._run(calls.tasks()).tasks

    def change_task(
        self, name: str, changes: Mapping[str, Any] | None = None, reset: Sequence[str] = ()
    ) -> TaskOut:
        """Change settings of a task without training, or go back to the project file's."""
        return self._run(calls.change_task(name, changes or {}, reset))

    def outcomes(self, days: int = 7, window_days: int = 7) -> list[OutcomeRow]:
        """Shows by task, slot and artifact, and after how many of them which action came."""
        return self._run(calls.outcomes(days, window_days)).rows

    def experiments(self, days: int = 30) -> list[ExperimentOut]:
        """Users, shows and outcomes by experiment, task and arm, with differences."""
        return self._run(calls.experiments(days)).experiments

    def artifacts(self) -> ArtifactsOut:
        """All artifacts, oldest first."""
        return self._run(calls.artifacts())

    def pin(self, artifact: str) -> ArtifactsOut:
        """Serve this artifact until `unpin`."""
        return self._run(calls.pin(artifact))

    def unpin(self) -> ArtifactsOut:
        """Serve the newest artifact again."""
        return self._run(calls.unpin())

    def keys(self) -> list[KeyRow]:
        """All keys, without their secrets."""
        return self._run(calls.keys()).keys

    def create_key(self, role: Role, name: str = "") -> KeyMade:
        """Make a key, which is shown this once."""
        return self._run(calls.create_key(role, name))

    def revoke_key(self, key_id: str) -> list[KeyRow]:
        """Let a key open nothing any more."""
        return self._run(calls.revoke_key(key_id)).keys

    def _run(self, call: Call[M]) -> M:
        tried = 0
        while True:
            tried += 1
            failure: httpx.TransportError | None = None
            response: httpx.Response | None = None
            try:
                response = self._http.request(
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
            time.sleep(wait)
