"""A real, if modest, recommender to evaluate: popularity among what may be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from recprism.data.dataset import Dataset
from recprism.data.times import to_micros
from recprism.evaluate.baselines import BaselineRules, fit_baselines
from recprism.evaluate.protocol import candidates_for, find_goal
from recprism.project import Project
from recprism.project.schema import ProjectFile
from recprism.records import Answer, Evidence, RankedItem, RankedList, Reason

TASKS = {
    "products": {"recommend": "products", "goal": "purchase"},
    "coupons": {
        "recommend": "coupons",
        "goal": "redeem",
        "horizon": "1d",
        "size": 5,
        "ask": "events",
    },
    "ads": {"recommend": "ads", "goal": "purchase", "via": "promotes"},
}


def shop_project(**changes: object) -> Project:
    """The project of `small_shop`, with top-level sections changed."""
    table = {"source": "x.csv", "id": "id"}
    spec = ProjectFile.model_validate(
        {
            "project": "shop",
            "items": {"products": table, "coupons": table, "ads": table},
            "tasks": TASKS,
        }
        | changes
    )
    return Project(Path("."), Path("recprism.yaml"), spec, "0" * 12)


@dataclass(frozen=True)
class PopularEngine:
    """Ranks by `rule` among the candidates; its probability is the item's share of goal events."""

    project: Project
    dataset: Dataset
    rules: Mapping[str, BaselineRules]
    rule: str = "popular"

    def recommend(
        self,
        user: str | None,
        tasks: Sequence[str] | None = None,
        *,
        size: int | None = None,
        at: datetime | str | None = None,
        record: bool = False,
        explain: bool = True,
    ) -> Answer:
        assert isinstance(at, datetime)
        assert user is not None
        assert not record
        names = list(self.rules) if tasks is None else tasks
        lists = {task: self._list(user, task, size or 10, at, explain) for task in names}
        return Answer(
            request_id="r", user=user, at=at, cold=False, artifact="a", took_ms=0.1, lists=lists
        )

    def _list(self, user: str, task: str, size: int, at: datetime, explain: bool) -> RankedList:
        rules = self.rules[task]
        kind = rules.goal.kind
        ids, scores = self._ranked(user, task, self.rule, size, at)
        total = max(1.0, float(rules.popular.sum()))
        text = "Many bought <this> & more." if explain else ""
        reason = Reason(text=text, language="en", evidence=(Evidence(signal="trend", share=1.0),))
        items = []
        for item, score in zip(ids, scores, strict=True):
            label = kind.table.row(kind.ids.index(item), named=True).get("label:department")
            labels = {} if label is None else {"department": str(label)}
            action = self.dataset.catalog.actions[rules.goal.action]
            items.append(
                RankedItem(
                    id=item,
                    title=item.upper(),
                    labels=labels,
                    score=score,
                    probability={action: min(1.0, score / total)},
                    reason=reason,
                )
            )
        return RankedList(task=task, kind=kind.name, goal="x", items=tuple(items))

    def _ranked(
        self, user: str, task: str, rule: str, size: int, at: datetime
    ) -> tuple[list[str], list[float]]:
        rules = self.rules[task]
        kind, moment = rules.goal.kind, to_micros(at)
        user_idx = self.dataset.catalog.users.ids.index(user)
        candidates = candidates_for(self.dataset, kind, user_idx, moment)
        items, scores = rules.scores(user_idx, moment, candidates)
        order = np.argsort(-scores[rule], kind="stable")[:size]
        ids = [kind.ids[int(items[place]) - kind.start] for place in order]
        return ids, scores[rule][order].tolist()

    def signal_lists(
        self, user: str, task: str, *, size: int, at: datetime
    ) -> Mapping[str, Sequence[str]]:
        return {
            "trend": self._ranked(user, task, "popular", size, at)[0],
            "repeat": self._ranked(user, task, "personal", size, at)[0],
        }


@dataclass
class FitPopular:
    """A `Fit` that remembers what it was asked to train."""

    rule: str = "popular"
    trained: list[tuple[datetime, str | None]] = field(default_factory=list)

    def __call__(
        self, project: Project, dataset: Dataset, *, until: datetime, architecture: str | None
    ) -> PopularEngine:
        self.trained.append((until, architecture))
        found = {}
        for task in project.spec.tasks:
            goal = find_goal(project.spec, dataset.catalog, task)
            if goal is not None:
                found[task] = fit_baselines(dataset, goal, to_micros(until))
        rule = "personal" if architecture == "single" else self.rule
        return PopularEngine(project, dataset, found, rule)
