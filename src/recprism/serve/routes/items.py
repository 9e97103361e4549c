"""`PUT` and `DELETE /v1/items/{kind}/{id}`: items that come and go while serving."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from recprism.engine import ItemSaid, labels_of
from recprism.serve.access import needs
from recprism.serve.answering import as_json
from recprism.serve.document import body_of
from recprism.serve.reading import id_in_path, read_body
from recprism.serve.service import service_of
from recprism.serve.shapes import ItemDeleted, ItemPut, ItemRequest

router = APIRouter(tags=["items"], dependencies=[Depends(needs("writer"))])
EXAMPLES = {
    "a new product": {"text": "oat milk, unsweetened", "title": "OAT MILK"},
    "with a label": {"text": "oat milk", "labels": {"department": "DAIRY"}},
}


@router.put(
    "/v1/items/{kind}/{id}",
    responses={200: {"model": ItemPut}},
    openapi_extra=body_of(ItemRequest, examples=EXAMPLES),
)
async def put(request: Request, kind: str, id: str) -> Response:
    """Say what an item is, in place of what was said before; the next list may show it.

    200 means that it is embedded, labelled and on the disk. A deleted item comes back.
    """
    service = service_of(request)
    named, item = id_in_path(request, "kind", kind), id_in_path(request, "id", id)
    asked = await read_body(request, ItemRequest)
    said = ItemSaid(**dict(asked))
    engine = service.engine
    # Whatever this takes (seconds, for the first guess of a label), lists do not wait in line.
    made = await service.keep(engine.put_item, named, item, said)
    return as_json(
        {
            "kind": named,
            "item": item,
            "title": made.title or made.text,
            "labels": labels_of(made),
            "guessed": {name: sure for name, (_, sure) in made.guesses.items()},
            "recommendable": engine.is_recommendable(named, item),
        }
    )


@router.delete("/v1/items/{kind}/{id}", responses={200: {"model": ItemDeleted}})
async def delete(request: Request, kind: str, id: str) -> Response:
    """Show an item to nobody any more, from the next list on, also after further trainings."""
    service = service_of(request)
    named, item = id_in_path(request, "kind", kind), id_in_path(request, "id", id)
    await service.keep(service.engine.delete_item, named, item)
    return as_json({"kind": named, "item": item, "deleted": True})
