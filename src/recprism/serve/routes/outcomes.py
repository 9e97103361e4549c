"""`GET /v1/outcomes`: what came of what was shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from recprism.serve.access import needs
from recprism.serve.answering import as_json
from recprism.serve.outcomes import as_rows, count_outcomes
from recprism.serve.service import service_of
from recprism.serve.shapes import OutcomesOut

router = APIRouter(tags=["outcomes"], dependencies=[Depends(needs("reader"))])
Days = Annotated[int, Query(ge=1, le=366, description="Shows of the last days.")]
Window = Annotated[int, Query(ge=1, le=366, description="An event counts for so many days.")]


@router.get("/v1/outcomes", responses={200: {"model": OutcomesOut}})
async def outcomes(request: Request, days: Days = 7, window_days: Window = 7) -> Response:
    """Shows by task, slot and artifact, and after how many of them which action came.

    An event counts for the answer that its `request_id` names, else for the last show of the item
    to that user within the window (only with `clock: wall`, where both are on the same clock).
    """
    service = service_of(request)
    now = datetime.now(UTC).replace(tzinfo=None)
    is_wall = service.engine.model.project.clock == "wall"
    window = timedelta(days=window_days) if is_wall else None
    since = now - timedelta(days=days)
    await service.keep(service.recorder.flush)
    cells = await service.keep(count_outcomes, service.store, since, window)
    return as_json({"since": since.isoformat(timespec="seconds"), "rows": as_rows(cells)})
