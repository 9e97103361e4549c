"""The role `compose`: whole answers in a model's order, which can permute and nothing else."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.engine.composers import (
    AT,
    ROLE,
    SIZES,
    Composes,
    Hangs,
    Lists,
    asked,
    by_title,
    check_composed,
    door_to,
    facts_in,
    lists_in,
    lists_of,
    note,
    ordered,
)
from tests.engine.contract import ids

from recprism.engine import Engine, open_engine
from recprism.engine.composing import permute
from recprism.engine.offering import DEPTH, MOST_OFFERED
from recprism.engine.recommend import choose
from recprism.llm import Budget, Complete, Ledger, Reply, Role
from recprism.store import MemoryStore
from recprism.testing.llms import EchoLLM

Open = Callable[..., Engine]


def test_lists_come_in_the_models_order_with_calibrated_probabilities(
    engine: Engine, with_composer: Open
) -> None:
    plain = engine.recommend("mia", size=20, at=AT)
    backend = Composes(ordered(by_title))
    answer = with_composer(backend).recommend("mia", at=AT)
    assert answer.llm == "used"
    check_composed(answer, SIZES)
    chances = {
        (task, item.id): item.probability
        for task, ranked in plain.lists.items()
        for item in ranked.items
    }
    for task, ranked in answer.lists.items():
        titles = [item.title for item in ranked.items]
        assert ranked.composed
        assert ranked.to_dict()["composed"] is True
        assert titles == sorted(titles) or task == "ads"  # an ad gives way to its product
        for item in ranked.items:
            if (task, item.id) in chances:
                assert item.probability == chances[task, item.id]
    assert "composed" not in plain.lists["products"].to_dict()


def test_one_call_offers_twice_the_size_of_each_list_of_the_request(with_composer: Open) -> None:
    backend = Composes(ordered(by_title))
    engine = with_composer(backend)
    engine.recommend("mia", ["products", "ads"], size=4, at=AT)
    (request,) = asked(backend)
    lists = lists_in(request)
    assert {task: len(entries) for task, entries in lists.items()} == {
        "products": DEPTH * 4,
        "ads": DEPTH * 4,
    }
    assert "Places: products 4, ads 4." in request.prompt.system
    parts = (request.schema or {})["properties"]
    for task, entries in lists.items():
        numbers = [entry["n"] for entry in entries]
        assert numbers == sorted(numbers)
        assert parts[task]["items"]["properties"]["n"]["enum"] == numbers
        assert (parts[task]["minItems"], parts[task]["maxItems"]) == (4, 4)
    together = [entry["n"] for entries in lists.values() for entry in entries]
    assert sorted(together) == list(range(1, 17))


def test_an_enormous_size_offers_no_more_than_can_be_read(with_composer: Open) -> None:
    backend = Composes(ordered(by_title))
    answer = with_composer(backend).recommend("mia", ["products", "ads"], size=500, at=AT)
    lists = lists_in(asked(backend)[0])
    assert sum(map(len, lists.values())) <= MOST_OFFERED
    assert len(answer.lists["products"].items) > len(lists["products"])
    check_composed(answer, {"products": 500, "ads": 500})


def test_candidates_are_shuffled_and_the_same_question_is_drawn_alike(
    engine: Engine, with_composer: Open
) -> None:
    backend = Composes(ordered(by_title))
    composer = with_composer(backend)
    first = []
    for number in range(3, 23):
        user = f"u{number:02}"
        best = engine.recommend(user, ["products"], at=AT).lists["products"].items[0].title
        composer.recommend(user, ["products"], at=AT)
        entries = lists_in(asked(backend)[-1])["products"]
        first.append(next(n for n, one in enumerate(entries) if one["title"] == best))
    assert len(set(first)) > 6  # the ranker's best stands anywhere
    calls = len(backend.asked)
    again = composer.recommend("u03", ["products"], at=AT)
    assert (again.llm, len(backend.asked)) == ("used", calls)  # from the cache


def test_what_the_model_leaves_out_follows_in_the_rankers_order(
    engine: Engine, with_composer: Open
) -> None:
    plain = ids(engine.recommend("mia", ["products"], size=10, at=AT).lists["products"])
    names = {
        item.id: item.title
        for item in engine.recommend("mia", ["products"], size=10, at=AT).lists["products"].items
    }
    last = names[plain[-1]]

    def only_the_last(lists: Lists) -> Any:
        (number,) = [one["n"] for one in lists["products"] if one["title"] == last]
        return {"products": [{"n": number, "why": ""}, {"n": number, "why": "twice"}]}

    answer = with_composer(Composes(only_the_last)).recommend("mia", ["products"], at=AT)
    assert ids(answer.lists["products"]) == [plain[-1], *plain[:-1]]


def test_lists_of_which_nothing_is_named_stay_as_they_were(
    engine: Engine, with_composer: Open
) -> None:
    plain = engine.recommend("mia", at=AT)
    backend = Composes(lambda lists: {"coupons": ordered(by_title)(lists)["coupons"], "x": [1]})
    answer = with_composer(backend).recommend("mia", at=AT)
    assert answer.llm == "used"
    assert [ranked.composed for ranked in answer.lists.values()] == [False, True, False]
    assert lists_of(answer)["products"] == lists_of(plain)["products"]
    scores = [item.score for item in answer.lists["products"].items]
    assert scores == [item.score for item in plain.lists["products"].items]


def foreign(lists: Lists) -> Any:
    """Each list with the numbers of another one."""
    tasks = list(lists)
    return {
        task: [{"n": one["n"], "why": ""} for one in lists[other]]
        for task, other in zip(tasks, tasks[1:] + tasks[:1], strict=True)
    }


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: "",
        lambda _: "products first, please",
        lambda _: "[" * 100_000,
        lambda _: '{"products": [{"n": 1',
        lambda _: [1, 2, 3],
        lambda _: None,
        lambda _: {"products": {"n": 1}, "coupons": "1", "ads": 7},
        lambda _: {"products": [{"n": 0}, {"n": -1}, {"n": 10**30}, {"n": "1"}, {"m": 1}]},
        lambda _: {"products": [{"n": True}, {"n": 1.0}, {"n": None}, None, [1], "2"]},
        lambda _: {"caviar": [{"n": 1, "why": "it is the best"}]},
        foreign,
    ],
    ids=[
        *("nothing", "words", "deep", "cut", "list", "null", "types"),
        *("numbers", "kinds", "invented", "foreign"),
    ],
)
def test_garbage_leaves_the_rankers_order_and_says_so(
    engine: Engine, with_composer: Open, answer: Callable[[Lists], Any]
) -> None:
    plain = engine.recommend("mia", at=AT)
    told = with_composer(Composes(answer)).recommend("mia", at=AT)
    assert told.llm == "unavailable"
    assert {**told.to_dict()["lists"]} == {**plain.to_dict()["lists"]}


NUMBERS = st.one_of(st.integers(-2, 50), st.booleans(), st.text(max_size=3), st.none())
PLACES = st.one_of(
    NUMBERS, st.fixed_dictionaries({"n": NUMBERS, "why": st.one_of(st.none(), st.text())})
)
LISTS = st.dictionaries(
    st.sampled_from(["products", "coupons", "ads", "x"]),
    st.one_of(st.lists(PLACES, max_size=60), NUMBERS),
)


@settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))
@given(LISTS)
def test_whatever_the_model_says_nothing_is_invented_dropped_or_shown_twice(
    engine: Engine, with_composer: Open, said: dict[str, Any]
) -> None:
    offered: dict[str, set[str]] = {}

    def answer(lists: Lists) -> Any:
        offered.update({task: {one["title"] for one in some} for task, some in lists.items()})
        return said

    told = with_composer(Composes(answer)).recommend("mia", at=AT)
    plain = engine.recommend("mia", at=AT)
    check_composed(told, SIZES)
    slots = Counter(item.slot for item in told.lists["ads"].items)
    assert slots["front"] <= 1
    assert slots["mailer"] <= 2
    for task in ("products", "coupons"):  # an ad gives way to its product
        items = told.lists[task].items
        assert len(items) == len(plain.lists[task].items)
        assert {item.title for item in items} <= offered[task]


def test_what_a_wish_rules_out_is_not_offered(with_composer: Open) -> None:
    backend = Composes(ordered(by_title))
    engine = with_composer(backend)
    answer = engine.recommend("mia", ["products"], at=AT, query="something for breakfast, no milk")
    (request,) = asked(backend)
    assert answer.llm == "used"
    titles = [item.title for item in answer.lists["products"].items]
    offered = [entry["title"] for entry in lists_in(request)["products"]]
    assert not [title for title in titles + offered if "milk" in title]


def test_diversity_has_the_last_word(engine: Engine) -> None:
    ranked = engine.rank_all("mia", "products", AT)
    department = engine.model.labels.codes["department"][ranked.candidates.item]
    dairy_first = np.argsort(department != department[0], kind="stable")
    spec = ranked.plan.spec.model_copy(update={"diversity": 0.5, "diversity_by": "department"})
    composed = replace(ranked.in_order(dairy_first), plan=replace(ranked.plan, spec=spec))
    seen = []
    for one in (ranked.in_order(dairy_first), composed):
        (shown,) = choose(engine.model, [one], 5)
        kinds = engine.model.labels.codes["department"][one.candidates.item[shown.picks.positions]]
        seen.append(len(set(kinds.tolist())))
        assert shown.picks.positions == sorted(shown.picks.positions)
    assert seen[0] == 1
    assert seen[1] > 1


@given(st.data())
def test_places_are_permuted_among_the_offered_ones(data: st.DataObject) -> None:
    n = data.draw(st.integers(0, 12))
    offered = data.draw(st.lists(st.integers(0, n - 1), unique=True)) if n else []
    named = data.draw(st.permutations(offered)) if offered else []
    named = named[: data.draw(st.integers(0, len(named)))]
    found = permute(n, named, offered).tolist()
    assert sorted(found) == list(range(n))
    assert all(found[place] == place for place in set(range(n)) - set(offered))
    among = [found[place] for place in sorted(offered)]
    assert among[: len(named)] == named
    assert among[len(named) :] == sorted(among[len(named) :])


def test_a_model_that_repeats_the_numbers_as_they_stand_has_ordered_nothing(
    engine: Engine, with_composer: Open
) -> None:
    plain = engine.recommend("mia", at=AT)
    repeats = ordered(lambda entry: entry["n"], note)
    answer = with_composer(Composes(repeats)).recommend("mia", at=AT)
    assert answer.llm == "used"
    assert lists_of(answer) == lists_of(plain)
    assert not any(ranked.composed for ranked in answer.lists.values())
    sources = {item.reason.source for ranked in answer.lists.values() for item in ranked.items}
    assert "llm" in sources  # its reasons may be true all the same
    short = with_composer(Composes(repeats)).recommend("mia", ["coupons"], at=AT)
    assert short.lists["coupons"].composed  # of two, either may come first


def test_accepted_reasons_are_shown_and_refused_ones_are_plain(
    engine: Engine, with_composer: Open, tmp_path: Path
) -> None:
    plain = {
        (task, item.id): item.reason
        for task, ranked in engine.recommend("mia", size=20, at=AT).lists.items()
        for item in ranked.items
    }

    def why(entry: Any) -> str:
        return note(entry) if entry["n"] % 2 else "It is free, and good for your diabetes."

    ledger = Ledger(tmp_path / "llm.sqlite")
    composer = with_composer(Composes(ordered(by_title, why)), ledger=ledger)
    answer = composer.recommend("mia", at=AT)
    composer.close()
    sources = set()
    for task, ranked in answer.lists.items():
        for item in ranked.items:
            old = plain.get((task, item.id))
            sources.add(item.reason.source)
            if old is not None:
                told = f"Just so you know: {old.text}"
                assert item.reason.evidence == old.evidence
                assert item.reason.text == (told if item.reason.source == "llm" else old.text)
    assert sources == {"llm", "evidence"}
    (spent,) = Ledger(tmp_path / "llm.sqlite").spent()
    assert (spent.role, spent.calls, spent.failed) == ("compose", 1, 0)
    assert spent.accepted > 0
    assert spent.refused > 0


def test_explain_is_asked_only_for_what_compose_did_not_say(with_composer: Open) -> None:
    told: list[str] = []

    class Both(Composes):
        async def complete(self, request: Complete) -> Reply[str]:
            if "lists" in facts_in(request):
                return await super().complete(request)
            await self._hear(request)
            told.append(facts_in(request)["sentence"])
            return Reply(value=f"Note: {told[-1]}", tokens_in=10, tokens_out=5)

    def why(entry: Any) -> str:
        return note(entry) if entry["n"] % 2 else ""

    engine = with_composer(Both(ordered(by_title, why)), roles=("compose", "explain"))
    answer = engine.recommend("mia", at=AT)
    texts = [item.reason.text for ranked in answer.lists.values() for item in ranked.items]
    said = [text for text in texts if text.startswith("Just so you know: ")]
    assert said
    assert told
    assert {text.removeprefix("Note: ") for text in texts if text.startswith("Note: ")} <= {*told}
    assert len(told) + len(said) <= len(texts)
    assert answer.llm == "used"


def test_without_reasons_only_numbers_are_asked_for(with_composer: Open) -> None:
    backend = Composes(lambda lists: {t: [o["n"] for o in x[::-1]] for t, x in lists.items()})
    answer = with_composer(backend).recommend("mia", at=AT, explain=False)
    (request,) = asked(backend)
    assert "why" not in json.dumps(request.schema)
    assert "why" not in request.prompt.system
    assert all(ranked.composed for ranked in answer.lists.values())
    assert {i.reason.text for ranked in answer.lists.values() for i in ranked.items} == {""}


def test_a_hanging_model_costs_the_deadline_and_no_list(
    engine: Engine, with_composer: Open
) -> None:
    plain = engine.recommend("mia", at=AT)
    started = time.perf_counter()
    told = with_composer(Hangs(), replace(ROLE, deadline_s=0.2)).recommend("mia", at=AT)
    assert time.perf_counter() - started < 5.0
    assert told.llm == "deadline"
    assert told.to_dict()["lists"] == plain.to_dict()["lists"]


def test_a_spent_budget_and_a_broken_backend_say_so(engine: Engine, with_composer: Open) -> None:
    class Broken(EchoLLM):
        async def complete(self, request: Complete) -> Reply[str]:
            raise OSError(f"the cable is out, {request.max_tokens} tokens are lost")

    plain = engine.recommend("mia", at=AT).to_dict()["lists"]
    poor = replace(ROLE, budget=Budget(calls=0))
    spent = with_composer(Composes(ordered(by_title)), poor).recommend("mia", at=AT)
    broken = with_composer(Broken()).recommend("mia", at=AT)
    assert (spent.llm, broken.llm) == ("budget", "unavailable")
    assert spent.to_dict()["lists"] == broken.to_dict()["lists"] == plain


@pytest.mark.parametrize("name", ["qwen2.5-coder-0.5b-instruct"])
def test_real_weights_give_a_whole_answer_that_keeps_the_rules(
    trained_shop: Path, name: str
) -> None:
    folder = os.environ.get("RECPRISM_WEIGHTS")
    path = Path(folder or "") / f"{name}.gguf"
    if folder is None or not path.is_file():
        pytest.skip(f"`RECPRISM_WEIGHTS` names no folder with `{name}.gguf`")
    pytest.importorskip("xllamacpp", reason="needs the extra `llm`")
    from recprism.llm.embedded import EmbeddedBackend

    backend = EmbeddedBackend(path, threads=1)
    door = door_to(backend, Role(model=name, deadline_s=120.0))
    with open_engine(trained_shop, store=MemoryStore(), door=door) as engine:
        told = engine.recommend("mia", ["products", "coupons"], size=3, at=AT)
    assert told.llm in ("used", "unavailable", "deadline")
    check_composed(told, {"products": 3, "coupons": 3})
