"""`POST /v1/ask` and `/v1/classify`: free text in, a reading of it out."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from recprism.engine import Engine
from recprism.serve.access import needs
from recprism.serve.answering import as_json, json_bytes
from recprism.serve.document import body_of
from recprism.serve.reading import read_body
from recprism.serve.routes.lists import recommend
from recprism.serve.service import service_of
from recprism.serve.shapes import AnswerOut, AskRequest, ClassifyRequest, ListsRequest

router = APIRouter(tags=["words"], dependencies=[Depends(needs("reader"))])
WISH = {"query": "a snack under 3 dollars, no nuts", "user": "1029", "size": 5}
TEXT = {"kind": "products", "text": "oat milk, unsweetened"}


@router.post(
    "/v1/ask",
    responses={200: {"model": AnswerOut}},
    openapi_extra=body_of(AskRequest, examples={"a wish": WISH}),
)
async def ask(request: Request) -> Response:
    """Read a wish, and answer it with lists; `wish` says how it was understood."""
    service = service_of(request)
    asked = await read_body(request, AskRequest)
    return json_bytes(await service.compute(_answer, service.engine, asked))


def _answer(engine: Engine, asked: AskRequest) -> bytes:
    return recommend(engine, ListsRequest(**dict(asked)))


@router.post("/v1/classify", openapi_extra=body_of(ClassifyRequest, examples={"a text": TEXT}))
async def classify(request: Request) -> Response:
    """Labels of a text, with confidence, as items of a kind carry them."""
    service = service_of(request)
    asked = await read_body(request, ClassifyRequest)
    found = await service.compute(service.engine.classify, asked.kind, asked.text)
    return as_json(found)
