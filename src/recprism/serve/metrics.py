"""Numbers for Prometheus: what was asked, how long each part took, what the engine was given.

With several workers each writes its numbers to files of the folder that the environment variable
`PROMETHEUS_MULTIPROC_DIR` names, and any of them answers for all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from recprism.serve.running import NUMBERS
from recprism.store import AddResult

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.06, 0.1, 0.25, 0.5, 1.0, 2.5)
_ITEMS = (1, 10, 30, 100, 200, 300, 400, 1000)


class Metrics:
    """The numbers of one application. No label holds an id of a user, item or key."""

    def __init__(self) -> None:
        own = self._registry = CollectorRegistry()

        def counter(name: str, about: str, *labels: str) -> Counter:
            return Counter(f"recprism_{name}", about, labels, registry=own)

        def histogram(
            name: str, about: str, *labels: str, buckets: tuple[float, ...] = _SECONDS
        ) -> Histogram:
            return Histogram(f"recprism_{name}", about, labels, registry=own, buckets=buckets)

        def gauge(name: str, about: str, mode: str) -> Gauge:
            return Gauge(f"recprism_{name}", about, registry=own, multiprocess_mode=mode)  # type: ignore[arg-type]

        self._requests = counter("requests", "Requests answered", "route", "method", "status")
        self._seconds = histogram("request_seconds", "Time to answer", "route")
        self._stages = histogram("stage_seconds", "Time in a stage of the engine", "stage")
        self._candidates = histogram("candidates", "Items ranked", "task", buckets=_ITEMS)
        self._llm = counter("llm", "Questions to the language model", "role", "outcome")
        self._events = counter("events", "Events received", "outcome")
        self._impressions = counter("impressions", "Items shown and recorded")
        self._lost = counter("impressions_lost", "Items shown that no store took")
        self._queue = gauge("queue", "Requests that wait for an answer or get one", "livesum")
        self._created = gauge(
            "artifact_created_timestamp_seconds", "When the serving artifact was made", "mostrecent"
        )
        self._switches = counter("artifact_switches", "Artifacts taken up while serving", "outcome")

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def stage(self, name: str, seconds: float) -> None:
        self._stages.labels(name).observe(seconds)

    def candidates(self, task: str, n: int) -> None:
        self._candidates.labels(task).observe(n)

    def asked(self, role: str, outcome: str) -> None:
        self._llm.labels(role, outcome).inc()

    def events(self, result: AddResult) -> None:
        self._events.labels("accepted").inc(result.accepted)
        self._events.labels("duplicate").inc(result.duplicates)
        self._events.labels("rejected").inc(len(result.rejected))

    def recorded(self, n: int) -> None:
        self._impressions.inc(n)

    def lost(self, n: int) -> None:
        self._lost.inc(n)

    def switched(self, outcome: str) -> None:
        self._switches.labels(outcome).inc()

    def serving(self, artifact: str) -> None:
        """Note how old the artifact is, which its id says."""
        try:
            made = datetime.strptime(artifact[:20], "%Y-%m-%dT%H-%M-%SZ").replace(tzinfo=UTC)
        except ValueError:
            return
        self._created.set(made.timestamp())

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Counts a request as long as it waits or is computed."""
        self._queue.inc()
        try:
            yield
        finally:
            self._queue.dec()

    def page(self) -> bytes:
        """All numbers, of all workers, as Prometheus reads them."""
        if NUMBERS not in os.environ:
            return generate_latest(self._registry)
        everyone = CollectorRegistry()
        MultiProcessCollector(everyone)  # type: ignore[no-untyped-call]
        return generate_latest(everyone)
