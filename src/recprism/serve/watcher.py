"""Takes up a new artifact, or changed tasks, while answers go on.

Each worker looks at the shelf's pointers and the file of changes once a second, opens the new
engine beside the old one, asks it once so that everything is loaded, and then swaps. Requests at
work keep the engine they began with, which goes when they end. Looking costs three calls of `stat`;
unlike a signal it also works for a worker in a container, and over a file system that is shared.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
from contextlib import suppress
from pathlib import Path

from recprism.artifact import ARTIFACTS, ArtifactShelf
from recprism.engine import Engine, edited
from recprism.errors import NotTrained, RecPrismError
from recprism.project.edits import FILE
from recprism.serve.service import Service

EVERY_S = 1.0
_log = logging.getLogger(__name__)


class Watcher:
    """Keeps the engine of a service up to date with the project in `directory`."""

    def __init__(self, service: Service, directory: Path) -> None:
        self._service, self._directory = service, directory
        self._trained: Engine | None = service.engine if service.is_trained else None
        self._seen = self._look()
        self._failed: str | None = None

    async def run(self) -> None:
        """Look again and again, until cancelled; `Service.changed` makes it look at once."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._service.changed.wait(), EVERY_S)
            self._service.changed.clear()
            await self.update()

    async def update(self) -> None:
        """Take up what changed since the last time; what cannot be opened is only told, once."""
        found = self._look()
        if found == self._seen and self._service.is_trained:
            return
        try:
            await asyncio.to_thread(self._take_up)
            self._seen, self._failed = found, None
        except NotTrained:
            self._seen = found
        except (RecPrismError, OSError) as error:
            if str(error) != self._failed:
                self._failed = str(error)
                self._service.metrics.switched("failed")
                _log.error("the new artifact cannot be taken up: %s", error)

    def _take_up(self) -> None:
        serving = ArtifactShelf.of(self._directory).current().name
        old = self._trained
        if old is not None and old.artifact_id == serving:
            self._service.adopt(edited(old, self._directory))
            return
        fresh = self._service.open_beside(old)
        fresh.recommend()
        self._trained = fresh
        self._service.adopt(edited(fresh, self._directory))
        del old
        settle_memory()
        self._service.metrics.switched("done")
        _log.info("serving another artifact", extra={"artifact": fresh.artifact_id})

    def _look(self) -> tuple[object, ...]:
        """What changes when there is something new; of a file, which one it is and when written."""
        files = (ARTIFACTS / "current", ARTIFACTS / "pinned", FILE)
        return tuple(_stamp(self._directory / file) for file in files)


def settle_memory() -> None:
    """Give back what nobody needs, and take what is left out of the collector's way.

    An engine lives as long as the process, or until the next one: looking through it again and
    again would only make answers late.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    # The allocator of glibc would keep the old engine's hundred megabytes for another use; others
    # have no such call.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
