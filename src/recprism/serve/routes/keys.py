"""`/v1/keys`: who may use the service."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from recprism.serve.access import needs
from recprism.serve.answering import as_json
from recprism.serve.document import body_of
from recprism.serve.faults import Refused
from recprism.serve.keys import make_key, row_of
from recprism.serve.reading import id_in_path, read_body
from recprism.serve.service import service_of
from recprism.serve.shapes import KeyMade, KeyRequest, KeysOut

router = APIRouter(tags=["keys"], dependencies=[Depends(needs("admin"))])
SHOP = {"a web shop": {"role": "reader", "name": "web shop"}}


@router.get("/v1/keys", responses={200: {"model": KeysOut}})
async def keys(request: Request) -> Response:
    """All keys, revoked ones too, in the order they were made; without their secrets."""
    service = service_of(request)
    return as_json({"keys": [row_of(key) for key in await service.keep(service.store.keys)]})


@router.post(
    "/v1/keys",
    status_code=201,
    responses={201: {"model": KeyMade}},
    openapi_extra=body_of(KeyRequest, examples=SHOP),
)
async def create(request: Request) -> Response:
    """Make a key. It is shown in this answer and never again."""
    service = service_of(request)
    wanted = await read_body(request, KeyRequest)
    written, stored = make_key(wanted.role, wanted.name)
    await service.keep(service.store.add_key, stored)
    return as_json({**row_of(stored), "key": written}, 201)


@router.delete("/v1/keys/{id}", responses={200: {"model": KeysOut}})
async def revoke(request: Request, id: str) -> Response:
    """Let a key open nothing any more; every worker knows within a second."""
    service = service_of(request)
    key_id = id_in_path(request, "id", id)
    now = datetime.now(UTC).replace(tzinfo=None)
    if not await service.keep(service.store.revoke_key, key_id, now):
        raise Refused(404, "unknown-key", f"There is no key `{key_id}` that still opens.")
    service.gate.forget(key_id)
    return as_json({"keys": [row_of(key) for key in await service.keep(service.store.keys)]})
