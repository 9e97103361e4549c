"""The benchmark of the service measures what it says, on a small project."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from benchmarks.load import Connection, Measured, open_
from benchmarks.serving import as_text, main


def test_a_quick_run_gives_the_whole_document(
    trained_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--json", "--quick", "--workers", "1", "--kills", "1", "--soak", "3"]
    assert main([str(trained_shop), *words]) == 0
    found = json.loads(capsys.readouterr().out)
    for name in ("one_list", "three_lists"):
        assert found[name]["rps"] > 0
        assert found[name]["p50_ms"] <= found[name]["p99_ms"]
        assert found[name]["failed"] == 0
    assert found["livez"]["rps"] > found["one_list"]["rps"]
    assert found["events"]["acknowledged_per_s"] > 0
    assert found["freshness_ms"]["p50"] > 0
    assert (found["rss_mb"] > 0, found["ready_s"] > 0) == (True, True)
    assert found["kill9"]["acknowledged"] > 0
    assert (found["kill9"]["lost"], found["kill9"]["duplicated"]) == (0, 0)
    assert found["soak"]["requests"] > 0
    assert found["soak"]["errors_5xx"] == 0
    assert "three_lists" in as_text(found)


def test_waiting_in_line_counts() -> None:
    """A server that answers one request at a time, each after 20 ms, asked 100 times a second."""

    async def measured() -> Measured:
        async def ask(connection: Connection, number: int) -> int:
            del connection, number
            await asyncio.sleep(0.02)
            return 200

        return await open_(0, ask, rate=100.0, connections=1, duration_s=0.5)

    found = asyncio.run(measured())
    assert len(found.seconds) == 50
    assert found.ms(0.99) > 10 * 20
    assert found.ms(0.5) > found.ms(0.05)
