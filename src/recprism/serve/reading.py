"""Requests as values: JSON bodies, ids in paths, cursors. Everything wrong is a `Refused`.

The one decision worth knowing: bodies are read by one strict parser, not by the framework, because
that one takes NaN, nests until the stack ends, and costs as much as a small answer.
"""

from __future__ import annotations

import base64
import binascii
from functools import cache
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

import orjson
from fastapi import Request
from pydantic import BaseModel, ValidationError

from recprism.serve.faults import Refused, refusal_of_values
from recprism.store import find_id_fault

M = TypeVar("M", bound=BaseModel)


async def read_json(request: Request) -> Any:
    """The body as JSON. Refuses other content types (415) and what is no JSON (400)."""
    check_content_type(request)
    body = await request.body()
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        where = f" (line {error.lineno}, column {error.colno})" if body else ""
        message = f"The body is no JSON{where}: {error.msg}."
        raise Refused(400, "bad-json", message) from None


def check_content_type(request: Request) -> None:
    """Refuse a body that does not say that it is JSON, or that is packed."""
    written = request.headers.get("content-type", "")
    if written.partition(";")[0].strip().lower() != "application/json":
        hint = "Send `Content-Type: application/json`."
        raise Refused(415, "not-json", "The body is not marked as JSON.", hint=hint)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "packed", "Bodies of requests are taken unpacked only.")


async def read_body(request: Request, model: type[M]) -> M:
    """The body as a `model`, whose values are not converted from other types."""
    found = await read_json(request)
    try:
        return model.model_validate(found)
    except ValidationError as error:
        raise refusal_of_values(error, _keys_of(model)) from None


@cache
def _keys_of(model: type[BaseModel]) -> set[str]:
    return set(model.model_fields)


def id_in_path(request: Request, name: str, written: str) -> str:
    """The id that is `written` at `{name}` of the route, decoded once.

    Refuses what can be no id (422). A name that nobody knows is later said to be not found.
    """
    try:
        outside = unquote_to_bytes(written).decode("utf-8")
    except UnicodeDecodeError:
        message = f"`{written}` is not percent-encoded UTF-8."
        raise Refused(422, "bad-id", message, field=name) from None
    if outside in (".", ".."):
        raise Refused(422, "bad-id", "`.` and `..` are no ids in an address.", field=name)
    fault = find_id_fault(outside)
    if fault is not None:
        raise Refused(422, "bad-id", f"{fault}.", field=name)
    request.state.named = (*getattr(request.state, "named", ()), outside)
    return outside


def write_cursor(last: str) -> str:
    """Where a page ended, for the next request."""
    return base64.urlsafe_b64encode(last.encode("utf-8")).decode("ascii").rstrip("=")


def read_cursor(cursor: str | None) -> str:
    """The id after which a page begins; empty for the first one."""
    if not cursor:
        return ""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        message = "The cursor is not one that a page ended with."
        raise Refused(422, "bad-cursor", message, field="cursor") from None
