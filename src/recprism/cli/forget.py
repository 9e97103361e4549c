"""`recprism forget`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recprism.cli.options import AsJson, Directory, User
from recprism.cli.output import write, write_json


def forget(*, directory: Directory = Path(), user: User, as_json: AsJson = False) -> None:
    """Erase a person everywhere and print a receipt, which does not hold the id."""
    from recprism.pipeline import erase
    from recprism.project import load_project
    from recprism.store import open_project_store

    project = load_project(directory)
    store = open_project_store(project)
    try:
        receipt = erase(project, store, user).to_dict()
    finally:
        store.close()
    write_json(receipt) if as_json else write(*_told(receipt))


def _told(receipt: dict[str, Any]) -> list[str]:
    """The receipt in lines for a person."""
    removed = [f"{count:,} {name}" for name, count in receipt["store"].items() if count]
    lines = [
        f"Receipt {receipt['receipt']} of {receipt['time']}",
        f"  store: {', '.join(removed) or 'held nothing'}",
        f"  artifacts written anew: {len(receipt['artifacts'])}",
        f"  caches removed: {receipt['caches']}",
        f"  answers of the language model removed: {receipt['llm_answers']}",
    ]
    if receipt["report"]:
        lines.append("  `report.html` named the person and was removed")
    lines += [f"  still to come: {what}" for what in receipt["pending"]]
    for place in receipt["sources"]:
        lines.append(
            f"  left: {place['rows']:,} rows in `{place['source']}` ({place['section']}); they are "
            "not read again, remove them there"
        )
    if receipt["retrain"]:
        lines.append("  `recprism train` learns without the person; until then counts remember")
    return lines
