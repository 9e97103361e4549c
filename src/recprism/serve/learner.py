"""Counts now and then what came of what was shown, for projects that explore.

Every worker counts for itself: what one of them knows minutes earlier changes nobody's list by
more than a draw would. A store is read user by user, so it is not done more often.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from datetime import UTC, datetime

from recprism.errors import RecPrismError
from recprism.serve.goals import count_tallies
from recprism.serve.service import Service

EVERY_S = 600.0
_log = logging.getLogger(__name__)


class Learner:
    """Keeps what a service knows of earlier shows up to date."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._over = threading.Event()

    async def run(self) -> None:
        """Count again and again, until cancelled; then the thread at work ends too."""
        try:
            while True:
                await self.update()
                await asyncio.sleep(EVERY_S)
        finally:
            self._over.set()

    async def update(self) -> None:
        """Count once, where something is explored."""
        service = self._service
        if not service.is_trained or not service.engine.explores:
            return
        now, is_over = datetime.now(UTC).replace(tzinfo=None), self._over.is_set
        model = service.engine.model
        try:
            found = await service.keep(count_tallies, service.store, model, now, is_over)
        except RecPrismError as error:
            _log.warning("what was shown could not be counted: %s", error)
        else:
            service.learn(found)
