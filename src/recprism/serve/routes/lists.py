"""`POST /v1/lists`: several explained lists in one answer."""

from __future__ import annotations

import orjson
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from recprism.data.times import from_micros, parse_time
from recprism.engine import Engine
from recprism.errors import UnknownName
from recprism.records import Event
from recprism.serve.access import needs
from recprism.serve.answering import json_bytes
from recprism.serve.document import body_of
from recprism.serve.faults import Refused, refusal_of
from recprism.serve.reading import read_body
from recprism.serve.service import service_of
from recprism.serve.shapes import AnswerOut, ListsRequest, SupposedEvent, Viewed

router = APIRouter(tags=["lists"], dependencies=[Depends(needs("reader"))])
EXAMPLES = {
    "everything for a user": {"user": "1029"},
    "two lists": {"user": "1029", "tasks": ["products", "coupons"], "size": 5},
    "a wish": {"user": "1029", "tasks": ["products"], "query": "something for a picnic"},
    "what if": {
        "user": "1029",
        "events": [{"kind": "products", "item": "1082185", "action": "purchase"}],
    },
    "a stranger in a store": {"context": {"store": "367"}, "explain": False},
}


@router.post(
    "/v1/lists",
    responses={200: {"model": AnswerOut}},
    openapi_extra=body_of(ListsRequest, examples=EXAMPLES),
)
async def lists(request: Request) -> Response:
    """Recommend lists, with a reason for each item."""
    service = service_of(request)
    asked = await read_body(request, ListsRequest)
    return json_bytes(await service.compute(recommend, service.engine, asked))


def recommend(engine: Engine, asked: ListsRequest) -> bytes:
    """The answer as JSON."""
    try:
        answer = engine.recommend(
            asked.user,
            asked.tasks,
            size=asked.size,
            query=asked.query,
            context=context_of(asked.context),
            at=asked.at,
            events=[supposed_of(asked.user, event) for event in asked.events],
            record=asked.record and asked.at is None,
            explain=asked.explain,
        )
    except UnknownName as error:
        raise _placed(error, asked.tasks or []) from None
    return orjson.dumps(answer.to_dict())


def supposed_of(user: str | None, event: SupposedEvent) -> Event:
    """An event of a request, which nobody did, as the engine takes it. Raises `UsageError`."""
    time = None if event.time is None else from_micros(parse_time(event.time))
    about = event.model_dump(exclude={"time"})
    return Event(user=user or "", time=time, **about)


def context_of(given: dict[str, str | int | Viewed]) -> dict[str, object]:
    """A context as the engine takes it."""
    return {
        name: value.model_dump() if isinstance(value, Viewed) else value
        for name, value in given.items()
    }


def _placed(error: UnknownName, tasks: list[str]) -> Refused:
    """The refusal of a name, with the place in the request where it stands."""
    refusal = refusal_of(error)
    if error.kind == "task" and error.name in tasks:
        refusal.field = f"tasks[{tasks.index(error.name)}]"
    elif error.kind == "context":
        refusal.field = f"context.{error.name}"
    return refusal
