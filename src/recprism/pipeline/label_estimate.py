"""What second opinions on labels would take, before a training is begun."""

from __future__ import annotations

from typing import Any

import polars as pl

from recprism.content.label_asking import ROLE, DoorChooser, chooser_for
from recprism.content.label_choice import OPTIONS
from recprism.content.label_second import MOST_ASKED, TRUST_TEXTS
from recprism.data.dataset import Catalog, KindTable
from recprism.llm import Choose, open_door
from recprism.project import Project


def estimate_labels(project: Project, catalog: Catalog) -> dict[str, Any]:
    """`llm_calls`, at most how many the role `label` makes, about how many `llm_tokens` it reads
    and writes, and what they cost, `llm_cost`; nothing is asked, and answers that are kept cost
    less.

    How many texts waver shows only when they are encoded: all that lack a label are counted.
    """
    total: dict[str, Any] = {"llm_calls": 0, "llm_tokens": 0, "llm_cost": 0.0}
    if not project.spec.llm.has_role(ROLE):
        return total
    door = open_door(project.spec.llm, project.path)  # nothing is asked, so nothing is to close
    for kind in catalog.kinds.values():
        for label in kind.label_names:
            chooser = chooser_for(door, project.spec, kind.name, label)
            if chooser is None:
                continue
            calls, request = _asked(kind, label, chooser)
            if request is None:
                continue
            total["llm_calls"] += calls
            total["llm_tokens"] += calls * sum(request.estimate())
    role = door.roles[ROLE]
    limit = role.budget.calls if role.budget is not None else None
    if limit is not None and total["llm_calls"] > limit:
        total["llm_tokens"] = total["llm_tokens"] * limit // total["llm_calls"]
        total["llm_calls"] = limit
    price = project.spec.llm.prices.get(role.model)
    if price is not None:  # nearly all tokens are read
        total["llm_cost"] = round(total["llm_tokens"] * price.input / 1e6, 4)
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
