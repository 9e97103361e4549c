"""The smallest project there is: texts, wishes, no events."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.engine.contract import check_answer, ids

from recprism.engine import Engine, open_engine
from recprism.pipeline import train
from recprism.project import load_project
from recprism.project.templates import write_template
from recprism.records import Event
from recprism.store import MemoryStore


@pytest.fixture(scope="module")
def wishes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("text") / "wishes"
    write_template("text", folder)
    train(load_project(folder))
    return folder


@pytest.fixture
def engine(wishes: Path) -> Engine:
    return open_engine(wishes, store=MemoryStore())


def titles(engine: Engine, user: str | None, **asked: object) -> list[str]:
    ranked = engine.recommend(user, **asked).lists["for_you"]  # type: ignore[arg-type]
    return [item.title for item in ranked.items]


def test_who_wishes_for_a_book_on_machine_learning_gets_books(engine: Engine) -> None:
    assert titles(engine, "1") == ["深度学习实战", "Python编程入门到实践", "最新iPhone 13"]


def test_who_bought_a_phone_gets_the_phone_first(engine: Engine) -> None:
    assert titles(engine, "2") == ["最新iPhone 13", "深度学习实战", "Python编程入门到实践"]


def test_a_task_without_goal_has_no_probability(engine: Engine) -> None:
    answer = engine.recommend("1")
    check_answer(answer, {"for_you": 3})
    document = answer.to_dict()["lists"]["for_you"]
    assert document["goal"] is None
    assert [item["probability"] for item in document["items"]] == [{}, {}, {}]
    assert [item["slot"] for item in document["items"]] == [None, None, None]
    for item in answer.lists["for_you"].items:
        assert item.reason.text == "符合您的愿望：“我想买一本关于机器学习的书”。"
        assert [evidence.signal for evidence in item.reason.evidence] == ["content"]


def test_training_says_that_nothing_was_trained(wishes: Path) -> None:
    note = train(load_project(wishes)).training["note"]
    assert "goal" in note


def test_a_query_replaces_the_users_own_words(engine: Engine) -> None:
    assert titles(engine, "1", query="I want a new phone", size=1) == ["最新iPhone 13"]
    assert titles(engine, None, query="Python", size=1) == ["Python编程入门到实践"]


def test_a_stranger_without_a_wish_gets_a_whole_list(engine: Engine) -> None:
    answer = engine.recommend(None)
    check_answer(answer, {"for_you": 3})
    assert answer.cold
    assert len(answer.lists["for_you"].items) == 3


def test_looking_at_an_item_brings_its_like(engine: Engine) -> None:
    shown = titles(engine, None, context={"viewing": "articles/1"})
    assert shown[:2] == ["深度学习实战", "Python编程入门到实践"]


def test_profile_similar_and_explain_work_without_any_event(engine: Engine) -> None:
    profile = engine.profile("1")
    assert profile.cold
    assert profile.history == ()
    near = engine.similar("articles", "1")
    assert [(one["id"], one["behavior"]) for one in near] == [("3", None), ("2", None)]
    found = engine.explain("2", "for_you", "2")
    assert (found.rank, found.changes) == (1, ())
    assert found.score is not None


def test_events_on_a_project_without_actions_do_no_harm(engine: Engine) -> None:
    event = Event(user="1", kind="articles", item="2", action="read")
    assert engine.observe(event).accepted == 1
    assert ids(engine.recommend("1").lists["for_you"]) == ["1", "3", "2"]
