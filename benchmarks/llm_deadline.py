"""What a language model that hangs costs an answer with three lists.

    python -m benchmarks.llm_deadline [--requests N] [--json]

The small shop of the tests is trained in a folder that goes away. Every user in turn gets three
lists with reasons: with the role `explain` off, with a backend that would answer after a minute,
and, to tell what asking costs apart from waiting, with one that answers at once. The cache is off
for the hanging one by its nature, and the quick one meets each sentence for the first time once.
Milliseconds are those around `Engine.recommend`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from recprism.engine import open_engine
from recprism.evaluate.machine import describe_machine
from recprism.llm import Complete, Door, Ledger, Reply, Role
from recprism.pipeline import train
from recprism.project import load_project
from recprism.store import MemoryStore
from recprism.testing.llms import EchoLLM
from recprism.testing.shops import shop_users, write_shop

DEADLINE_MS = 100.0
REQUESTS, QUICK_REQUESTS = 400, 40
WARM_UP = 20
AT = "2024-05-20T08:00"
FIELDS = ("products.name", "products.department", "products.family", "history")


class Hangs(EchoLLM):
    """Would answer after a minute."""

    async def complete(self, request: Complete) -> Reply[str]:
        await asyncio.sleep(60.0)
        return await super().complete(request)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.llm_deadline", description=__doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    options = parser.parse_args(arguments)
    found = measure_deadline(options.requests)
    if options.json:
        result = {"deadline": found, "machine": describe_machine()}
        sys.stdout.write(json.dumps(result, indent=2) + "\n")
    else:
        sys.stdout.write("\n".join(deadline_lines(found)) + "\n")
    return 0


def measure_deadline(requests: int = REQUESTS) -> dict[str, Any]:
    """Milliseconds of three lists without a model, with one that hangs, and with a quick one."""
    with tempfile.TemporaryDirectory() as folder:
        shop = write_shop(Path(folder) / "shop")
        train(load_project(shop))
        off, _ = _times(shop, None, requests, Path(folder))
        hanging, said = _times(shop, Hangs(), requests, Path(folder))
        quick, _ = _times(shop, EchoLLM(), requests, Path(folder))
    found: dict[str, Any] = {"deadline_ms": DEADLINE_MS, "requests": requests, "said": said}
    for name, ms in (("off", off), ("hanging", hanging), ("quick", quick)):
        found[f"p50_ms_{name}"] = round(float(np.quantile(ms, 0.5)), 3)
        found[f"p99_ms_{name}"] = round(float(np.quantile(ms, 0.99)), 3)
    found["p99_ms_added"] = round(found["p99_ms_hanging"] - found["p99_ms_off"], 3)
    return found


def _times(
    shop: Path, backend: EchoLLM | None, requests: int, folder: Path
) -> tuple[np.ndarray, dict[str, int]]:
    """Milliseconds of each request, and how often an answer's `llm` said what."""
    door = None if backend is None else _door(backend, folder)
    users, said = shop_users(), dict[str, int]()
    ms = np.zeros(requests)
    with open_engine(shop, store=MemoryStore(), door=door) as engine:
        for number in range(-WARM_UP, requests):
            start = perf_counter()
            answer = engine.recommend(users[number % len(users)], at=AT)
            if number >= 0:
                ms[number] = (perf_counter() - start) * 1000.0
                said[answer.llm] = said.get(answer.llm, 0) + 1
    return ms, said


def _door(backend: EchoLLM, folder: Path) -> Door:
    role = Role(model="benchmark", deadline_s=DEADLINE_MS / 1000.0)
    ledger = Ledger(folder / f"{type(backend).__name__}.sqlite")
    return Door(lambda _: backend, {"explain": role}, name="test", ledger=ledger, fields=FIELDS)


def deadline_lines(found: dict[str, Any]) -> list[str]:
    """A table in words."""
    lines = [f"three lists, milliseconds ({found['requests']} requests)"]
    lines += [
        f"  {name:<8} p50 {found[f'p50_ms_{name}']:>8.1f}   p99 {found[f'p99_ms_{name}']:>8.1f}"
        for name in ("off", "hanging", "quick")
    ]
    lines.append(
        f"  a hanging model adds {found['p99_ms_added']:.1f} ms to the 99th percentile; "
        f"the deadline is {found['deadline_ms']:.0f} ms"
    )
    return lines


if __name__ == "__main__":
    sys.exit(main())
