"""What all routes of one worker share: the engine of the moment, the store, threads, metrics."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ParamSpec, TypeVar, cast

from fastapi import Request

from recprism.engine import Engine, open_engine
from recprism.engine.exploring import Tallies
from recprism.serve.faults import unavailable
from recprism.serve.metrics import Metrics
from recprism.serve.recorder import Recorder
from recprism.serve.settings import Settings
from recprism.store import Store

if TYPE_CHECKING:
    from recprism.serve.access import Gate

P = ParamSpec("P")
T = TypeVar("T")
STORE_THREADS = 4
_log = logging.getLogger(__name__)


class Service:
    """Computing and keeping are done in threads of their own.

    There are as many for computing as there are cores to compute with: more would only make all
    answers late. Waiting for the disk is done elsewhere, so that it keeps no answer waiting.
    """

    gate: Gate

    def __init__(self, engine: Engine | None, store: Store, settings: Settings) -> None:
        self.store, self.settings = store, settings
        self.metrics = Metrics()
        self.recorder = Recorder(store, self.metrics)
        self.changed = asyncio.Event()
        self.erasing = asyncio.Lock()
        self._tallies: Tallies = {}
        self._engine: Engine | None = None
        self._computing = ThreadPoolExecutor(settings.threads, "compute")
        self._keeping = ThreadPoolExecutor(STORE_THREADS, "store")
        if engine is not None:
            self.adopt(engine)

    @property
    def engine(self) -> Engine:
        """The engine that answers now. Raises `Refused` (503) while there is none."""
        if self._engine is None:
            hint = "Run `recprism train`; the server takes the artifact up by itself."
            raise unavailable("not-trained", "There is no usable artifact yet.", hint)
        return self._engine

    @property
    def is_trained(self) -> bool:
        return self._engine is not None

    def adopt(self, engine: Engine) -> None:
        """Answer with this engine from now on; requests at work keep the one they began with."""
        for one in (engine, *engine.others.values()):
            one.recorder = self.recorder.put
            one.watch = self.metrics
            one.tallies = self._tallies
        if engine.door is not None:
            engine.door.on_outcome = self.metrics.asked
        self._engine = engine
        self.metrics.serving(engine.artifact_id)

    def learn(self, tallies: Tallies) -> None:
        """Explore with these tallies from now on."""
        self._tallies = tallies
        if self._engine is not None:
            for one in (self._engine, *self._engine.others.values()):
                one.tallies = tallies

    def open_beside(self, old: Engine | None) -> Engine:
        """The engine of the artifact that the project serves now, over the same store."""
        assert self.settings.directory is not None
        door = None if old is None else old.door
        started = self.settings.started
        return open_engine(self.settings.directory, self.store, door=door, started=started)

    def now(self) -> datetime:
        """The present on the clock of events."""
        return datetime.now(UTC).replace(tzinfo=None) if self._engine is None else self.engine.now()

    async def compute(self, work: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """The result of something that computes."""
        loop = asyncio.get_running_loop()
        with self.metrics.waiting():
            return await loop.run_in_executor(self._computing, lambda: work(*args, **named))

    async def keep(self, work: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """The result of something that waits for the store."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._keeping, lambda: work(*args, **named))

    def keep_later(self, work: Callable[P, T], *args: P.args, **named: P.kwargs) -> None:
        """Do something with the store that nobody waits for; a failure is only logged."""
        done = self._keeping.submit(work, *args, **named)
        done.add_done_callback(lambda future: _tell(future.exception()))

    def close(self) -> None:
        """Write what is not written yet, and let go of the store and the language model."""
        self._computing.shutdown()
        self._keeping.shutdown()
        self.recorder.flush()
        if self._engine is not None:
            self._engine.close()
        self.store.close()


def service_of(request: Request) -> Service:
    """The service that the application of a request was made with."""
    return cast(Service, request.app.state.service)


def _tell(error: BaseException | None) -> None:
    if error is not None:
        _log.warning("the store did not take a note: %s", error)
