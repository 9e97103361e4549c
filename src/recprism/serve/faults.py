"""Errors as responses: one shape for every route, without paths, secrets or tracebacks.

In comes an exception, out goes `{"error": {"code", "message", "field", "hint", "request_id"}}`.
What failed on our side is logged in full and told in general words.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from recprism.errors import (
    ArtifactError,
    DiskFull,
    LLMUnavailable,
    NotTrained,
    RecPrismError,
    StoreError,
    UnknownItem,
    UnknownName,
    nearest,
)

JSON = "application/json"
RETRY_S = 1
"""After how many seconds a client may try again when we could not serve it."""
MOST_NAMES = 20
_log = logging.getLogger(__name__)


class Refused(Exception):
    """A request that is answered with an error. `field` is the part of the request at fault."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        field: str | None = None,
        hint: str | None = None,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.field, self.hint = field, hint
        self.headers, self.more = dict(headers or {}), dict(more or {})

    def to_response(self, request_id: str) -> Response:
        error = {
            "code": self.code,
            "message": self.message,
            "field": self.field,
            "hint": self.hint,
            "request_id": request_id,
        }
        body = orjson.dumps({**self.more, "error": error})
        return Response(body, self.status, self.headers, media_type=JSON)


def unavailable(code: str, message: str, hint: str | None = None) -> Refused:
    """A 503 that says when to try again."""
    return Refused(503, code, message, hint=hint, headers={"Retry-After": str(RETRY_S)})


def internal() -> Refused:
    """What a fault of our own looks like from outside."""
    return Refused(
        500,
        "internal",
        "RecPrism failed by its own fault.",
        hint="The log has the details under this request id.",
    )


def refusal_of(error: RecPrismError, in_path: frozenset[str] = frozenset()) -> Refused:
    """The response to a mistake; names that stand `in_path` are not found, others are invalid."""
    if isinstance(error, UnknownName):
        code = f"unknown-{error.kind.split()[0]}"
        known = ", ".join(error.known[:MOST_NAMES]) or "none"
        hint = f"Did you mean `{error.nearest}`?" if error.nearest else f"Known: {known}."
        message = f"There is no {error.kind} `{error.name}`."
        return Refused(404 if error.name in in_path else 422, code, message, hint=hint)
    if isinstance(error, UnknownItem):
        status = 404 if error.item in in_path else 422
        return Refused(status, "unknown-item", f"`{error.kind}` has no item `{error.item}`.")
    for kind, code, message in _OURS:
        if isinstance(error, kind):
            return unavailable(code, message)
    return Refused(422, "invalid", str(error))


_OURS: tuple[tuple[type[RecPrismError], str, str], ...] = (
    (NotTrained, "not-trained", "There is no trained artifact yet."),
    (ArtifactError, "artifact-unusable", "The artifact cannot be read."),
    (DiskFull, "disk-full", "The disk is full; nothing was kept."),
    (StoreError, "store-unavailable", "The store cannot be used now; nothing was kept."),
    (LLMUnavailable, "llm-unavailable", "The language model cannot answer."),
)


def refusal_of_values(error: ValidationError | RequestValidationError, known: set[str]) -> Refused:
    """The first wrong value of a body or query, with its place."""
    found = error.errors()[0]
    place = [part for part in found["loc"] if part not in ("body", "query", "path", "header")]
    field = _place_of(place)
    hint = None
    if found["type"] == "extra_forbidden":
        close = nearest(str(place[-1]), known)
        hint = f"Did you mean `{close}`?" if close else f"Known: {', '.join(sorted(known))}."
    message = str(found["msg"]).removeprefix("Value error, ")
    return Refused(422, "invalid", f"{message}.".replace("..", "."), field=field, hint=hint)


def _place_of(parts: list[Any]) -> str | None:
    """`tasks[1].name` for a path into a document."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.removeprefix(".") or None


def add_handlers(app: FastAPI) -> None:
    """Make every error of the application leave in one shape."""

    async def refused(request: Request, error: Exception) -> Response:
        return _refusal(request, error).to_response(request.state.request_id)

    for kind in (Refused, RecPrismError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, refused)


def _refusal(request: Request, error: Exception) -> Refused:
    if isinstance(error, Refused):
        return error
    if isinstance(error, RequestValidationError):
        return refusal_of_values(error, set())
    if isinstance(error, HTTPException):
        return _of_routing(error)
    assert isinstance(error, RecPrismError)
    named = getattr(request.state, "named", ())
    refusal = refusal_of(error, frozenset(named))
    if refusal.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("%s", error, extra={"request_id": request.state.request_id})
    return refusal


def _of_routing(error: HTTPException) -> Refused:
    status = HTTPStatus(error.status_code)
    code = status.phrase.lower().replace(" ", "-")
    said = {
        404: "There is nothing at this address.",
        405: "This address does not take this method.",
    }
    message = said.get(status, f"{status.phrase}.")
    return Refused(status, code, message, headers=error.headers)
