"""`/v1/items`: what there is to recommend."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from recprism.serve.access import needs
from recprism.serve.answering import as_json
from recprism.serve.listing import page_of_items
from recprism.serve.reading import id_in_path, read_cursor
from recprism.serve.routes.users import Cursor, Limit, Text
from recprism.serve.service import service_of
from recprism.serve.shapes import ItemPage, SimilarOut

router = APIRouter(tags=["items"], dependencies=[Depends(needs("reader"))])


@router.get("/v1/items/{kind}", responses={200: {"model": ItemPage}})
async def items(
    request: Request, kind: str, query: Text = "", cursor: Cursor = None, limit: Limit = 100
) -> Response:
    """Items of a kind with title and labels, sorted by id; `query` looks in ids and titles."""
    service = service_of(request)
    named = id_in_path(request, "kind", kind)
    after = read_cursor(cursor)
    return as_json(await service.compute(page_of_items, service.engine, named, after, limit, query))


@router.get("/v1/items/{kind}/{id}/similar", responses={200: {"model": SimilarOut}})
async def similar(request: Request, kind: str, id: str, limit: Limit = 10) -> Response:
    """The items nearest to one, by behavior and content."""
    service = service_of(request)
    named, item = id_in_path(request, "kind", kind), id_in_path(request, "id", id)
    found = await service.compute(service.engine.similar, named, item, limit)
    return as_json({"kind": named, "item": item, "items": found})
