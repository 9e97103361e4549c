"""The account: no text, one budget for several processes, no file from the future."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from recprism.errors import LLMUnavailable
from recprism.llm import Complete, Door, Prompt, Role
from recprism.llm.ledger import Budget, Call, Ledger
from recprism.testing.llms import ScriptedLLM


def a_call(role: str = "ask") -> Call:
    return Call(
        role=role,
        request="complete",
        backend="test",
        model="m",
        fields=("products.brand",),
        prompt_hash="0" * 64,
        tokens_in=30,
        tokens_out=10,
        cost=0.5,
    )


def test_a_call_is_logged_before_it_is_made_and_corrected_after(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "deep" / "llm.sqlite")
    number = ledger.begin(a_call(), None)
    assert number is not None
    assert [(c["state"], c["tokens_in"], c["cost"]) for c in ledger.calls()] == [("open", 30, 0.5)]
    ledger.end(number, "used", (7, 3, 0.1), 12.5)
    (call,) = ledger.calls()
    assert (call["state"], call["tokens_in"], call["tokens_out"]) == ("used", 7, 3)
    assert (call["cost"], call["took_ms"], call["fields"]) == (0.1, 12.5, ["products.brand"])
    ledger.close()
    ledger.close()


def test_two_ledgers_on_one_file_share_the_budget(tmp_path: Path) -> None:
    ledgers = [Ledger(tmp_path / "llm.sqlite") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(
            pool.map(lambda n: ledgers[n % 4].begin(a_call(), Budget(calls=10)), range(40))
        )
    assert sum(number is not None for number in found) == 10
    assert ledgers[0].begin(a_call("rank"), Budget(calls=10)) is not None
    assert [(row.role, row.calls) for row in ledgers[1].spent()] == [("ask", 10), ("rank", 1)]
    for ledger in ledgers:
        ledger.close()


def test_many_connections_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    for round_ in range(20):
        path, start = tmp_path / f"{round_}.sqlite", Barrier(6)

        def open_one(_: int, path: Path = path, start: Barrier = start) -> int | None:
            ledger = Ledger(path)
            start.wait()
            number = ledger.begin(a_call(), None)
            ledger.close()
            return number

        with ThreadPoolExecutor(6) as pool:
            assert None not in list(pool.map(open_one, range(6)))


def test_no_text_of_a_prompt_is_in_the_log(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "llm.sqlite")
    door = Door(lambda _: ScriptedLLM(["zebra"]), {"ask": Role(model="m")}, name="t", ledger=ledger)
    door.ask("ask", Complete(prompt=Prompt(user="giraffe", system="elephant")))
    door.ledger.forget()
    door.close()
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for word in (b"giraffe", b"elephant"):
        assert word not in content


def test_forgotten_answers_are_gone_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "llm.sqlite"
    ledger = Ledger(path)
    ledger.keep("k", '"zebra"', "s")
    assert ledger.forget("s") == 1
    ledger.close()
    assert b"zebra" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "llm.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(LLMUnavailable, match="has schema version 99, this RecPrism reads up to 2"):
        Ledger(path).spent()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "llm.sqlite"
    path.write_text("not a database " * 100)
    with pytest.raises(LLMUnavailable, match=r"llm\.sqlite` cannot be used: file is not a datab"):
        Ledger(path).begin(a_call(), None)


def test_a_file_of_the_first_version_learns_to_count_what_was_accepted(tmp_path: Path) -> None:
    path = tmp_path / "llm.sqlite"
    ledger = Ledger(path)
    assert ledger.begin(a_call(), None) is not None
    ledger.close()
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE judged")
        db.execute("PRAGMA user_version = 1")
    db.close()
    ledger = Ledger(path)
    ledger.judge("ask", "m", 3, 1)
    ledger.judge("ask", "m", 2, 0)
    (spent,) = ledger.spent()
    assert (spent.calls, spent.accepted, spent.refused) == (1, 5, 1)
    ledger.close()
