"""What surrounds every request: its id, its size, its account, and what happens when we fail.

The one decision worth knowing: routing sees the path as it was sent. An id may hold a slash, which
a path that was decoded before it is split cannot say.
"""

from __future__ import annotations

import logging
import re
from collections.abc import MutableMapping
from time import perf_counter
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recprism.engine import new_request_id
from recprism.serve.faults import Refused, internal
from recprism.serve.service import Service

HEADER = "x-request-id"
OTHER = "other"
"""The route of requests for addresses that do not exist."""
_GIVEN = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_access = logging.getLogger("recprism.access")
_log = logging.getLogger(__name__)


class Envelope:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service
        self._most = service.settings.limits.max_body_kb * 1024

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        call = _Call(scope, receive, send, self._most)
        try:
            if call.announced > self._most:
                await call.refuse(_too_large(self._most))
            else:
                await self._app(call.scope, call.receive, call.send)
        except ClientDisconnect:
            call.status = 499  # as other servers note a client that did not wait
        except Exception as error:
            _log.exception("a request failed", extra={"request_id": call.request_id})
            if call.status:
                raise  # too late to say so: the server cuts the connection
            del error
            await call.refuse(internal())
        finally:
            self._note(call)

    def _note(self, call: _Call) -> None:
        seconds = perf_counter() - call.started
        route = getattr(call.scope.get("route"), "path", OTHER)
        self._service.metrics.request(route, call.method, call.status, seconds)
        if _access.isEnabledFor(logging.INFO) and route not in ("/livez", "/readyz", "/metrics"):
            about = {
                "request_id": call.request_id,
                "method": call.method,
                "route": route,
                "status": call.status,
                "took_ms": round(seconds * 1000, 2),
                "key": call.state.get("key_id"),
            }
            _access.info("request", extra=about)


class _Call:
    """One request and what is known of its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        self.started = perf_counter()
        self._receive, self._send, self._most, self._read = receive, send, most, 0
        self.method = _known_method(scope["method"])
        self.status = 0
        given, self.announced = _headers_of(scope)
        self.request_id = given or new_request_id()
        # FastAPI itself puts things beside what is here, so each request needs a state of its own.
        self.state: MutableMapping[str, Any] = {
            **scope.get("state", {}),
            "request_id": self.request_id,
        }
        self.scope: Scope = {**scope, "path": _path_as_sent(scope), "state": self.state}

    async def receive(self) -> Message:
        message = await self._receive()
        self._read += len(message.get("body", b""))
        if self._read > self._most:
            raise _too_large(self._most)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message.setdefault("headers", [])
            headers.append((HEADER.encode(), self.request_id.encode()))
        await self._send(message)

    async def refuse(self, refusal: Refused) -> None:
        await refusal.to_response(self.request_id)(self.scope, self.receive, self.send)


def _headers_of(scope: Scope) -> tuple[str | None, int]:
    """The id that a request brought, if it is a sound one, and the size that it announces."""
    given, announced = None, 0
    for name, value in scope["headers"]:
        if name == HEADER.encode() and _GIVEN.fullmatch(value):
            given = value.decode("ascii")
        elif name == b"content-length" and value.isdigit():
            announced = int(value)
    return given, announced


def _path_as_sent(scope: Scope) -> str:
    raw: bytes | None = scope.get("raw_path")
    if raw is None:
        return str(scope["path"])
    return raw.partition(b"?")[0].decode("utf-8", "replace")


def _known_method(method: str) -> str:
    """A method that may be a label of metrics: anybody can make up others without end."""
    known = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    return method if method in known else OTHER


def _too_large(most: int) -> Refused:
    hint = "Send less at once, or raise `serve.max_body_kb` in the project file."
    return Refused(413, "too-large", f"The body has more than {most:,} bytes.", hint=hint)
