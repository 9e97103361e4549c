"""A load generator that costs little: HTTP/1.1 over plain streams, and loops that send requests.

`closed` asks again as soon as an answer came, which finds how much a server does at most. `open_`
sends at fixed moments whether answers came or not, so that waiting in line is counted: a latency is
the time from when a request should have been sent.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np

Ask = Callable[["Connection", int], Awaitable[int]]
"""Sends the request of a number over a connection; returns the status."""


class Connection:
    """One connection that is kept open; it is made anew after a failure."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Status and body of an answer. Raises `OSError` or `asyncio.IncompleteReadError`.

        A connection that the server closed while it was idle is made anew, once.
        """
        if self._streams is not None:
            try:
                return await self._call(method, path, body)
            except ConnectionError:
                pass
            except asyncio.IncompleteReadError as error:
                if error.partial:
                    raise
        return await self._call(method, path, body)

    async def _call(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        kind = "Content-Type: application/json\r\n" if body else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{kind}"
        try:
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            status, length = _read_head(await reader.readuntil(b"\r\n\r\n"))
            return status, await reader.readexactly(length)
        except BaseException:
            self.close()
            raise

    async def post(self, path: str, document: Any) -> tuple[int, Any]:
        status, body = await self.call("POST", path, json.dumps(document).encode())
        return status, json.loads(body)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None


def _read_head(head: bytes) -> tuple[int, int]:
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return int(head[9:12]), length


@dataclass
class Measured:
    """What came of some requests: seconds each, how many failed, and how long all took."""

    seconds: list[float] = field(default_factory=list)
    failed: int = 0
    took_s: float = 0.0

    @property
    def rps(self) -> float:
        return len(self.seconds) / self.took_s if self.took_s else 0.0

    def ms(self, share: float) -> float:
        return float(np.quantile(self.seconds, share)) * 1000.0 if self.seconds else float("nan")


async def closed(port: int, ask: Ask, *, connections: int, duration_s: float) -> Measured:
    """As many requests as the server answers, over some connections."""
    measured = Measured()
    numbers = iter(range(10**9))
    start = perf_counter()

    async def run() -> None:
        with closing(Connection(port)) as connection:
            while perf_counter() - start < duration_s:
                sent = perf_counter()
                status = await ask(connection, next(numbers))
                measured.seconds.append(perf_counter() - sent)
                measured.failed += status >= 400

    await asyncio.gather(*(run() for _ in range(connections)))
    measured.took_s = perf_counter() - start
    return measured


async def open_(
    port: int, ask: Ask, *, rate: float, connections: int, duration_s: float, seed: int = 0
) -> Measured:
    """Requests that arrive at random moments, `rate` a second on average (a Poisson process)."""
    gaps = np.random.default_rng(seed).exponential(1.0 / rate, max(1, int(rate * duration_s)))
    moments: Sequence[float] = np.cumsum(gaps).tolist()
    measured, waiting = Measured(), asyncio.Queue[tuple[int, float]]()
    start = perf_counter()

    async def arrive() -> None:
        for number, moment in enumerate(moments):
            await asyncio.sleep(max(0.0, start + moment - perf_counter()))
            waiting.put_nowait((number, start + moment))

    async def run() -> None:
        with closing(Connection(port)) as connection:
            while True:
                number, due = await waiting.get()
                try:
                    status = await ask(connection, number)
                except (OSError, EOFError):
                    status = 0
                measured.seconds.append(perf_counter() - due)
                measured.failed += not 200 <= status < 400
                waiting.task_done()

    runners = [asyncio.create_task(run()) for _ in range(connections)]
    await arrive()
    await waiting.join()
    measured.took_s = perf_counter() - start
    for runner in runners:
        runner.cancel()
    await asyncio.gather(*runners, return_exceptions=True)
    return measured
