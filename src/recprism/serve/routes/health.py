"""`/livez`, `/readyz`, `/metrics`: for those who run the service."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from starlette.responses import Response

from recprism.errors import StoreError
from recprism.serve.answering import as_json, json_bytes
from recprism.serve.metrics import CONTENT_TYPE
from recprism.serve.service import Service, service_of
from recprism.serve.shapes import Health, Ready

router = APIRouter(tags=["operations"])
PING_S = 2.0
ALIVE = b'{"status":"ok"}'


@router.get("/livez", responses={200: {"model": Health}})
async def livez() -> Response:
    """Whether the process answers at all."""
    return json_bytes(ALIVE)


@router.get("/readyz", responses={200: {"model": Ready}, 503: {"model": Ready}})
async def readyz(request: Request) -> Response:
    """Whether lists can be made: an artifact is loaded and the store can be reached."""
    service = service_of(request)
    store = "ok" if await _reaches_store(service) else "unavailable"
    artifact = service.engine.artifact_id if service.is_trained else None
    is_ready = store == "ok" and artifact is not None
    status = "ok" if is_ready else "unavailable"
    found = {"status": status, "store": store, "artifact": artifact}
    return as_json(found, 200 if is_ready else 503)


async def _reaches_store(service: Service) -> bool:
    try:
        await asyncio.wait_for(service.keep(service.store.ping), PING_S)
    except (StoreError, TimeoutError):
        return False
    return True


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Numbers for Prometheus. On a server that others can reach it takes a key of any role."""
    service = service_of(request)
    if not service.settings.is_local:
        await service.gate.admit(request, "reader")
    page = await asyncio.to_thread(service.metrics.page)
    return Response(page, media_type=CONTENT_TYPE)
