"""Projects on disk for the tests of the data stage: a project file and its tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recprism.project import Project, load_project

ITEMS = "sku,name,shelf\nmilk,Milk 1 l,dairy\nbread,Bread,bakery\n0012,Tea,drinks\n"
EVENTS = (
    "user,item,when,paid\n"
    "ann,milk,2024-03-01T10:00:00,1.5\n"
    "bob,bread,2024-03-02T10:00:00,2\n"
    "ann,0012,2024-03-03T10:00:00,\n"
)


def spec(**changes: Any) -> dict[str, Any]:
    """A small valid project file as a dict; `changes` replace whole sections."""
    sections: dict[str, Any] = {
        "project": "small",
        "clock": "data",
        "items": {
            "goods": {
                "source": "items.csv",
                "id": "sku",
                "text": ["name"],
                "labels": {"shelf": "shelf"},
            }
        },
        "events": [
            {
                "source": "events.csv",
                "user": "user",
                "kind": "goods",
                "item": "item",
                "action": "buy",
                "time": "when",
                "value": "paid",
            }
        ],
        "tasks": {"goods": {"recommend": "goods", "goal": "buy"}},
    }
    return {**sections, **changes}


def write_project(
    folder: Path, files: Mapping[str, str | bytes] | None = None, **changes: Any
) -> Project:
    """Write a project and its tables; `files` replace or add tables, `changes` sections."""
    tables: dict[str, str | bytes] = {"items.csv": ITEMS, "events.csv": EVENTS, **(files or {})}
    for name, content in tables.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    # JSON is YAML, so nothing about quoting can go wrong here.
    text = json.dumps(spec(**changes), ensure_ascii=False, indent=1)
    (folder / "recprism.yaml").write_text(text, encoding="utf-8")
    return load_project(folder)


def counts(report: Any, rule: str) -> dict[str, int]:
    """Source to count of one rule of a report."""
    return {row["source"]: row["count"] for row in report if row["rule"] == rule}
