"""The application: routes, what surrounds them, and what starts and ends with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from recprism.engine import Engine
from recprism.serve.access import Gate
from recprism.serve.document import describe
from recprism.serve.envelope import HEADER, Envelope
from recprism.serve.faults import add_handlers
from recprism.serve.learner import Learner
from recprism.serve.routes import ROUTERS
from recprism.serve.service import Service
from recprism.serve.settings import Settings
from recprism.serve.watcher import Watcher
from recprism.store import Store

GZIP_FROM_BYTES = 1024
GZIP_LEVEL = 4
"""Half the work of the usual level for answers that are a tenth larger."""


def create_app(engine: Engine | None, store: Store, settings: Settings | None = None) -> FastAPI:
    """The service as an ASGI application, which owns `engine` and `store` and closes them.

    Without an engine it starts all the same, says so under `/readyz`, and takes up the project's
    artifact as soon as there is one. Nothing is read or written before the application starts.
    """
    service = Service(engine, store, settings or Settings())
    service.gate = Gate(service)
    app = FastAPI(
        title="RecPrism",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    app.state.service = service
    for router in ROUTERS:
        app.include_router(router)
    add_handlers(app)
    describe(app)
    limits = service.settings.limits
    app.add_middleware(GZipMiddleware, minimum_size=GZIP_FROM_BYTES, compresslevel=GZIP_LEVEL)
    if limits.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=limits.origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", HEADER],
            expose_headers=[HEADER, "Retry-After"],
        )
    app.add_middleware(Envelope, service=service)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    work = [asyncio.create_task(one.run()) for one in (service.recorder, Learner(service))]
    if service.settings.directory is not None:
        work.append(asyncio.create_task(Watcher(service, service.settings.directory).run()))
    try:
        yield
    finally:
        for task in work:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await asyncio.to_thread(service.close)
