"""`/v1/users`: who is known, and what is known of one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from recprism.serve.access import needs
from recprism.serve.answering import as_json
from recprism.serve.listing import page_of_users
from recprism.serve.reading import id_in_path, read_cursor
from recprism.serve.service import service_of
from recprism.serve.shapes import UserPage

router = APIRouter(tags=["users"], dependencies=[Depends(needs("reader"))])
Text = Annotated[str, Query(max_length=512, description="Only what has this in it.")]
Cursor = Annotated[str | None, Query(max_length=2000, description="Where the last page ended.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="How many a page has.")]


@router.get("/v1/users", responses={200: {"model": UserPage}})
async def users(
    request: Request, query: Text = "", cursor: Cursor = None, limit: Limit = 100
) -> Response:
    """Ids of users, those of the artifact and those seen live, sorted by code points."""
    service = service_of(request)
    engine = service.engine if service.is_trained else None
    after = read_cursor(cursor)
    found = await service.keep(page_of_users, engine, service.store, after, limit, query)
    return as_json(found)


@router.get("/v1/users/{id}/profile")
async def profile(request: Request, id: str) -> Response:
    """What is known of a user: taste, segment, habits, history, in numbers and words."""
    service = service_of(request)
    user = id_in_path(request, "id", id)
    found = await service.compute(service.engine.profile, user)
    return as_json(found.to_dict())
