"""Impressions, written after the answers that they tell of.

In come answers, out go rows in the store, some answers at a time: one write to the disk for each
answer would cost more than the answer. What is not written when a server dies is lost, which is
allowed for impressions that no cap counts; those of tasks with a cap are written by the engine
before an answer leaves.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from datetime import datetime

from recprism.errors import RecPrismError
from recprism.records import Answer
from recprism.serve.metrics import Metrics
from recprism.store import Impression, Store
from recprism.store.store import impressions_in

EVERY_S = 0.1
"""How long an impression waits at most before it is written."""
MOST = 50_000
"""More impressions than this are not held back for a store that does not take them."""
_log = logging.getLogger(__name__)


class Recorder:
    """Holds back impressions for a moment; safe to share between threads."""

    def __init__(self, store: Store, metrics: Metrics) -> None:
        self._store, self._metrics = store, metrics
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._waiting: list[Impression] = []

    def put(self, answer: Answer, now: datetime) -> None:
        """Take what an answer shows; with too many held back already it is lost, and counted."""
        shown = list(impressions_in(answer, now))
        with self._lock:
            if len(self._waiting) + len(shown) > MOST:
                self._metrics.lost(len(shown))
                return
            self._waiting += shown

    def flush(self) -> None:
        """Write what is held back; after a failure it is held back still."""
        with self._writing:
            with self._lock:
                shown, self._waiting = self._waiting, []
            if not shown:
                return
            try:
                self._store.reserve(shown, {})
                self._metrics.recorded(len(shown))
            except RecPrismError as error:
                _log.warning("%d impressions wait for the store: %s", len(shown), error)
                with self._lock:
                    self._waiting = shown + self._waiting

    async def run(self) -> None:
        """Flush again and again, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            if self._waiting:
                await asyncio.to_thread(self.flush)
