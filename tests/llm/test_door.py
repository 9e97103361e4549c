"""The door: always an outcome, in time, within the budget, and on the account."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recprism.errors import DiskFull, LLMUnavailable, UsageError
from recprism.llm import Budget, Choose, Complete, Door, Embed, Ledger, Price, Prompt, Role, Score
from recprism.llm.backend import Backend
from recprism.llm.requests import Outcome, Reply
from recprism.testing.llms import EchoLLM, ScriptedLLM

ROLE = Role(model="m", deadline_s=5.0)


class Doors:
    """Opens doors and closes them after the test."""

    def __init__(self) -> None:
        self.opened: list[Door] = []

    def __call__(self, backend: Backend, role: Role = ROLE, **settings: Any) -> Door:
        door = Door(lambda _: backend, {"ask": role}, name="test", **settings)
        self.opened.append(door)
        return door


@pytest.fixture
def doors() -> Iterator[Doors]:
    doors = Doors()
    yield doors
    for door in doors.opened:
        door.close()


def question(text: str = "What is milk?") -> Complete:
    return Complete(prompt=Prompt(user=text), max_tokens=16)


def test_an_answer_comes_with_its_cost(doors: Doors) -> None:
    door = doors(ScriptedLLM(["a drink"]), prices={"m": Price(input=2.0, output=10.0)})
    outcome = door.ask("ask", question())
    assert (outcome.state, outcome.value, outcome.cached) == ("used", "a drink", False)
    assert (outcome.tokens_in, outcome.tokens_out) == (10, 5)
    assert outcome.cost == pytest.approx((10 * 2 + 5 * 10) / 1e6)


def test_a_role_that_is_off_asks_nobody(doors: Doors) -> None:
    backend = EchoLLM()
    outcome = doors(backend).ask("rank", question())
    assert (outcome.state, outcome.why) == ("off", "the role `rank` is off")
    assert backend.asked == []


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (question(), "a drink"),
        (Choose(prompt=Prompt(user="?"), options=("a", "b")), 1),
        (Score(prompt=Prompt(user="?"), continuations=("a", "b")), (-1.5, -2.0)),
        (Embed(texts=("a",)), ((0.5, 1.0),)),
    ],
    ids=["complete", "choose", "score", "embed"],
)
def test_the_same_question_is_answered_from_the_cache(
    doors: Doors, request_: Any, answer: Any
) -> None:
    door = doors(ScriptedLLM([answer]))
    first, second = door.ask("ask", request_), door.ask("ask", request_)
    assert first.state == second.state == "used"
    assert first.value == second.value
    assert (second.cached, second.cost, second.tokens_in) == (True, 0.0, 0)


def test_another_model_or_prompt_is_another_question(doors: Doors) -> None:
    ledger = Ledger(None)
    answers = ScriptedLLM(["one", "two", "three"])
    door = doors(answers, ledger=ledger)
    other = doors(answers, Role(model="other"), ledger=ledger)
    said = [
        door.ask("ask", question()),
        door.ask("ask", question("?")),
        other.ask("ask", question()),
    ]
    assert [outcome.value for outcome in said] == ["one", "two", "three"]


def test_cached_answers_about_a_person_can_be_forgotten(doors: Doors, tmp_path: Path) -> None:
    path = tmp_path / "llm.sqlite"
    door = doors(ScriptedLLM(["one", "two", "three"]), ledger=Ledger(path))
    door.ask("ask", question(), subject="user-1029")
    door.ask("ask", question("And bread?"))
    assert (door.forget("user-1029"), door.forget("user-1029")) == (1, 0)
    assert door.ask("ask", question()).value == "three"
    assert door.ask("ask", question("And bread?")).cached
    assert b"user-1029" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())


class Hanging(EchoLLM):
    """Never answers; `blocking` also blocks the loop it runs on, or ignores being cancelled."""

    def __init__(self, how: str, release: threading.Event) -> None:
        super().__init__()
        self.how, self.release = how, release

    async def complete(self, request: Complete) -> Reply[str]:
        if self.how == "blocks":
            self.release.wait(20)
        elif self.how == "ignores cancelling":
            while not self.release.is_set():
                try:
                    await asyncio.sleep(0.05)
                except asyncio.CancelledError:
                    continue
        await asyncio.sleep(20)
        return await super().complete(request)


@pytest.mark.parametrize("how", ["waits", "blocks", "ignores cancelling"])
def test_a_backend_that_hangs_keeps_nobody_past_the_deadline(doors: Doors, how: str) -> None:
    release = threading.Event()
    door = doors(Hanging(how, release), Role(model="m", deadline_s=0.1))
    start = time.perf_counter()
    outcomes = door.ask_many("ask", [question("a"), question("b")])
    took = time.perf_counter() - start
    release.set()
    assert [outcome.state for outcome in outcomes] == ["deadline", "deadline"]
    assert took < 2.0
    assert all(outcome.why for outcome in outcomes)


def test_a_model_that_loads_for_long_is_ready_for_a_later_call() -> None:
    loaded = threading.Event()

    def load(_: str) -> Backend:
        loaded.wait(10)
        return ScriptedLLM(["a drink"])

    door = Door(load, {"ask": Role(model="m", deadline_s=0.1), "slow": Role(model="m")}, name="t")
    assert door.ask("ask", question()).state == "deadline"
    loaded.set()
    assert door.ask("slow", question()).value == "a drink"
    door.close()


def test_a_call_past_its_deadline_is_on_the_account_with_its_estimate(doors: Doors) -> None:
    door = doors(EchoLLM(delay_s=5), Role(model="m", deadline_s=0.05))
    assert door.ask("ask", question()).why.startswith("no answer within")
    end = time.monotonic() + 10  # the row is closed right after, off the caller's path
    while door.ledger.calls()[0]["state"] == "open" and time.monotonic() < end:
        time.sleep(0.01)
    (call,) = door.ledger.calls()
    assert call["state"] == "deadline"
    assert call["tokens_in"] > 0
    assert call["tokens_out"] == 16


@pytest.mark.parametrize("error", [LLMUnavailable("it is away"), RuntimeError("it is away")])
def test_a_failing_backend_is_an_outcome(doors: Doors, error: Exception) -> None:
    door = doors(ScriptedLLM([error, "a drink"]))
    outcome = door.ask("ask", question())
    assert (outcome.state, outcome.value, outcome.why) == ("unavailable", None, "it is away")
    assert door.ledger.calls()[0]["state"] == "unavailable"
    assert door.ask("ask", question()).value == "a drink"


def test_a_backend_that_cannot_be_opened_is_tried_again() -> None:
    tries: Iterator[Exception | ScriptedLLM]
    tries = iter([LLMUnavailable("no weights"), ScriptedLLM(["a drink"])])

    def load(_: str) -> Backend:
        found = next(tries)
        if isinstance(found, Exception):
            raise found
        return found

    door = Door(load, {"ask": ROLE}, name="test")
    assert door.ask("ask", question()).why == "no weights"
    assert door.ask("ask", question()).value == "a drink"
    door.close()


@pytest.mark.parametrize(
    ("budget", "answered"),
    [
        (Budget(calls=2), 2),
        (Budget(calls=0), 0),
        (Budget(tokens=15), 0),
        (Budget(tokens=100), 3),
        (Budget(cost=0.000075), 1),
        (Budget(calls=2, per_s=1e-9), 4),
        (Budget(), 4),
    ],
)
def test_a_budget_is_never_exceeded(doors: Doors, budget: Budget, answered: int) -> None:
    """A call reads about 49 tokens and writes 16 at most; in the end it used 10 and 5."""
    role = Role(model="m", budget=budget)
    price = {"m": Price(input=1.0, output=1.0)}
    door = doors(ScriptedLLM(["one", "two", "three", "four"]), role, prices=price)
    states = [door.ask("ask", question(f"{n}")).state for n in range(4)]
    assert states == ["used"] * answered + ["budget"] * (4 - answered)
    spent = door.ledger.spent()
    assert sum(row.calls for row in spent) == answered


def test_calls_under_way_count_for_the_budget(doors: Doors) -> None:
    door = doors(EchoLLM(delay_s=0.2), Role(model="m", budget=Budget(calls=3)))
    outcomes = door.ask_many("ask", [question(f"{n}") for n in range(8)])
    assert sorted(outcome.state for outcome in outcomes) == ["budget"] * 5 + ["used"] * 3
    assert "budget of the role `ask`" in next(o.why for o in outcomes if o.state == "budget")


def test_cached_answers_cost_no_budget(doors: Doors) -> None:
    door = doors(ScriptedLLM(["a drink"]), Role(model="m", budget=Budget(calls=1)))
    assert [door.ask("ask", question()).cached for _ in range(3)] == [False, True, True]
    (row,) = door.ledger.spent()
    assert (row.calls, row.cached, row.failed, row.tokens_in) == (1, 2, 0, 10)


def test_many_requests_run_side_by_side_and_keep_their_places(doors: Doors) -> None:
    door = doors(EchoLLM(delay_s=0.3))
    start = time.perf_counter()
    outcomes = door.ask_many("ask", [question(f"number {n}") for n in range(20)])
    assert time.perf_counter() - start < 3
    for n, outcome in enumerate(outcomes):
        assert outcome.value is not None
        assert f"number {n}" in outcome.value


def test_an_event_loop_is_not_blocked(doors: Doors) -> None:
    door = doors(EchoLLM(delay_s=0.3))

    async def work() -> tuple[Outcome[str], int]:
        asked = asyncio.ensure_future(door.ask_async("ask", question()))
        turns = 0
        while not asked.done():
            await asyncio.sleep(0.01)
            turns += 1
        return asked.result(), turns

    outcome, turns = asyncio.run(work())
    assert outcome.state == "used"
    assert turns > 5


def test_no_secret_passes_the_door(doors: Doors) -> None:
    backend = EchoLLM()
    door = doors(backend)
    secret = "mia.long@example.com, +49 170 1234567"
    door.ask("ask", question(f"Write to {secret}"))
    door.ask("ask", Choose(prompt=Prompt(user="?"), options=(secret, "b")))
    door.ask("ask", Embed(texts=(secret,)))
    door.ask("ask", Score(prompt=Prompt(user="?"), continuations=(secret,)))
    assert len(backend.asked) == 4
    for asked in backend.asked:
        assert "example.com" not in repr(asked)
        assert "1234567" not in repr(asked)


def test_only_fields_of_the_project_reach_a_prompt_and_the_log_names_them(doors: Doors) -> None:
    backend = EchoLLM()
    door = doors(backend, fields=["products.brand"])
    facts = {"products.brand": "Acme", "users.age": "55+", "users.household_id": "1029"}
    prompt = door.prompt("check", facts, question="Which brand?", asked="now")
    door.ask("ask", Complete(prompt=prompt))
    text = repr(backend.asked[0])
    assert "Acme" in text
    assert not {"55+", "1029", "users"} & set(text.replace('"', " ").split())
    (call,) = door.ledger.calls()
    assert call["fields"] == ["products.brand"]


def test_a_backend_must_not_ask_its_own_door() -> None:
    class Recursive(EchoLLM):
        async def complete(self, request: Complete) -> Reply[str]:
            return Reply(value=str(door.ask("ask", request).value))

    door = Door(lambda _: Recursive(), {"ask": ROLE}, name="test")
    outcome = door.ask("ask", question())
    door.close()
    assert outcome.state == "unavailable"
    assert "must not ask the door" in outcome.why


def test_a_closed_door_says_so(doors: Doors) -> None:
    door = doors(EchoLLM())
    door.ask("ask", question())
    door.close()
    door.close()
    outcome = door.ask("ask", question())
    assert (outcome.state, outcome.why) == ("unavailable", "the language model was closed")


def test_a_log_that_cannot_be_written_means_no_call(doors: Doors, tmp_path: Path) -> None:
    (tmp_path / "llm.sqlite").mkdir()
    backend = EchoLLM()
    outcome = doors(backend, ledger=Ledger(tmp_path / "llm.sqlite")).ask("ask", question())
    assert outcome.state == "unavailable"
    assert "cannot be used" in outcome.why
    assert backend.asked == []


class Forgetful(Ledger):
    """Its disk fills between the question and the answer."""

    def end(self, *_: Any) -> None:
        raise DiskFull("llm.sqlite")

    def keep(self, *_: Any) -> None:
        raise DiskFull("llm.sqlite")


def test_an_answer_that_came_is_given_when_the_disk_filled_meanwhile(
    doors: Doors, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = doors(ScriptedLLM(["a drink"]), ledger=Forgetful(None)).ask("ask", question())
    assert (outcome.state, outcome.value) == ("used", "a drink")
    assert [record.getMessage()[:42] for record in caplog.records] == [
        "The disk filled while writing `llm.sqlite`"
    ] * 2


def test_a_full_disk_means_no_call(doors: Doors, small_disk: Path) -> None:
    door = doors(ScriptedLLM(["one", "two"]), ledger=Ledger(small_disk / "llm.sqlite"))
    assert door.ask("ask", question()).state == "used"
    with (small_disk / "rest").open("wb") as file:
        try:
            while True:
                file.write(b"\0" * 65536)
                file.flush()
        except OSError:
            pass
    states = [door.ask("ask", question(f"{n} " * 2000)).state for n in range(3)]
    assert set(states) <= {"unavailable", "used"}
    assert states[-1] == "unavailable"


def test_a_script_that_is_used_up_says_so() -> None:
    with pytest.raises(UsageError, match="no answer left for request 1"):
        asyncio.run(ScriptedLLM([]).complete(question()))


def test_a_choice_needs_options() -> None:
    with pytest.raises(UsageError, match="A choice needs two options with text, found 1"):
        Choose(prompt=Prompt(user="?"), options=("a",))


def test_what_a_schema_offers_is_redacted_too(doors: Doors) -> None:
    seen: list[Complete] = []

    class Recording(EchoLLM):
        async def complete(self, request: Complete) -> Reply[str]:
            seen.append(request)
            return await super().complete(request)

    schema = {"type": "object", "properties": {"label": {"enum": ["tea", "call +49 170 1234567"]}}}
    request = Complete(prompt=Prompt(user="Which?"), schema=schema)
    doors(Recording()).ask("ask", request)
    assert seen[0].schema is not None
    assert seen[0].schema["type"] == "object"
    assert seen[0].schema["properties"]["label"]["enum"][0] == "tea"
    assert "1234567" not in str(seen[0].schema)
