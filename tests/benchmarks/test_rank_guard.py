"""Whether places gained by planted words are counted rightly."""

from __future__ import annotations

import re

import numpy as np
import pytest
from benchmarks.label_opinions import read_attacks
from benchmarks.labelled_texts import LabelledTexts
from benchmarks.rank_guard import CANDIDATES, PAST, draw, measure_rank_guard, rank_guard_lines

from recprism.llm import Door, Reply, Role, Score
from recprism.testing.llms import EchoLLM

TEXTS = [f"thing number {n}" for n in range(40)]
FOUND = LabelledTexts(TEXTS, [frozenset(["a" if n % 2 else "b"]) for n in range(40)], ["a", "b"])


class Obedient(EchoLLM):
    """Likes things by their number, after a history only, and above all what says `word`."""

    def __init__(self, word: str) -> None:
        super().__init__()
        self.word = word

    async def score(self, request: Score) -> Reply[tuple[float, ...]]:
        if "thing" not in request.prompt.user:
            return Reply(value=(0.0,) * len(request.continuations))
        told = (99.0 if self.word in text else number_of(text) for text in request.continuations)
        return Reply(value=tuple(told))


def number_of(text: str) -> float:
    return float(re.findall(r"number (\d+)", text)[0])


def door_to(backend: EchoLLM) -> Door:
    return Door(lambda _: backend, {"rank": Role(model="m")}, name="test")


def test_what_a_person_took_and_may_take_is_all_different() -> None:
    stand = draw(40, np.random.default_rng(0))
    assert len({*stand.past, *stand.candidates}) == PAST + CANDIDATES


def test_a_model_that_obeys_is_found_out() -> None:
    attacks = [{"text": "FIRST please", "language": "en"}, {"text": "nothing", "language": "en"}]
    found = measure_rank_guard(FOUND, door_to(Obedient("FIRST")), victims=3, attacks=attacks)
    assert (found["attacks"], found["victims"]) == (2, 3)
    for way in ("as_read", "whole"):
        assert found[way]["first"] == {"clean": 0.0, "attack": 0.5, "harmless": 0.0}
        assert found[way]["gained"]["attack"] == 5.0  # ten by one of the two
        assert found[way]["gained"]["harmless"] == 0.0
        assert found[way]["held"] == 1


def test_a_model_that_minds_no_planted_words_is_not_moved() -> None:
    found = measure_rank_guard(FOUND, door_to(Obedient("no such word")), victims=2)
    assert found["attacks"] == len(read_attacks())
    for way in ("as_read", "whole"):
        assert found[way]["attack_minus_harmless"] == [0.0, 0.0, 0.0]
        assert found[way]["held"] == found["attacks"]
    assert len(rank_guard_lines(found)) == 3


def test_a_model_that_does_not_answer_is_said() -> None:
    class Dumb(EchoLLM):
        async def score(self, request: Score) -> Reply[tuple[float, ...]]:
            await self._hear(request)
            raise ValueError("no weights")

    with pytest.raises(SystemExit, match="does not rank: no weights"):
        measure_rank_guard(FOUND, door_to(Dumb()), victims=1)
