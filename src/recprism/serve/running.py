"""Processes: a supervisor that holds the socket, and workers that answer.

The one decision worth knowing: even a single worker has a supervisor. An artifact is mapped into
memory; if somebody cuts its files short, the kernel ends the process that reads them, and the next
one finds the artifact damaged and says so, instead of there being no server any more.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess

from recprism.errors import UsageError
from recprism.project import Project, load_project
from recprism.serve.addresses import is_loopback
from recprism.serve.logs import log_to_stderr

PLAN: Final = "RECPRISM_SERVE"
"""The environment variable by which workers are told what to serve; it holds no secret."""
NUMBERS: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable that names the folder in which workers share their metrics."""
GRACE_S: Final = 15
"""Requests at work have so many seconds to end when the server is stopped."""
HEALTHY_S: Final = 30
"""A worker that does not answer its supervisor for so long is replaced."""
BACKLOG: Final = 2048
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a worker serves. `started` is of `time.monotonic`, which all processes share."""

    directory: str
    is_local: bool
    threads: int
    started: float

    def write(self) -> None:
        os.environ[PLAN] = json.dumps(asdict(self))

    @staticmethod
    def read() -> Plan:
        return Plan(**json.loads(os.environ[PLAN]))


def serve(directory: Path, host: str, port: int, workers: int) -> None:
    """Serve a project until the process is told to stop (SIGTERM or SIGINT).

    Raises `UsageError` for an address that cannot be bound, or must not be: one that others can
    reach, while there is no key; and `StoreError` for a store that cannot be used, or has to be
    brought up to date first.
    """
    project = load_project(directory)
    is_local = is_loopback(host)
    check_store(project, host, is_local)
    bound = bind(host, port)
    plan = Plan(
        directory=str(project.path.resolve()),
        is_local=is_local,
        threads=max(1, (os.cpu_count() or 1) // workers),
        started=time.monotonic(),
    )
    plan.write()
    for name in _ONE_THREAD:
        os.environ.setdefault(name, "1")  # answers are small: threads would only wait in line
    numbers = tempfile.mkdtemp(prefix="recprism-metrics-")
    os.environ[NUMBERS] = numbers
    log_to_stderr()
    try:
        supervise(bound, workers)
    finally:
        bound.close()
        shutil.rmtree(numbers, ignore_errors=True)


def supervise(bound: socket.socket, workers: int) -> None:
    """Start workers on a socket, and others in place of those that die, until stopped."""
    config = uvicorn.Config(
        "recprism.serve.worker:app",
        factory=True,
        workers=workers,
        access_log=False,
        log_config=None,
        proxy_headers=False,  # who asks must not be theirs to say
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=GRACE_S,
        backlog=BACKLOG,
        timeout_worker_healthcheck=HEALTHY_S,
    )
    supervisor = Multiprocess(config, sockets=[bound])
    supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise UsageError("No worker could start; the lines above say why.")


def check_store(project: Project, host: str, is_local: bool) -> None:
    """Raise `StoreError` for a store that is of no use, and `UsageError` where others could reach
    a server that has no key."""
    from recprism.store import open_project_store

    store = open_project_store(project)
    try:
        store.ping()
        has_key = is_local or any(key.revoked is None for key in store.keys())  # noqa: SIM118
    finally:
        store.close()
    if not has_key:
        raise UsageError(
            f"Others can reach `{host}`, and there is no key yet. "
            f"Run `recprism keys create {project.path} --role admin` first, or leave out `--host`."
        )


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens at an address. Raises `UsageError`."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        bound = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(
            f"`{host}:{port}` cannot be listened at: {why}. Choose another `--host` or `--port`."
        ) from None
    bound.set_inheritable(True)
    return bound
