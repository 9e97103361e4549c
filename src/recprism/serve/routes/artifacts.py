"""`/v1/artifacts`: which models there are, and which one answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from recprism.artifact import ArtifactShelf, read_manifest
from recprism.errors import ArtifactError
from recprism.serve.access import needs
from recprism.serve.answering import as_json
from recprism.serve.document import body_of
from recprism.serve.faults import Refused
from recprism.serve.reading import read_body
from recprism.serve.service import Service, service_of
from recprism.serve.shapes import ArtifactsOut, PinRequest

router = APIRouter(tags=["artifacts"], dependencies=[Depends(needs("admin"))])
PIN = {"a version": {"id": "2026-11-24T02-10-00Z-3f9c"}}


@router.get("/v1/artifacts", responses={200: {"model": ArtifactsOut}})
async def artifacts(request: Request) -> Response:
    """All artifacts, oldest first."""
    service = service_of(request)
    return as_json(await service.keep(_listed, service))


@router.put(
    "/v1/artifacts/pinned",
    responses={200: {"model": ArtifactsOut}},
    openapi_extra=body_of(PinRequest, examples=PIN),
)
async def pin(request: Request) -> Response:
    """Serve this artifact, also after further trainings; workers follow within a second."""
    service = service_of(request)
    wanted = await read_body(request, PinRequest)
    await service.keep(_shelf(service).use, wanted.id)
    service.changed.set()
    return as_json(await service.keep(_listed, service))


@router.delete("/v1/artifacts/pinned", responses={200: {"model": ArtifactsOut}})
async def unpin(request: Request) -> Response:
    """Serve the newest artifact again."""
    service = service_of(request)
    await service.keep(_shelf(service).unpin)
    service.changed.set()
    return as_json(await service.keep(_listed, service))


def _shelf(service: Service) -> ArtifactShelf:
    directory = service.settings.directory
    if directory is None:
        raise Refused(422, "no-project", "This server has no project, and so no other artifacts.")
    return ArtifactShelf.of(directory)


def _listed(service: Service) -> dict[str, Any]:
    shelf = _shelf(service)
    pointed = (shelf.root / "current").read_text("utf-8").strip() if shelf.ids() else None
    rows = [
        {
            "id": artifact,
            "current": artifact == pointed,
            "pinned": artifact == shelf.pinned(),
            **_state(shelf.path(artifact)),
        }
        for artifact in shelf.ids()
    ]
    serving = service.engine.artifact_id if service.is_trained else None
    return {"artifacts": rows, "serving": serving}


def _state(folder: Path) -> dict[str, Any]:
    try:
        return {"until": read_manifest(folder).get("until"), "problem": None}
    except ArtifactError:
        return {"until": None, "problem": "damaged"}
