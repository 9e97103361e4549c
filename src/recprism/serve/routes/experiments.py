"""`GET /v1/experiments`: what the arms of experiments came to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from recprism.serve.access import needs
from recprism.serve.answering import as_json
from recprism.serve.experiments import report_experiments
from recprism.serve.service import service_of
from recprism.serve.shapes import ExperimentsOut

router = APIRouter(tags=["experiments"], dependencies=[Depends(needs("admin"))])
Days = Annotated[int, Query(ge=1, le=366, description="Shows of the last days.")]


@router.get("/v1/experiments", responses={200: {"model": ExperimentsOut}})
async def experiments(request: Request, days: Days = 30) -> Response:
    """Users, shows, goals and clicks by experiment, task and arm, with 95 % intervals, differences
    to the first arm, and whether users were split as meant.

    A goal counts within the task's horizon, a click within a day; otherwise as in `/v1/outcomes`.
    """
    service = service_of(request)
    engine = service.engine
    since = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=days)
    await service.keep(service.recorder.flush)
    found = await service.keep(
        report_experiments, service.store, engine.model, engine.experiments, since
    )
    return as_json({"since": since.isoformat(timespec="seconds"), "experiments": found})
