"""Processes: a supervisor that holds the address, and workers that answer.

Two decisions worth knowing. Even a single worker has a supervisor: an artifact is mapped into
memory; if somebody cuts its files short, the kernel ends the process that reads them, and the next
one finds the artifact damaged and says so, instead of there being no server any more. And each
worker listens at a socket of its own: the kernel then spreads connections over all of them, where a
shared one gives a burst of connections to whoever wakes first.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from multiprocessing import connection, get_context, parent_process
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Final

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
KEEP_ALIVE_S: Final = 75
"""Longer than most clients and proxies keep a connection: who closes it first never loses a request
that was just on its way."""
PAUSE_S: Final = 1.0
"""A worker that died young is replaced after this time: the next one may die as well."""
YOUNG_S: Final = 5.0
BACKLOG: Final = 2048
_LOOK_S = 0.5
_SPREADS = sys.platform == "linux"
_log = logging.getLogger(__name__)
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


def serve(
    directory: Path, host: str, port: int, workers: int, announce: Callable[[], None]
) -> None:
    """Serve a project until the process is told to stop (SIGTERM or SIGINT).

    `announce` is called once the address is ours. Raises `UsageError` for an address that cannot be
    bound, or must not be: one that others can reach, while there is no key; and `StoreError` for a
    store that cannot be used, or has to be brought up to date first.
    """
    project = load_project(directory)
    is_local = is_loopback(host)
    check_store(project, host, is_local)
    bound = bind(host, port, workers)
    announce()
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
        Supervisor(bound).run()
    finally:
        for one in bound:
            one.close()
        shutil.rmtree(numbers, ignore_errors=True)


class Supervisor:
    """Keeps one worker at each of `bound`, until it is told to stop.

    It holds the sockets itself, so that connections wait for a worker that is replaced.
    """

    def __init__(self, bound: Sequence[socket.socket]) -> None:
        self._bound = bound
        self._stop = threading.Event()
        self._workers: list[SpawnProcess] = []
        self._since: list[float] = []

    def run(self) -> None:
        """Raises `UsageError` when a worker cannot start in the first place."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        for one in self._bound:
            self._workers.append(_start(one))
            self._since.append(time.monotonic())
        born = tuple(worker.pid for worker in self._workers)
        try:
            while not self._stop.is_set():
                connection.wait([worker.sentinel for worker in self._workers], _LOOK_S)
                for place, worker in enumerate(self._workers):
                    if worker.exitcode is not None and not self._stop.is_set():
                        self._replace(place, worker, is_first=worker.pid in born)
        finally:
            self._end()

    def _replace(self, place: int, worker: SpawnProcess, *, is_first: bool) -> None:
        is_young = time.monotonic() - self._since[place] < YOUNG_S
        if is_first and is_young and (worker.exitcode or 0) > 0:
            raise UsageError("A worker could not start; the lines above say why.")
        _log.error("worker %s ended with %s; another takes its place", worker.pid, worker.exitcode)
        _forget_numbers(worker.pid)
        if is_young:
            self._stop.wait(PAUSE_S)
        self._workers[place] = _start(self._bound[place])
        self._since[place] = time.monotonic()

    def _end(self) -> None:
        """Let workers end what they are at, and end those that do not."""
        for worker in self._workers:
            worker.terminate()
        end = time.monotonic() + GRACE_S + 5.0
        for worker in self._workers:
            worker.join(max(0.0, end - time.monotonic()))
            if worker.exitcode is None:
                worker.kill()
                worker.join()


def _start(bound: socket.socket) -> SpawnProcess:
    worker = get_context("spawn").Process(target=_work, args=(bound,))
    worker.start()
    return worker


def _work(bound: socket.socket) -> None:
    """The main function of a worker; what it needs is loaded there alone."""
    from recprism.serve.worker import work

    threading.Thread(target=_end_with_supervisor, daemon=True).start()
    work(bound)


def _end_with_supervisor() -> None:
    """End this worker, as if it was told to, when its supervisor is gone."""
    supervisor = parent_process()
    assert supervisor is not None
    connection.wait([supervisor.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


def _forget_numbers(pid: int | None) -> None:
    """What a dead worker was at, which it can no longer take back."""
    for file in Path(os.environ[NUMBERS]).glob(f"gauge_live*_{pid}.db"):
        with suppress(OSError):
            file.unlink()


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


def bind(host: str, port: int, n: int = 1) -> list[socket.socket]:
    """`n` sockets that listen at an address. Raises `UsageError`.

    They are one and the same where the system does not spread connections.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # Sockets that share an address would also share it with another server's.
        alone = socket.create_server((host, port), family=family, backlog=BACKLOG)
        if n == 1 or not _SPREADS:
            return [alone] * n
        place = alone.getsockname()[:2]
        alone.close()
        return [
            socket.create_server(place, family=family, backlog=BACKLOG, reuse_port=True)
            for _ in range(n)
        ]
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(
            f"`{host}:{port}` cannot be listened at: {why}. Choose another `--host` or `--port`."
        ) from None
