"""How many requests somebody may make: a bucket of tokens for each key, in each worker.

A bucket holds at most `burst` tokens and gains `rate_per_s` a second; a request takes one (the
token bucket of Turner, 1986).
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic


class Rates:
    """Buckets by key. Only keys that exist get one, so there are never more than those."""

    def __init__(
        self, rate_per_s: float | None, burst: int, clock: Callable[[], float] = monotonic
    ) -> None:
        self._rate, self._burst, self._clock = rate_per_s, float(burst), clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait_s(self, key: str) -> float:
        """0 when a request may go on (a token is then taken), else the seconds until one may."""
        if self._rate is None:
            return 0.0
        now = self._clock()
        tokens, since = self._buckets.get(key, (self._burst, now))
        tokens = min(self._burst, tokens + (now - since) * self._rate)
        if tokens < 1.0:
            self._buckets[key] = (tokens, now)
            return (1.0 - tokens) / self._rate
        self._buckets[key] = (tokens - 1.0, now)
        return 0.0
