"""A language model's order beside the ranker's own, on the same lists."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import repeat
from math import log2
from pathlib import Path
from typing import cast

import pytest
from rich.table import Table
from tests.engine.composers import Composes, by_title, door_to, note, ordered
from tests.evaluate.popular_engine import FitPopular, PopularEngine, shop_project
from tests.evaluate.small_shop import day, shop

from recprism.artifact import ArtifactShelf
from recprism.cli.views.evaluation import evaluation_view
from recprism.data.dataset import Dataset
from recprism.engine import Engine
from recprism.errors import UsageError
from recprism.evaluate import composed
from recprism.evaluate.ask import Recommender
from recprism.evaluate.composed import MOST_IN_A_ROW, compare
from recprism.evaluate.report import render_report
from recprism.evaluate.results import Evaluation
from recprism.evaluate.run import Settings, evaluate
from recprism.evaluate.trained import evaluate_artifact
from recprism.evaluate.wiring import OpenArtifact, composing, dataset_of, open_with_later
from recprism.pipeline import prepare, train
from recprism.project import Project, load_project
from recprism.project.schema import Llm
from recprism.records import Answer
from recprism.testing.tiny_gguf import write_tiny_gguf

HOLD_OUTS = {
    "products": {"until": [day(21)], "k": 3},
    "ads": {"until": [day(21), day(22)], "k": 2},
}


@dataclass
class Reversing:
    """The lists of another recommender from the last to the first, as often as `states` say."""

    inner: Recommender
    states: Iterator[str]
    asked: list[tuple[str | None, Sequence[str] | None]] = field(default_factory=list)

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
        assert explain
        self.asked.append((user, tasks))
        answer = self.inner.recommend(user, tasks, size=size, at=at, record=record)
        state = next(self.states)
        if state != "used":
            return replace(answer, llm=state)
        lists = {
            task: replace(ranked, items=ranked.items[::-1], composed=True)
            for task, ranked in answer.lists.items()
        }
        return replace(answer, llm=state, lists=lists)


def run(states: Iterator[str]) -> Evaluation:
    tasks = ["products", "ads"]
    settings = Settings(tasks=tasks, single=False, compose=lambda inner: Reversing(inner, states))
    return evaluate(shop_project(evaluate=HOLD_OUTS), shop(), FitPopular(), settings)


def test_both_orders_of_the_same_lists_are_scored_and_paired() -> None:
    found = run(repeat("used")).tasks["products"].composition
    assert found is not None
    # Milk, tea, bread: ann's milk and ham, bob's tea, dot's eggs, which no list holds.
    best = 1 + 1 / log2(3)
    own = (1 / best + 1 / log2(3) + 0) / 3
    turned = (0.5 / best + 1 / log2(3) + 0) / 3
    assert found.own.value == pytest.approx(own)
    assert found.composed.value == pytest.approx(turned)
    assert found.difference.value == pytest.approx(turned - own)
    assert (found.ordered, found.states, found.own.n) == (3, {"used": 3}, 3)


def test_lists_without_an_answer_in_time_count_as_they_were_served() -> None:
    states = iter(["deadline", "deadline", "deadline", *["used"] * 9])
    found = run(states).tasks["products"].composition
    assert found is not None
    assert found.difference.value == 0
    assert found.states == {"deadline": 3}
    assert found.verdict == "cannot be judged"


def test_weeks_count_alike_here_too() -> None:
    found = run(repeat("used"))
    composition = found.tasks["ads"].composition
    assert composition is not None
    assert composition.own.n == 4
    assert composition.own.value == pytest.approx(found.tasks["ads"].rules["model"].value)


def test_the_sample_is_bounded_and_an_absent_model_is_asked_a_few_times_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("recprism.evaluate.run.COMPOSED_LISTS", 2)
    found = run(repeat("used"))
    for task in ("products", "ads"):
        composition = found.tasks[task].composition
        assert composition is not None
        assert composition.own.n == 2
    monkeypatch.undo()
    monkeypatch.setattr(composed, "MOST_IN_A_ROW", 2)
    composition = run(repeat("unavailable")).tasks["products"].composition
    assert composition is not None
    assert composition.states == {"unavailable": 2}
    assert MOST_IN_A_ROW > 2


def test_the_comparison_is_in_the_report_and_the_json() -> None:
    found = run(repeat("used"))
    page = render_report(replace(found, samples=[]))
    assert "Does a language model's order help?" in page
    assert "3 of 3 lists" in page
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    told = document["tasks"]["products"]["composition"]
    assert list(told) == [
        *("own", "composed", "composed_minus_own"),
        *("ordered", "states", "ms_per_list", "composing"),
    ]


def test_the_command_shows_both_orders() -> None:
    heading, shown = list(evaluation_view(run(repeat("used")).to_dict()))[-3:-1]
    assert heading == "Does a language model's order help?"
    assert isinstance(shown, Table)
    assert list(shown.columns[0].cells) == ["products", "ads"]
    assert list(shown.columns[-1].cells) == ["3 of 3", "4 of 4"]


def test_nothing_is_compared_where_no_model_composes() -> None:
    settings = Settings(tasks=["products"], single=False)
    found = evaluate(shop_project(evaluate=HOLD_OUTS), shop(), FitPopular(), settings)
    assert found.tasks["products"].composition is None
    assert found.to_dict()["tasks"]["products"]["composition"] is None
    assert "language model" not in render_report(found)
    assert compare([], 0) is None


def test_a_role_that_is_off_opens_no_door() -> None:
    with composing(shop_project(), shop()) as compose:
        assert compose is None


def test_only_an_engine_can_be_opened_once_more(tmp_path: Path) -> None:
    llm = Llm(backend="embedded", model="nowhere.gguf", roles={"compose": True})
    project = shop_project(llm=llm.model_dump(mode="json"))
    dataset: Dataset = shop()
    other = PopularEngine(project, dataset, {})
    with composing(replace(project, path=tmp_path), dataset) as compose:
        assert compose is not None
        with pytest.raises(UsageError, match="A `PopularEngine` has no model"):
            compose(other)


@pytest.fixture(scope="module")
def late_shop(trained_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The shop, trained until two weeks before its end, with a model that is always too late."""
    folder = tmp_path_factory.mktemp("late") / "shop"
    shutil.copytree(trained_shop, folder)
    weights = write_tiny_gguf(folder / "tiny.gguf")
    with (folder / "recprism.yaml").open("a", encoding="utf-8") as file:
        file.write(
            f"\nllm:\n  backend: embedded\n  model: {weights}\n"
            "  fields: [products.name, history]\n  roles: {compose: {deadline: 1ms}, explain: on}\n"
        )
    project = load_project(folder)
    train(project, until=datetime(2024, 5, 6))
    return project


def artifact_of(project: Project) -> Path:
    return ArtifactShelf(project.path / ".recprism" / "artifacts").current()


@pytest.mark.slow
def test_an_engines_lists_are_compared_as_the_model_orders_them(late_shop: Project) -> None:
    dataset = dataset_of(prepare(late_shop))
    backend = Composes(ordered(by_title, note))
    with closing(door_to(backend)) as door:
        settings = Settings(
            tasks=["products"],
            single=False,
            compose=lambda engine: open_with_later(cast(Engine, engine).model, dataset, door),
        )
        found = evaluate(late_shop, dataset, OpenArtifact(artifact_of(late_shop)), settings)
    composition = found.tasks["products"].composition
    assert composition is not None
    assert composition.states == {"used": len(backend.asked)}
    assert composition.ordered == composition.own.n == len(backend.asked)
    assert composition.own.value == pytest.approx(found.tasks["products"].rules["model"].value)
    assert composition.verdict == "hurts"  # the alphabet knows nobody


@pytest.mark.slow
def test_a_real_model_that_is_late_is_told_and_changes_nothing(late_shop: Project) -> None:
    pytest.importorskip("xllamacpp", reason="needs the extra `llm`")
    evaluated = evaluate_artifact(late_shop, artifact_of(late_shop), tasks=["products"])
    found = evaluated.tasks["products"].composition
    assert found is not None
    assert found.states == {"deadline": MOST_IN_A_ROW}
    assert found.own.value == found.composed.value
