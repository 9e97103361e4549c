"""Leave-last-out as a RecPrism project, so that the ordinary pipeline runs it.

Files without times say only in which order a user's events came. Here their times are aligned at
the end: everybody's last event (the test) lies at `TEST`, the one before (validation) a day
earlier at `VALID`, the others on the days before. Training `--until TEST` with a single snapshot
and without a refit then knows what leave-last-out allows: signals are fitted on what lies before
`VALID`, the ranker learns from the events at `VALID`, and asking at `TEST` folds in each user's own
past alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from ruamel.yaml import YAML

from recprism.project import FILE_NAME

STEP = timedelta(days=1)
VALID = datetime(2020, 1, 6)
"""A Monday 00:00, where the weekly grid of snapshots has a point."""
TEST = VALID + STEP
EVENTS, ITEMS = "events.parquet", "items.parquet"


def write_project(
    folder: Path, events: pl.DataFrame, items: pl.DataFrame, sections: Mapping[str, Any]
) -> Path:
    """Write the tables and a project file with `sections` over the common ones; the folder.

    `events` has the columns `user`, `item`, `action`, `time`, `items` the column `id`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    events.write_parquet(folder / EVENTS)
    items.write_parquet(folder / ITEMS)
    common = {
        "project": "leave-out",
        "timezone": "UTC",
        "clock": "data",
        "items": {"items": {"source": ITEMS, "id": "id"}},
        "events": [
            {
                "source": EVENTS,
                "user": "user",
                "kind": "items",
                "item": "item",
                "action_column": "action",
                "time": "time",
            }
        ],
        "signals": {"refit": False},
        "ranker": {"snapshots": 1},
    }
    YAML().dump(_merged(common, sections), folder / FILE_NAME)
    return folder


def aligned_times(lengths: Iterable[int], last: datetime = TEST) -> list[datetime]:
    """Times of users' events one after another, given how many each has; the last at `last`."""
    sizes = np.fromiter(lengths, np.int64)
    back = np.concatenate([np.arange(n - 1, -1, -1) for n in sizes.tolist()] or [np.zeros(0, int)])
    return [last - STEP * int(days) for days in back]


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid over `base`, nested mappings merged."""
    out = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(out.get(key), Mapping)
        out[key] = _merged(out[key], value) if both else value
    return out


def hit_metrics(ranks: np.ndarray, cutoffs: Sequence[int] = (5, 10)) -> dict[str, float]:
    """recall@k (hit rate) and NDCG@k of one relevant item per list.

    `ranks` [lists] counts from 0; a negative rank is a miss.
    """
    found: dict[str, float] = {}
    n = max(1, len(ranks))
    for k in cutoffs:
        hit = (ranks >= 0) & (ranks < k)
        gain = np.where(hit, 1.0 / np.log2(2.0 + np.maximum(ranks, 0)), 0.0)
        found |= {f"recall@{k}": float(hit.sum()) / n, f"ndcg@{k}": float(gain.sum()) / n}
    return found
