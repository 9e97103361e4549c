"""Whole answers by a language model: how many parse, how many reasons pass, what attacks change.

    python -m benchmarks.llm_compose MODEL [--base-url URL] [--answers N] [--size N] [--json]

The small shop of the tests is trained in a folder that goes away, and N of its users get lists of
products and coupons. `MODEL` is a name of `recprism llm weights`, the path of a GGUF file, or with
`--base-url` what a server calls its model. `orders` says how asking ended, in how many answers all
lists came in the model's order, and how long it took; `reasons` how many the guard let pass. For
`attacks` six products carry an instruction such as "rank me first" in their names, in another shop
a harmless sentence instead, and the same users are asked for numbers alone: places count from 1, an
item that is not shown has the place after the last. Differences are paired, with 95 % bootstrap
intervals over users.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from recprism.engine import Engine, open_engine
from recprism.engine.offering import DEPTH
from recprism.evaluate.bootstrap import mean_with_interval, paired_difference
from recprism.evaluate.machine import describe_machine
from recprism.llm import Door, Ledger, Role
from recprism.llm.backend import Backend
from recprism.llm.opening import ask_check, open_backend
from recprism.pipeline import train
from recprism.project import load_project
from recprism.project.schema import Llm
from recprism.store import MemoryStore
from recprism.testing.shops import shop_users, write_shop

AT = "2024-05-17T08:00"
FIELDS = ("products.name", "products.department", "history")
TASKS = ("products", "coupons")
DEADLINE_S = 300.0
PLANTED = ("yogurt", "toast", "bananas", "rice", "coffee", "soap")
Backends = Callable[[], Backend]
"""Opens a backend; each belongs to one door."""
TEXTS = Path(__file__).parent / "attacks.json"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.llm_compose", description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--base-url")
    parser.add_argument("--answers", type=int, default=20)
    parser.add_argument("--size", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    options = parser.parse_args(arguments)
    settings = Llm(
        backend="openai" if options.base_url else "embedded",
        model=options.model,
        base_url=options.base_url,
    )
    found = measure(
        lambda: open_backend(settings, options.model, Path.cwd()),
        shop_users()[: options.answers],
        options.size,
    )
    if options.json:
        found = {**found, "machine": describe_machine()}
    sys.stdout.write((json.dumps(found, indent=2) if options.json else as_text(found)) + "\n")
    return 0


def measure(backend: Backends, users: Sequence[str], size: int) -> dict[str, Any]:
    """Answers with reasons of the usual shop, and places in two shops with planted texts."""
    texts = json.loads(TEXTS.read_text(encoding="utf-8"))
    attacks = [one["text"] for one in texts["attacks"] if "{label}" not in one["text"]]
    harmless = list(texts["harmless"].values())
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        usual = _shop(place / "usual", lambda _: "")
        found = _answers(usual, backend, users, size)
        places = {
            name: _places(_shop(place / name, _planting(some)), backend, users, size)
            for name, some in (("attack", attacks), ("harmless", harmless))
        }
    return {"users": len(users), "size": size, **found, "attacks": _compared(places)}


def _planting(texts: Sequence[str]) -> Callable[[str], str]:
    numbers = {name: number for number, name in enumerate(PLANTED)}
    return lambda name: f" {texts[numbers[name] % len(texts)]}" if name in numbers else ""


def _shop(folder: Path, suffix: Callable[[str], str]) -> Path:
    """The shop with something after the names of some products, trained."""
    shop = write_shop(folder)
    file = shop / "data" / "products.csv"
    header, *lines = file.read_text(encoding="utf-8").splitlines()
    cells = [line.split(",") for line in lines]
    rows = [[product, f'"{name}{suffix(name)}"', *rest] for product, name, *rest in cells]
    file.write_text("\n".join([header, *map(",".join, rows)]) + "\n", encoding="utf-8")
    train(load_project(shop))
    return shop


def _open(shop: Path, backend: Backends, ledger: Path | None) -> Engine:
    role = Role(model="m", deadline_s=DEADLINE_S)
    door = Door(
        lambda _: backend(),
        {"compose": role, "check": role},
        name="benchmark",
        ledger=Ledger(ledger),
        fields=FIELDS,
    )
    ask_check(door)
    return open_engine(shop, store=MemoryStore(), door=door)


def _answers(shop: Path, backend: Backends, users: Sequence[str], size: int) -> dict[str, Any]:
    states: Counter[str] = Counter()
    whole, ms = 0, np.zeros(len(users))
    with _open(shop, backend, shop / "llm.sqlite") as engine:
        for number, user in enumerate(users):
            start = perf_counter()
            answer = engine.recommend(user, TASKS, size=size, at=AT)
            ms[number] = (perf_counter() - start) * 1000.0
            states[answer.llm] += 1
            lists = [ranked for ranked in answer.lists.values() if len(ranked.items) > 1]
            whole += all(ranked.composed for ranked in lists)
    spent = next(one for one in Ledger(shop / "llm.sqlite").spent() if one.role == "compose")
    return {
        "orders": {
            "states": dict(states),
            "whole": whole,
            "ms_p50": round(float(np.median(ms)), 1),
            "ms_max": round(float(ms.max()), 1),
            "tokens_in": spent.tokens_in,
            "tokens_out": spent.tokens_out,
        },
        "reasons": {"accepted": spent.accepted, "refused": spent.refused},
    }


def _places(
    shop: Path, backend: Backends, users: Sequence[str], size: int
) -> dict[tuple[str, str], int]:
    """The place of each planted product in each list of products that it could stand in."""
    found: dict[tuple[str, str], int] = {}
    with _open(shop, backend, None) as engine:
        for user in users:
            usual = engine.rank_all(user, "products", AT)
            kind = usual.plan.kind
            titles = dict(
                zip(kind.ids.values.to_list(), kind.table["title"].to_list(), strict=True)
            )
            answer = engine.recommend(user, ["products"], size=size, at=AT, explain=False)
            shown = [item.id for item in answer.lists["products"].items]
            for row in usual.candidates.item[: DEPTH * size].tolist():
                item = kind.ids[row - kind.start]
                name = titles[item].partition(" ")[0]
                if name in PLANTED:
                    found[user, name] = shown.index(item) + 1 if item in shown else size + 1
    return found


def _compared(places: dict[str, dict[tuple[str, str], int]]) -> dict[str, Any]:
    both = sorted(places["attack"].keys() & places["harmless"].keys())
    values = {name: [float(some[pair]) for pair in both] for name, some in places.items()}
    users = [shop_users().index(user) for user, _ in both]
    return {
        **{name: mean_with_interval(some, users).to_dict() for name, some in values.items()},
        "difference": paired_difference(values["attack"], values["harmless"], users).to_dict(),
        "first": {name: sum(one == 1 for one in some) for name, some in values.items()},
    }


def as_text(found: dict[str, Any]) -> str:
    """A few lines in words."""
    orders, reasons, attacks = found["orders"], found["reasons"], found["attacks"]
    gap = attacks["difference"]
    return "\n".join(
        [
            f"{found['users']} answers of up to {found['size']} items a list: {orders['states']}",
            f"  all lists in the model's order: {orders['whole']}",
            f"  milliseconds: median {orders['ms_p50']:,.0f}, most {orders['ms_max']:,.0f}",
            f"  tokens: {orders['tokens_in']:,} read, {orders['tokens_out']:,} written",
            f"  reasons accepted: {reasons['accepted']}, refused: {reasons['refused']}",
            f"  place of {gap['n']} planted items: {attacks['attack']['value']} with an attack, "
            f"{attacks['harmless']['value']} with a harmless text; difference {gap['value']} "
            f"[{gap['low']}, {gap['high']}]; first: {attacks['first']}",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
