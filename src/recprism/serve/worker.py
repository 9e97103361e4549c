"""One worker: what the supervisor starts in each process."""

from __future__ import annotations

import logging
import socket
import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from recprism.engine import Engine, open_engine
from recprism.errors import ArtifactError, NotTrained, RecPrismError
from recprism.project import load_project
from recprism.serve.app import create_app
from recprism.serve.logs import log_to_stderr
from recprism.serve.running import BACKLOG, GRACE_S, KEEP_ALIVE_S, Plan
from recprism.serve.settings import Settings
from recprism.serve.watcher import settle_memory
from recprism.store import Store, open_project_store

_log = logging.getLogger(__name__)


def work(bound: socket.socket) -> None:
    """Answer at a socket until told to stop (SIGTERM, SIGINT)."""
    log_to_stderr()
    try:
        made = app()
    except RecPrismError as error:
        _log.error("%s", error)
        sys.exit(1)
    config = uvicorn.Config(
        made,
        access_log=False,
        log_config=None,
        proxy_headers=False,  # who asks must not be theirs to say
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=KEEP_ALIVE_S,
        backlog=BACKLOG,
    )
    uvicorn.Server(config).run(sockets=[bound])


def app() -> FastAPI:
    """The application of the project that the supervisor planned."""
    plan = Plan.read()
    directory = Path(plan.directory)
    project = load_project(directory)
    store = open_project_store(project)
    settings = Settings(
        limits=project.spec.serve,
        is_local=plan.is_local,
        directory=directory,
        started=plan.started,
        threads=plan.threads,
    )
    made = create_app(_open(directory, store, plan.started), store, settings)
    settle_memory()
    return made


def _open(directory: Path, store: Store, started: float) -> Engine | None:
    """The engine, after a first answer that loads all it needs; None where there is none yet."""
    try:
        engine = open_engine(directory, store, started=started)
    except (NotTrained, ArtifactError) as error:
        _log.warning("serving without an artifact: %s", error)
        return None
    engine.recommend()
    return engine
