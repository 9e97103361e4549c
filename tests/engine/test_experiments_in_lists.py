"""Users are split over arms, and each arm's lists are made its way."""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from recprism.artifact import ArtifactShelf
from recprism.engine import Engine, open_engine
from recprism.engine.arms import arm_of, parts_of
from recprism.errors import ProjectError
from recprism.project import load_project
from recprism.project.edits import edit_task
from recprism.project.schema import Arm, Experiment
from recprism.records import Answer
from recprism.store import MemoryStore

USERS = [f"user {n}" for n in range(4000)]
EARLIEST = datetime(2000, 1, 1)
Open = Callable[[dict[str, Any]], Engine]


def two_arms(**settings: Any) -> Experiment:
    return Experiment(arms={"usual": Arm(), "new": Arm(**settings)})


def write(shop: Path, experiments: dict[str, Any]) -> None:
    file, yaml = shop / "recprism.yaml", YAML()
    document = yaml.load(file)
    document["experiments"] = experiments
    yaml.dump(document, file)


@pytest.fixture
def split(shop_copy: Path) -> Open:
    """Opens the shop with experiments."""

    def open_(experiments: dict[str, Any]) -> Engine:
        write(shop_copy, experiments)
        return open_engine(shop_copy, store=MemoryStore())

    return open_


def someone_in(engine: Engine, name: str, arm: str) -> str:
    """A user of the shop in an arm."""
    experiment = engine.experiments[name]
    users = [f"u{n:02d}" for n in range(3, 40)]
    return next(user for user in users if arm_of(name, experiment, user) == arm)


def ask(engine: Engine, user: str | None, *tasks: str, **asked: Any) -> Answer:
    return engine.recommend(user, list(tasks) or None, record=True, explain=False, **asked)


def ids(answer: Answer, task: str) -> list[str]:
    return [item.id for item in answer.lists[task].items]


def test_users_are_split_by_weight_and_for_good() -> None:
    experiment = Experiment(arms={"a": Arm(), "b": Arm(weight=3.0)})
    arms = [arm_of("prices", experiment, user) for user in USERS]
    assert Counter(arms)["b"] / len(USERS) == pytest.approx(0.75, abs=0.025)
    assert arms[:6] == [arm_of("prices", experiment, user) for user in USERS[:6]]


def test_experiments_split_independently() -> None:
    experiment = two_arms()
    pairs = Counter(
        (arm_of("one", experiment, user), arm_of("two", experiment, user)) for user in USERS
    )
    assert all(n / len(USERS) == pytest.approx(0.25, abs=0.03) for n in pairs.values())
    assert len(pairs) == 4


def test_a_larger_share_moves_nobody() -> None:
    def arms(share: float) -> dict[str, str | None]:
        experiment = two_arms().model_copy(update={"share": share})
        return {user: arm_of("one", experiment, user) for user in USERS}

    some, more = arms(0.2), arms(0.6)
    taking_part = {user: arm for user, arm in some.items() if arm is not None}
    assert len(taking_part) / len(USERS) == pytest.approx(0.2, abs=0.025)
    assert all(more[user] == arm for user, arm in taking_part.items())
    assert parts_of({"one": two_arms()}, None) == []


def test_without_experiments_an_answer_has_no_word_of_them(shop_copy: Path) -> None:
    engine = open_engine(shop_copy, store=MemoryStore())
    assert "experiments" not in ask(engine, "u05").to_dict()
    assert {one.arm for one in engine.store.impressions_of("u05", EARLIEST)} == {None}


def test_the_arm_is_in_the_answer_and_with_what_was_shown(split: Open) -> None:
    arms = {"usual": {}, "popular": {"signal": "trend"}}
    engine = split({"order": {"tasks": ["products"], "arms": arms}})
    for arm in arms:
        user = someone_in(engine, "order", arm)
        answer = ask(engine, user)
        assert answer.to_dict()["experiments"] == {"order": arm}
        shown = engine.store.impressions_of(user, EARLIEST)
        found = {(one.task, one.experiment, one.arm) for one in shown}
        others = {(task, None, None) for task in answer.lists if answer.lists[task].items}
        assert found == {("products", "order", arm), *others} - {("products", None, None)}


def test_an_arm_shows_the_order_of_a_signal(split: Open) -> None:
    arms = {"usual": {}, "popular": {"signal": "trend"}}
    engine = split({"order": {"tasks": ["products"], "arms": arms}})
    user = someone_in(engine, "order", "popular")
    answer = ask(engine, user, "products")
    assert ids(answer, "products") == engine.signal_lists(user, "products", size=10)["trend"]
    scores = [item.score for item in answer.lists["products"].items]
    assert scores == sorted(scores, reverse=True)
    usual = someone_in(engine, "order", "usual")
    plain = engine.recommend(usual, ["products"])
    assert ids(ask(engine, usual, "products"), "products") == ids(plain, "products")


def test_previews_wishes_and_strangers_take_no_part(split: Open) -> None:
    engine = split({"order": {"arms": {"usual": {}, "popular": {"signal": "trend"}}}})
    user = someone_in(engine, "order", "popular")
    assert "experiments" not in engine.recommend(user).to_dict()
    assert "experiments" not in ask(engine, user, query="milk").to_dict()
    assert "experiments" not in ask(engine, None).to_dict()


def test_an_arm_explores(split: Open) -> None:
    engine = split({"try": {"arms": {"usual": {}, "curious": {"explore": 0.3}}}})
    assert engine.explores
    for arm, n in (("usual", 0), ("curious", 3)):
        answer = ask(engine, someone_in(engine, "try", arm), "products")
        assert sum(item.explored for item in answer.lists["products"].items) == n


def test_an_arm_is_answered_by_another_artifact(split: Open, shop_copy: Path) -> None:
    shelf = ArtifactShelf.of(shop_copy)
    serving = shelf.current().name
    folder = shelf.new()
    shutil.copytree(shelf.path(serving), folder, dirs_exist_ok=True)
    other = shelf.publish(folder, {"with_later": False})
    shelf.use(serving)
    engine = split({"models": {"arms": {"usual": {}, "other": {"artifact": other}}}})
    edit_task(shop_copy, load_project(shop_copy).spec, "products", {"size": 4}, [])
    engine = open_engine(shop_copy, store=engine.store)
    for arm, artifact in (("usual", serving), ("other", other)):
        user = someone_in(engine, "models", arm)
        answer = ask(engine, user)
        assert (answer.artifact, answer.to_dict()["experiments"]) == (artifact, {"models": arm})
        assert len(ids(answer, "products")) == 4
        shown = engine.store.impressions_of(user, EARLIEST)
        assert {(one.artifact, one.arm) for one in shown} == {(artifact, arm)}
    assert shelf.keep_newest(1, used=[other]) == []


@pytest.mark.parametrize(
    ("arm", "said"),
    [
        ({"artifact": "2020-01-01T00-00-00Z-dead"}, "2020-01-01T00-00-00Z-dead"),
        ({"signal": "sequence"}, "`sequence`"),
    ],
)
def test_an_experiment_that_cannot_be_served_is_left_out(
    split: Open, arm: dict[str, str], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        engine = split({"broken": {"arms": {"usual": {}, "new": arm}}})
    assert engine.experiments == {}
    assert "the experiment `broken` is left out" in caplog.text
    assert said in caplog.text
    assert "experiments" not in ask(engine, "u05").to_dict()


@pytest.mark.parametrize(
    ("experiments", "said"),
    [
        (
            {"one": {"tasks": ["product"]}},
            "no task `product` under `tasks`. Did you mean `products`",
        ),
        ({"one": {"tasks": ["ads"]}, "two": {}}, "the task `ads` takes part in `one` already"),
        (
            {"one": {"tasks": ["ads"], "arms": {"a": {}, "b": {"artifact": "x1"}}}},
            "an artifact makes all lists of an answer",
        ),
    ],
)
def test_experiments_that_clash_are_told(
    shop_copy: Path, experiments: dict[str, dict[str, Any]], said: str
) -> None:
    usual = {"arms": {"a": {}, "b": {"signal": "trend"}}}
    write(shop_copy, {name: {**usual, **one} for name, one in experiments.items()})
    with pytest.raises(ProjectError, match=said):
        load_project(shop_copy)
