"""Who may ask: keys with roles, and what somebody without a key may do.

In comes a request, out goes a `Caller` or a refusal. The one decision worth knowing: a caller
without a key counts as reader and writer only where everything says that it is a program on this
machine. A reverse proxy or a page whose name was bound to this address (DNS rebinding) makes
strangers look local; they give themselves away by `Host`, `Origin` or a forwarding header.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from fastapi import Request

from recprism.serve.addresses import is_loopback, name_of
from recprism.serve.faults import Refused
from recprism.serve.keys import opens, split_key
from recprism.serve.rates import Rates
from recprism.serve.reading import check_content_type
from recprism.serve.service import Service, service_of
from recprism.store import ApiKey, Role

RANKS: Mapping[Role, int] = {"reader": 0, "writer": 1, "admin": 2}
"""Who may do more may do what others may."""
KNOWN_FOR_S = 1.0
"""How long a worker trusts what it read of a key: a revoked one is out after this time."""
TOUCH_EVERY_S = 60.0
"""The last use of a key is noted at most so often."""
_FORWARDING = ("forwarded", "x-real-ip")
_WITH_BODY = ("POST", "PUT", "PATCH")


@dataclass(frozen=True)
class Caller:
    """Who asks: a key's id, empty without one, and the highest role."""

    key_id: str
    role: Role


class Gate:
    """Tells callers from strangers, for one worker."""

    def __init__(self, service: Service) -> None:
        limits = service.settings.limits
        self._service = service
        self._rates = Rates(limits.rate_per_s, limits.burst)
        self._known: dict[str, tuple[float, ApiKey | None]] = {}
        self._touched: dict[str, float] = {}

    async def admit(self, request: Request, role: Role) -> Caller:
        """The caller, if it may act as `role`. Raises `Refused`: 401, 403, 415 or 429."""
        written = request.headers.get("authorization")
        caller = self._without_key(request) if written is None else await self._by_key(written)
        if RANKS[caller.role] < RANKS[role]:
            raise _forbidden(caller, role)
        wait = self._rates.wait_s(caller.key_id)
        if wait > 0:
            headers = {"Retry-After": str(math.ceil(wait))}
            message = "Too many requests with this key."
            raise Refused(429, "too-many-requests", message, headers=headers)
        request.state.key_id = caller.key_id
        return caller

    def forget(self, key_id: str) -> None:
        """Read a key anew when it is shown next."""
        self._known.pop(key_id, None)

    def _without_key(self, request: Request) -> Caller:
        settings = self._service.settings
        if not (settings.is_local and settings.limits.keyless):
            raise _unauthorized("This server needs a key.")
        fault = find_foreign(request.scope)
        if fault is not None:
            raise _unauthorized(f"Without a key only programs on this machine may ask; {fault}.")
        if request.method in _WITH_BODY:
            check_content_type(request)
        return Caller("", "writer")

    async def _by_key(self, written: str) -> Caller:
        scheme, _, key = written.partition(" ")
        parts = split_key(key.strip()) if scheme.lower() == "bearer" else None
        if parts is None:
            raise _unauthorized("The header `Authorization` holds no key of this service.")
        key_id, secret = parts
        stored = await self._stored(key_id)
        if not opens(stored, secret):
            raise _unauthorized("The key is unknown or revoked.")
        assert stored is not None
        self._touch(key_id)
        return Caller(key_id, stored.role)

    async def _stored(self, key_id: str) -> ApiKey | None:
        now = monotonic()
        at, stored = self._known.get(key_id, (-math.inf, None))
        if now - at < KNOWN_FOR_S:
            return stored
        stored = await self._service.keep(self._service.store.key, key_id)
        if stored is not None:  # strangers may invent ids without end
            self._known[key_id] = (now, stored)
        return stored

    def _touch(self, key_id: str) -> None:
        if monotonic() - self._touched.get(key_id, -math.inf) < TOUCH_EVERY_S:
            return
        self._touched[key_id] = monotonic()
        now = datetime.now(UTC).replace(tzinfo=None)
        self._service.keep_later(self._service.store.touch_key, key_id, now)


def needs(role: Role) -> Callable[[Request], Awaitable[None]]:
    """The dependency of a route that only `role` and those above it may use."""

    async def admitted(request: Request) -> None:
        await service_of(request).gate.admit(request, role)

    return admitted


def find_foreign(scope: Mapping[str, Any]) -> str | None:
    """What tells that a request does not come from a program on this machine; None if nothing."""
    client = scope.get("client")
    if client is None or not is_loopback(client[0]):
        return "the request came over the network"
    headers: list[tuple[str, str]] = [
        (name.decode("latin-1").lower(), value.decode("latin-1"))
        for name, value in scope["headers"]
    ]
    hosts = [value for name, value in headers if name == "host"]
    if len(hosts) != 1 or not is_loopback(name_of(hosts[0])):
        return "`Host` is not the loopback address"
    for name, _ in headers:
        if name in _FORWARDING or name.startswith("x-forwarded-"):
            return f"`{name}` says that it was forwarded"
    own = f"{scope.get('scheme', 'http')}://{hosts[0]}".lower()
    if any(name == "origin" and value.lower() != own for name, value in headers):
        return "`Origin` names another page"
    return None


def _unauthorized(message: str) -> Refused:
    hint = "Make one with `recprism keys create`, and send `Authorization: Bearer KEY`."
    headers = {"WWW-Authenticate": "Bearer"}
    return Refused(401, "unauthorized", message, hint=hint, headers=headers)


def _forbidden(caller: Caller, role: Role) -> Refused:
    who = f"This key is a {caller.role}" if caller.key_id else "Without a key you are a writer"
    return Refused(403, "forbidden", f"{who}; a key with the role `{role}` is needed.")
