"""Requests and what their answers mean, apart from how they are sent.

In come arguments, out go `Call`s; in come responses, out go records or `ServiceError`. Both clients
are made of this, so that they cannot differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote

import httpx2 as httpx
from pydantic import BaseModel, ValidationError

from recprism.errors import ServiceError
from recprism.records import Event
from recprism.serve.shapes import (
    AnswerOut,
    ArtifactsOut,
    EventsResult,
    ExperimentsOut,
    ItemDeleted,
    ItemPage,
    ItemPut,
    KeyMade,
    KeysOut,
    OutcomesOut,
    Role,
    SimilarOut,
    TaskOut,
    TasksOut,
    UserPage,
)

M = TypeVar("M", bound=BaseModel)
USUAL_URL: Final = "http://127.0.0.1:8000"
TIMEOUT_S: Final = 10.0
TRIES: Final = 3
"""So often a request is sent that does no harm when it is sent twice."""
LONGEST_WAIT_S: Final = 5.0
_AGAIN: Final = (429, 503)


class Anything(BaseModel):
    """A document that has no shape of its own here."""

    model_config = {"extra": "allow"}


@dataclass(frozen=True)
class Call(Generic[M]):
    """One request. `is_safe` says that sending it twice does what sending it once does."""

    shape: type[M]
    method: str
    path: str
    body: Any = None
    query: Mapping[str, Any] | None = None
    is_safe: bool = True

    def result(self, response: httpx.Response) -> M:
        """What the answer holds. Raises `ServiceError`."""
        if not response.is_success:
            raise error_of(response)
        try:
            return self.shape.model_validate_json(response.content)
        except ValidationError as error:
            message = f"The answer has another shape than expected: {error}."
            raise ServiceError(response.status_code, "unexpected-answer", message) from error

    def wait_s(self, tried: int, response: httpx.Response | None) -> float | None:
        """How long to wait before another try; None where the last one counts."""
        if not self.is_safe or tried >= TRIES:
            return None
        if response is None:
            return 0.1 * 2.0**tried
        if response.status_code not in _AGAIN:
            return None
        return min(LONGEST_WAIT_S, _retry_after(response) or 0.1 * 2.0**tried)


def error_of(response: httpx.Response) -> ServiceError:
    """The error that a response tells."""
    try:
        said = response.json()["error"]
        known = {name: said.get(name) for name in ("field", "hint", "request_id")}
        code, message = said["code"], said["message"]
    except (ValueError, KeyError, TypeError, AttributeError):
        code, message = "no-service", f"There is no RecPrism at {response.url.host}."
        known = {}
    wait = _retry_after(response)
    return ServiceError(response.status_code, code, message, **known, retry_after_s=wait)


def unreachable(error: httpx.TransportError, url: str) -> ServiceError:
    """The error of a service that did not answer."""
    said = str(error) or type(error).__name__
    return ServiceError(0, "unreachable", f"`{url}` does not answer ({said}).")


def headers_of(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Authorization": f"Bearer {key}"}


def _retry_after(response: httpx.Response) -> float | None:
    written = str(response.headers.get("Retry-After", ""))
    return float(written) if written.isdigit() else None


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def lists(
    user: str | None,
    tasks: Sequence[str] | None,
    size: int | None,
    query: str | None,
    context: Mapping[str, Any] | None,
    at: str | None,
    events: Sequence[Event],
    *,
    explain: bool,
    record: bool,
) -> Call[AnswerOut]:
    body = _given(user=user, tasks=tasks, size=size, query=query, context=context, at=at)
    body |= {"explain": explain, "record": record}
    if events:
        body["events"] = [_supposed(event) for event in events]
    # Recorded twice, a list would count twice for caps.
    return Call(AnswerOut, "POST", "/v1/lists", body, is_safe=not record)


def _supposed(event: Event) -> dict[str, Any]:
    """An event that nobody did, as the service takes it."""
    names = ("kind", "item", "action", "time", "value", "context")
    return {name: value for name, value in row_of(event).items() if name in names}


def ask(
    query: str, user: str | None, tasks: Sequence[str] | None, size: int | None
) -> Call[AnswerOut]:
    body = _given(query=query, user=user, tasks=tasks, size=size)
    return Call(AnswerOut, "POST", "/v1/ask", body, is_safe=False)


def send(events: Sequence[Event]) -> Call[EventsResult]:
    rows = [row_of(event) for event in events]
    is_safe = all(event.idempotency_key is not None for event in events)
    return Call(EventsResult, "POST", "/v1/events", rows, is_safe=is_safe)


def row_of(event: Event) -> dict[str, Any]:
    """An event as the service takes it."""
    names = ("user", "kind", "item", "action", "value", "session", "offer", "request_id", "slot")
    row = _given(**{name: getattr(event, name) for name in (*names, "idempotency_key")})
    if event.time is not None:
        row["time"] = event.time.isoformat()
    if event.context:
        row["context"] = dict(event.context)
    return row


def profile(user: str) -> Call[Anything]:
    return Call(Anything, "GET", f"/v1/users/{_part(user)}/profile")


def similar(kind: str, item: str, n: int) -> Call[SimilarOut]:
    path = f"/v1/items/{_part(kind)}/{_part(item)}/similar"
    return Call(SimilarOut, "GET", path, query={"limit": n})


def classify(kind: str, text: str) -> Call[Anything]:
    return Call(Anything, "POST", "/v1/classify", {"kind": kind, "text": text})


def users(query: str, cursor: str | None) -> Call[UserPage]:
    return Call(UserPage, "GET", "/v1/users", query=_given(query=query, cursor=cursor))


def items(kind: str, query: str, cursor: str | None) -> Call[ItemPage]:
    path = f"/v1/items/{_part(kind)}"
    return Call(ItemPage, "GET", path, query=_given(query=query, cursor=cursor))


def put_item(
    kind: str,
    item: str,
    text: str,
    title: str | None,
    labels: Mapping[str, str] | None,
    numbers: Mapping[str, float] | None,
) -> Call[ItemPut]:
    body = _given(text=text, title=title, labels=labels, numbers=numbers)
    return Call(ItemPut, "PUT", f"/v1/items/{_part(kind)}/{_part(item)}", body)


def delete_item(kind: str, item: str) -> Call[ItemDeleted]:
    return Call(ItemDeleted, "DELETE", f"/v1/items/{_part(kind)}/{_part(item)}")


def tasks() -> Call[TasksOut]:
    return Call(TasksOut, "GET", "/v1/tasks")


def change_task(name: str, changes: Mapping[str, Any], reset: Sequence[str]) -> Call[TaskOut]:
    body = {**changes, "reset": list(reset)}
    return Call(TaskOut, "PATCH", f"/v1/tasks/{_part(name)}", body)


def outcomes(days: int, window_days: int) -> Call[OutcomesOut]:
    query = {"days": days, "window_days": window_days}
    return Call(OutcomesOut, "GET", "/v1/outcomes", query=query)


def experiments(days: int) -> Call[ExperimentsOut]:
    return Call(ExperimentsOut, "GET", "/v1/experiments", query={"days": days})


def artifacts() -> Call[ArtifactsOut]:
    return Call(ArtifactsOut, "GET", "/v1/artifacts")


def pin(artifact: str) -> Call[ArtifactsOut]:
    return Call(ArtifactsOut, "PUT", "/v1/artifacts/pinned", {"id": artifact})


def unpin() -> Call[ArtifactsOut]:
    return Call(ArtifactsOut, "DELETE", "/v1/artifacts/pinned")


def keys() -> Call[KeysOut]:
    return Call(KeysOut, "GET", "/v1/keys")


def create_key(role: Role, name: str) -> Call[KeyMade]:
    return Call(KeyMade, "POST", "/v1/keys", {"role": role, "name": name}, is_safe=False)


def revoke_key(key_id: str) -> Call[KeysOut]:
    return Call(KeysOut, "DELETE", f"/v1/keys/{_part(key_id)}")


def _part(outside: str) -> str:
    """An id as a part of an address."""
    return quote(outside, safe="")
