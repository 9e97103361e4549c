"""What a training would take, before it is begun."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from recprism.data.build import load_dataset
from recprism.data.dataset import Catalog, EventLog
from recprism.llm.ledger import Budget
from recprism.llm.opening import open_door
from recprism.llm.requests import BYTES_PER_TOKEN
from recprism.pipeline.label_estimate import estimate_labels
from recprism.pipeline.online import read_store
from recprism.project import Project
from recprism.project.schema import ProjectFile
from recprism.ranker.harvest import WEEK_US
from recprism.signals.asking import GRID_US
from recprism.signals.plan import compile_tasks
from recprism.signals.teacher import ROLE, Teacher

TEXTS_PER_S = 70
LIST_MS = 4.0
LLM_TOKENS_PER_S = 60
"""What `plan` reckons with: texts encoded per second, milliseconds per training list, and tokens
that an embedded model of 135 million numbers reads or writes per second."""


def plan(project: Project) -> dict[str, Any]:
    """What `train` would do, estimated from the data: counts, seconds, memory, model calls.

    The data is loaded to count it; nothing is encoded, trained or written. Seconds are those of two
    cores of an ordinary server.
    """
    dataset = load_dataset(project, online=read_store(project).online)
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
    by_role = [_asked(project, catalog, log), estimate_labels(project, catalog)]
    asked = {name: sum(of_role[name] for of_role in by_role) for name in by_role[0]}
    if asked["llm_tokens"]:
        seconds["llm"] = asked["llm_tokens"] / LLM_TOKENS_PER_S
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
        **asked,
    }


def _asked(project: Project, catalog: Catalog, log: EventLog) -> dict[str, float]:
    """Calls of the language model by the role `rank`, their tokens and cost; at most its budget.

    The most that it can be: answers that are cached already are not asked for again.
    """
    spec, config = project.spec, project.spec.signals.llm
    if not spec.llm.has_role(ROLE) or not len(log):
        return {"llm_calls": 0, "llm_tokens": 0, "llm_cost": 0.0}
    door = open_door(spec.llm, project.path)
    teacher, role = Teacher.of(spec, catalog, door), door.roles[ROLE]
    texts = [text for text in teacher.texts if text]
    text, prompt = _mean_tokens(texts), _mean_tokens([teacher.prompt(()).system])
    users = _rounds(spec, log) * min(config.users, len(catalog.users)) if texts else 0
    items = min(users * config.items, len(set(texts)))
    read = users * (prompt + config.history * text) + items * prompt
    written = (users * config.items + items) * text
    cost = door.price(role.model).of(round(read), round(written))
    door.close()
    most = role.budget or Budget()
    return {
        "llm_calls": _at_most(users + items, most.calls),
        "llm_tokens": _at_most(round(read + written), most.tokens),
        "llm_cost": _at_most(round(cost, 4), most.cost),
    }


def _rounds(spec: ProjectFile, log: EventLog) -> int:
    """How many times people are drawn: snapshots of neighboring weeks ask the same questions.

    Tasks that are asked on the days of their goal learn from snapshots over all of the past.
    """
    span = spec.ranker.snapshots * WEEK_US
    if any(task.ask != "weekly" for task in spec.tasks.values()):
        span = max(span, int(np.ptp(log.time)))
    is_one = span == WEEK_US and not spec.signals.refit
    return 1 if is_one else 1 + -(-span // GRID_US)


def _mean_tokens(texts: Sequence[str]) -> float:
    return sum(len(text.encode()) for text in texts) / BYTES_PER_TOKEN / max(1, len(texts))


def _at_most(number: float, limit: float | None) -> float:
    return number if limit is None else min(number, limit)
