"""What a training would take, before it is begun."""

from __future__ import annotations

import os
from typing import Any

import polars as pl

from recprism.content.label_asking import ROLE, DoorChooser, chooser_for, is_on
from recprism.content.label_choice import OPTIONS
from recprism.content.label_second import MOST_ASKED, TRUST_TEXTS
from recprism.data.build import load_dataset
from recprism.data.dataset import Catalog, KindTable
from recprism.llm import Choose, open_door
from recprism.project import Project
from recprism.signals.plan import compile_tasks

TEXTS_PER_S = 70
LIST_MS = 4.0
"""What `plan` reckons with: texts encoded per second, and milliseconds per training list."""


def plan(project: Project) -> dict[str, Any]:
    """What `train` would do, estimated from the data: counts, seconds, memory, model calls.

    The data is loaded to count it; nothing is encoded, trained or written. Seconds are those of two
    cores of an ordinary server.
    """
    dataset = load_dataset(project)
    catalog, log = dataset.catalog, dataset.events
    texts = pl.concat([kind.table["text"] for kind in catalog.kinds.values()])
    n_texts = texts.drop_nulls().n_unique()
    goals = [p for p in compile_tasks(project.spec, catalog).values() if p.has_goal]
    samples = project.spec.ranker.snapshots * min(len(catalog.users), 100_000) * len(goals)
    seconds = {
        "load": len(log) / 150_000,
        "encode": n_texts / TEXTS_PER_S if project.spec.content.encoder != "none" else 0.0,
        "samples": (samples * LIST_MS / 1000 + len(log) * 1e-4) / (os.cpu_count() or 1),
        "train": samples / 700,
    }
    llm = ask_estimate(project, catalog)
    return {
        "users": len(catalog.users),
        "items": catalog.n_items,
        "events": len(log),
        "texts": n_texts,
        "lists": samples,
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "memory_mb": round(
            600 + (len(log) * 600 + catalog.n_items * 4000 + samples * 16_000) / 1e6
        ),
        "llm_calls": llm["calls"],
        "llm_tokens": llm["tokens"],
        "llm_cost": llm["cost"],
    }


def ask_estimate(project: Project, catalog: Catalog) -> dict[str, Any]:
    """At most how many `calls` the role `label` makes, about how many `tokens` it reads and writes,
    and what they `cost`; no model is loaded, and answers that are kept cost less.

    How many texts waver shows only when they are encoded: all that lack a label are counted.
    """
    total: dict[str, Any] = {"calls": 0, "tokens": 0, "cost": 0.0}
    if not is_on(project.spec):
        return total
    door = open_door(project.spec.llm, project.path)
    for kind in catalog.kinds.values():
        for label in kind.label_names:
            chooser = chooser_for(door, project.spec, kind.name, label)
            if chooser is None:
                continue
            calls, request = _asked(kind, label, chooser)
            if request is None:
                continue
            total["calls"] += calls
            total["tokens"] += calls * sum(request.estimate())
    role = door.roles[ROLE]
    limit = role.budget.calls if role.budget is not None else None
    if limit is not None and total["calls"] > limit:
        total["tokens"] = total["tokens"] * limit // total["calls"]
        total["calls"] = limit
    price = project.spec.llm.prices.get(role.model)
    if price is not None:  # nearly all tokens are read
        total["cost"] = round(total["tokens"] * price.input / 1e6, 4)
    return total


def _asked(kind: KindTable, label: str, chooser: DoorChooser) -> tuple[int, Choose | None]:
    """At most how many texts of a kind are asked about, and what is asked about a typical one."""
    table = kind.table.filter(pl.col("text").is_not_null()).unique("text")
    given = pl.col(f"label:{label}").replace("", None).is_not_null()
    bare, names = table.filter(~given), table.filter(given)[f"label:{label}"].unique().sort()
    if not len(bare) or len(names) < 2:
        return 0, None
    text = max(bare["text"].head(100).to_list(), key=len)
    request = chooser.request(text, names.head(OPTIONS).to_list())
    return min(len(bare), MOST_ASKED) + min(table.height - len(bare), TRUST_TEXTS), request
