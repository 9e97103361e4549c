"""How much the HTTP service does, how fast, and whether it loses anything.

    python -m benchmarks.serving [DIR] [--json] [--quick] [--workers N] [--kills N] [--soak S]

DIR is a trained project (default: `demo`), of which a copy is served; the load comes from this
process, on the same machine. Latencies are those of requests that arrive at random moments, at 80 %
of the rate that the server does at most, so that waiting in line counts. Without options 200 kill
rounds and a soak of 600 seconds follow (about 40 minutes); `--quick` is for tests.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.load import Ask, Connection, Measured, closed, open_
from benchmarks.server import Server, copy_project, second_artifact, serving

from recprism.artifact import ArtifactShelf
from recprism.evaluate.machine import describe_machine
from recprism.project import load_project
from recprism.store import open_project_store

CONNECTIONS = 16
BATCH = 100
OF_RATE = 0.8
FRESH_TRIES = 50


@dataclass(frozen=True)
class Sizes:
    """How long each part takes, in seconds or rounds."""

    part_s: float
    fresh: int
    kills: int
    soak_s: float


FULL, QUICK = Sizes(10.0, 500, 200, 600.0), Sizes(1.0, 30, 2, 4.0)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    sizes = QUICK if options.quick else FULL
    kills = sizes.kills if options.kills is None else options.kills
    soak_s = sizes.soak_s if options.soak is None else options.soak
    with tempfile.TemporaryDirectory(prefix="recprism-serving-") as folder:
        project = copy_project(options.directory.resolve(), Path(folder) / "project")
        found = asyncio.run(measure(project, sizes, options.workers, options.seed))
        found["kill9"] = asyncio.run(kill_rounds(project, kills, options.workers, options.seed))
        found["soak"] = asyncio.run(soak(project, soak_s, options.workers, options.seed))
    found |= {"workers": options.workers, "seed": options.seed, "machine": describe_machine()}
    sys.stdout.write(json.dumps(found, indent=2) + "\n" if options.json else as_text(found))
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("directory", type=Path, nargs="?", default=Path("demo"), metavar="DIR")
    parser.add_argument("--json", action="store_true", help="one JSON document in place of a table")
    parser.add_argument("--quick", action="store_true", help="a moment of everything")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes that answer")
    parser.add_argument("--kills", type=int, metavar="N", help="rounds of kill -9")
    parser.add_argument("--soak", type=float, metavar="S", help="seconds of mixed load")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    return parser.parse_args(arguments)


async def measure(project: Path, sizes: Sizes, workers: int, seed: int) -> dict[str, Any]:
    """Rates, latencies, freshness and memory."""
    tasks = list(load_project(project).spec.tasks)
    with serving(project, workers=workers) as server:
        users = known_users(server)
        await rate(server, ask_lists(users, tasks), sizes.part_s / 2)  # warms up
        livez = await rate(server, ask_livez, sizes.part_s)
        found: dict[str, Any] = {"livez": {"rps": round(livez.rps, 1)}}
        for name, asked in (("one_list", tasks[:1]), ("three_lists", tasks[:3])):
            ask = ask_lists(users, asked)
            most = await rate(server, ask, sizes.part_s)
            steady = await open_(
                server.port,
                ask,
                rate=most.rps * OF_RATE,
                connections=8 * CONNECTIONS,
                duration_s=sizes.part_s,
                seed=seed,
            )
            found[name] = described(most, steady, livez)
        events = await rate(server, ask_events(project, server), sizes.part_s, 4)
        found["events"] = {"acknowledged_per_s": round(events.rps * BATCH, 1)}
        found["freshness_ms"] = await freshness(server, tasks[0], sizes.fresh)
        found["rss_mb"] = round(max(w.memory_info().rss for w in server.workers()) / 2**20, 1)
        found["ready_s"] = round(server.ready_s, 2)
        failed = livez.failed + events.failed
    return {**found, "failed": failed}


def described(most: Measured, steady: Measured, livez: Measured) -> dict[str, Any]:
    return {
        "rps": round(most.rps, 1),
        "of_livez": round(most.rps / livez.rps, 4),
        "p50_ms": round(steady.ms(0.5), 2),
        "p99_ms": round(steady.ms(0.99), 2),
        "failed": most.failed + steady.failed,
    }


async def rate(
    server: Server, ask: Ask, duration_s: float, connections: int = CONNECTIONS
) -> Measured:
    return await closed(server.port, ask, connections=connections, duration_s=duration_s)


async def ask_livez(connection: Connection, number: int) -> int:
    del number
    return (await connection.call("GET", "/livez"))[0]


def known_users(server: Server) -> list[str]:
    found = json.loads(server.get("/v1/users?limit=1000")[1])["users"]
    return [str(user) for user in found]


def ask_lists(users: Sequence[str], tasks: Sequence[str]) -> Ask:
    """Lists for one user after another."""
    bodies = [json.dumps({"user": user, "tasks": list(tasks)}).encode() for user in users]

    async def ask(connection: Connection, number: int) -> int:
        return (await connection.call("POST", "/v1/lists", bodies[number % len(bodies)]))[0]

    return ask


def some_items(server: Server, kind: str) -> list[str]:
    found = json.loads(server.get(f"/v1/items/{kind}?limit=200")[1])["items"]
    return [str(item["id"]) for item in found]


def goal_of(project: Path) -> tuple[str, str]:
    """Kind and action of the first task, for events that the artifact knows."""
    task = next(iter(load_project(project).spec.tasks.values()))
    return task.recommend, task.goal or "view"


def ask_events(project: Path, server: Server) -> Ask:
    """Batches of events, each event for another user."""
    kind, action = goal_of(project)
    items = some_items(server, kind)

    async def ask(connection: Connection, number: int) -> int:
        rows = [
            {
                "user": f"load-{(number * BATCH + i) % 50_000}",
                "kind": kind,
                "item": items[(number + i) % len(items)],
                "action": action,
            }
            for i in range(BATCH)
        ]
        return (await connection.post("/v1/events", rows))[0]

    return ask


async def freshness(server: Server, task: str, n: int) -> dict[str, float]:
    """Milliseconds from an event's acknowledgment to the first answer that knows it."""
    kind, action = goal_of(server.directory)
    item = some_items(server, kind)[0]
    waits = Measured()
    one, other = Connection(server.port), Connection(server.port)
    for number in range(n):
        user = f"fresh-{number}"
        event = {"user": user, "kind": kind, "item": item, "action": action}
        assert (await one.post("/v1/events", event))[0] == 202
        acknowledged = time.perf_counter()
        for _ in range(FRESH_TRIES):
            _, answer = await other.post("/v1/lists", {"user": user, "tasks": [task]})
            if not answer["cold"]:
                break
        waits.seconds.append(time.perf_counter() - acknowledged)
    one.close()
    other.close()
    return {"p50": round(waits.ms(0.5), 2), "p99": round(waits.ms(0.99), 2)}


async def kill_rounds(project: Path, rounds: int, workers: int, seed: int) -> dict[str, int]:
    """Events sent while the server is killed at random moments; then the store is counted."""
    rng = random.Random(seed)
    kind, action = goal_of(project)
    acknowledged: set[str] = set()
    for number in range(rounds):
        server = Server(project, workers=workers)
        senders = [
            asyncio.create_task(_send(server.port, f"{number}-{i}", kind, action, acknowledged))
            for i in range(4)
        ]
        await asyncio.sleep(rng.uniform(0.05, 1.0))
        server.kill()
        await asyncio.gather(*senders)
    found = count_keys(project)
    return {
        "rounds": rounds,
        "acknowledged": len(acknowledged),
        "lost": sum(key not in found for key in acknowledged),
        "duplicated": sum(n > 1 for key, n in found.items() if key.startswith("kill-")),
    }


async def _send(port: int, name: str, kind: str, action: str, acknowledged: set[str]) -> None:
    """Send events until nobody answers any more; each has a key and is sent once."""
    connection = Connection(port)
    for number in range(10**9):
        keys = [f"kill-{name}-{number}-{i}" for i in range(10)]
        rows = [
            {"user": key, "kind": kind, "item": "x", "action": action, "idempotency_key": key}
            for key in keys
        ]
        try:
            status, _ = await connection.post("/v1/events", rows)
        except (OSError, EOFError):
            return
        if status == 202:
            acknowledged.update(keys)


def count_keys(project: Path) -> Counter[str]:
    """How often each idempotency key stands in the store."""
    store, found, last = open_project_store(load_project(project)), Counter[str](), 0
    while rows := store.events_after(last, 10_000):
        found.update(event.idempotency_key for _, event in rows if event.idempotency_key)
        last = rows[-1][0]
    store.close()
    return found


async def soak(project: Path, duration_s: float, workers: int, seed: int) -> dict[str, Any]:
    """Lists and events together, while the artifact is switched; server errors and memory."""
    tasks = list(load_project(project).spec.tasks)
    other = second_artifact(project)
    shelf = ArtifactShelf(project / ".recprism" / "artifacts")
    with serving(project, workers=workers) as server:
        users = known_users(server)
        lists, events = ask_lists(users, tasks), ask_events(project, server)
        errors: Counter[str] = Counter()

        async def mixed(connection: Connection, number: int) -> int:
            status = await (events if number % 10 == 0 else lists)(connection, number)
            errors["5xx"] += status >= 500
            return status

        async def switch() -> None:
            while True:
                await asyncio.sleep(max(1.5, duration_s / 40))
                shelf.use(other) if shelf.pinned() is None else shelf.unpin()

        switching = asyncio.create_task(switch())
        await open_(
            server.port, mixed, rate=30.0, connections=64, duration_s=duration_s / 5, seed=seed
        )
        before = sum(worker.memory_info().rss for worker in server.workers())
        load = await open_(
            server.port, mixed, rate=30.0, connections=64, duration_s=duration_s * 0.8, seed=seed
        )
        after = sum(worker.memory_info().rss for worker in server.workers())
        switching.cancel()
    return {
        "seconds": round(duration_s, 1),
        "requests": len(load.seconds),
        "errors_5xx": errors["5xx"],
        "rss_growth_mb": round((after - before) / 2**20, 1),
    }


def as_text(found: Mapping[str, Any]) -> str:
    lines = [found["machine"] if isinstance(found["machine"], str) else str(found["machine"])]
    for name, value in found.items():
        if name != "machine":
            inner = value if isinstance(value, dict) else {"": value}
            told = ", ".join(f"{k} {v}".strip() for k, v in inner.items())
            lines.append(f"{name:14} {told}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
