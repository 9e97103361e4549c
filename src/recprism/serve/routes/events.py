"""`POST /v1/events`: what users did, acknowledged when it is durable."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from recprism.serve.access import needs
from recprism.serve.answering import as_json
from recprism.serve.document import body_of
from recprism.serve.faults import Refused
from recprism.serve.incoming import keep_events
from recprism.serve.reading import read_json
from recprism.serve.service import service_of
from recprism.serve.shapes import EventIn, EventsResult

router = APIRouter(tags=["events"], dependencies=[Depends(needs("writer"))])
ONE = {"user": "1029", "kind": "products", "item": "1082185", "action": "purchase"}
EXAMPLES = {
    "one event": ONE,
    "several": [
        {**ONE, "idempotency_key": "till-4-000017", "value": 1.29, "context": {"store": "367"}},
        {**ONE, "action": "dismiss", "request_id": "01JD3B5Q1X9K2V4M6N8P0R7TZY"},
    ],
}


@router.post(
    "/v1/events",
    status_code=202,
    responses={202: {"model": EventsResult}},
    openapi_extra=body_of(EventIn, examples=EXAMPLES, many=True),
)
async def events(request: Request) -> Response:
    """Take one event or an array of them. 202 means that those accepted are on the disk.

    Faulty rows are rejected one by one; only where all are is the request refused (422).
    """
    service = service_of(request)
    found = await read_json(request)
    rows = found if isinstance(found, list) else [found]
    most = service.settings.limits.max_batch
    if len(rows) > most:
        message = f"The batch has {len(rows):,} events, at most {most:,} are taken at once."
        raise Refused(413, "batch-too-large", message)
    if not rows:
        raise Refused(422, "no-events", "The batch is empty.")
    result = await service.keep(keep_events, service.store, rows, service.now())
    service.metrics.events(result)
    document = result.to_dict()
    if len(result.rejected) == len(rows):
        first = result.rejected[0].error
        raise Refused(422, "all-rejected", f"No event was accepted: {first}.", more=document)
    return as_json(document, 202)
