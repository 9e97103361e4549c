"""What a training would take, before it is begun."""

from __future__ import annotations

import os
from typing import Any

import polars as pl

from recprism.data.build import load_dataset
from recprism.pipeline.label_estimate import estimate_labels
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
        **estimate_labels(project, catalog),
    }
