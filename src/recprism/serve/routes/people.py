"""`/v1/users/{id}`: what is said of a person, everything about them, and their erasure."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from recprism.pipeline import erase, export_person
from recprism.project import Project, load_project
from recprism.serve.access import needs
from recprism.serve.answering import as_json
from recprism.serve.document import body_of
from recprism.serve.faults import Refused
from recprism.serve.reading import id_in_path, read_body
from recprism.serve.recorder import EVERY_S
from recprism.serve.service import Service, service_of
from recprism.serve.shapes import PersonOut, PersonRequest, ReceiptOut
from recprism.store import Person

router = APIRouter(tags=["users"])
EXAMPLES = {
    "traits": {"traits": {"age": "25-34"}},
    "no personal lists": {"personalize": False},
}


@router.put(
    "/v1/users/{id}",
    dependencies=[Depends(needs("writer"))],
    responses={200: {"model": PersonOut}},
    openapi_extra=body_of(PersonRequest, examples=EXAMPLES),
)
async def put(request: Request, id: str) -> Response:
    """Say who somebody is, in place of what was said before; the next answer knows it."""
    service = service_of(request)
    user = id_in_path(request, "id", id)
    said = await read_body(request, PersonRequest)
    now = datetime.now(UTC).replace(tzinfo=None)
    person = Person(id=user, traits=said.traits, personalize=said.personalize, changed=now)
    await service.keep(service.store.put_person, person)
    return as_json(
        {
            "user": user,
            "traits": dict(person.traits),
            "personalize": person.personalize,
            "changed": now.isoformat(),
        }
    )


@router.get("/v1/users/{id}/export", dependencies=[Depends(needs("admin"))])
async def export(request: Request, id: str) -> Response:
    """All data about a person: sources, store, profile."""
    service = service_of(request)
    user = id_in_path(request, "id", id)
    project = _project(service)
    return as_json(await service.keep(export_person, project, service.engine, user))


@router.delete(
    "/v1/users/{id}",
    dependencies=[Depends(needs("admin"))],
    responses={200: {"model": ReceiptOut}},
)
async def delete(request: Request, id: str) -> Response:
    """Erase a person everywhere. The receipt comes when it is done, which takes seconds."""
    service = service_of(request)
    user = id_in_path(request, "id", id)
    project = _project(service)
    # What another worker still holds back of earlier answers is in the store after this.
    await asyncio.to_thread(service.recorder.flush)
    await asyncio.sleep(2 * EVERY_S)
    # One at a time: erasures wait for one another, and events need the threads of the store.
    async with service.erasing:
        receipt = await service.keep(erase, project, service.store, user)
    service.changed.set()
    return as_json(receipt.to_dict())


def _project(service: Service) -> Project:
    if service.settings.directory is None:
        raise Refused(422, "no-project", "This server has no project, and so no sources.")
    return load_project(service.settings.directory)
