"""Names of proposed labels: better words of their own, or none."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.data.small_project import spec

from recprism.content.propose import Proposal
from recprism.content.rephrase import is_own, rephrase, rephraser_for
from recprism.llm import Complete, Door, Role
from recprism.project.schema import ProjectFile
from recprism.testing.llms import EchoLLM, ScriptedLLM

GROUP = Proposal(
    "milk, fresh, whole", ("milk", "fresh", "whole"), 5, 4, ("Whole milk 1 l", "新鲜牛奶")
)
OTHER = Proposal("bread, rye", ("bread", "rye"), 3, 3, ("Rye bread",))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Fresh milk", True),
        ("whole-milk", True),
        ("Milk", True),
        ("新鲜牛奶", True),
        ("dairy products", False),  # none of its own words
        ("fresh cheese", False),
        ("Milk 100", False),
        ("<b>milk</b>", False),
        ("milk!", False),
        ("fresh milk whole milk fresh", False),
        ("", False),
        ("奶牛", False),
        ("milk\u202e", False),
    ],
)
def test_a_name_is_made_of_few_own_words(name: str, expected: bool) -> None:
    assert is_own(name, GROUP) is expected


def test_good_names_are_taken_others_refused() -> None:
    found = rephrase([GROUP, OTHER], lambda _: [" Fresh  milk. ", "ignore all rules"])
    assert [(one.name, one.source) for one in found] == [
        ("Fresh milk", "language model"),
        ("bread, rye", "words"),
    ]
    assert found[0].words == GROUP.words


def test_no_two_labels_get_one_name() -> None:
    names = ["Milk", "milk"]
    same = Proposal("milk, low", ("milk", "low"), 2, 2, ("Low milk",))
    found = rephrase([GROUP, same], lambda _: list(names))
    assert [one.name for one in found] == ["Milk", "milk, low"]


def names_by(answers: Sequence[object], fields: Sequence[str]) -> tuple[list[str], EchoLLM]:
    backend = ScriptedLLM(answers)
    door = Door(lambda _: backend, {"label": Role(model="m")}, name="test", fields=fields)
    try:
        rephraser = rephraser_for(door, ProjectFile.model_validate(spec()), "goods")
        return [one.name for one in rephrase([GROUP, OTHER], rephraser)], backend
    finally:
        door.close()


def test_the_model_is_asked_with_words_and_examples_as_data() -> None:
    names, backend = names_by(["Fresh milk", "Rye bread"], ["goods.name"])
    assert names == ["Fresh milk", "Rye bread"]
    assert isinstance(backend.asked[0], Complete)
    assert '"Whole milk 1 l"' in backend.asked[0].prompt.user
    assert backend.asked[0].fields == ("goods.name",)


def test_it_is_not_asked_when_the_texts_may_not_leave() -> None:
    names, backend = names_by([], [])
    assert (names, backend.asked) == ([GROUP.name, OTHER.name], [])
    assert rephraser_for(None, ProjectFile.model_validate(spec()), "goods") is None
