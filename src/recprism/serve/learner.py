"""Counts now and then what came of what was shown, for projects that explore.

Every worker counts for itself: what one of them knows minutes earlier changes nobody's list by
more than a draw would. A store is read user by user, so it is not done more often.
"""

from __future__ import annotations

import asyncio
import logging
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

    async def run(self) -> None:
        """Count again and again, until cancelled."""
        while True:
            await self.update()
            await asyncio.sleep(EVERY_S)

    async def update(self) -> None:
        """Count once, where something is explored."""
        service = self._service
        if not service.is_trained or not service.engine.explores:
            return
        now = datetime.now(UTC).replace(tzinfo=None)
        try:
            found = await service.keep(count_tallies, service.store, service.engine.model, now)
        except RecPrismError as error:
            _log.warning("what was shown could not be counted: %s", error)
        else:
            service.learn(found)
