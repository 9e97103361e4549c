"""What columns with odd names hold, as a language model understands them (role `configure`).

In come profiled tables, out come the same tables in which some columns are taken for a word of
`hints`, a `Choice` for each, and a line about each that may stand in a comment. Four decisions are
worth knowing. Only columns whose names say nothing to the rules are asked about, and never for a
part that another column of their table has by its name. The model picks among meanings that the
values allow, so whatever it says, values still decide. A table's columns are settled together: a
small model knows which of them is most like a customer, not that one is. And it reads names, types
and counts, never a value of a cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from recprism.data import hints
from recprism.data.columns import Column, Profiled
from recprism.data.dataset import FloatArray
from recprism.data.roles import Choice, is_text, window_of
from recprism.llm import Choice as Chosen
from recprism.llm import Choose, Complete, Door, Outcome, Prompt
from recprism.llm.opening import CONFIGURE
from recprism.llm.prompts import render

MOST_QUESTIONS = 60
"""So many columns are asked about; tables with more odd names than that need a person."""
MOST_NAMES, LONGEST_NAME, LONGEST_LINE = 60, 60, 100
"""Columns of a table that the model reads beside the one asked about, characters of a name, and of
a line about a column."""
FEW_IDS, MOST_CLASSES = 10, 500
"""What is said to name users, items or visits has so many values at least, what sorts them at
most."""
HEARD, SURE = 0.1, 0.5
"""How likely a meaning must be when a table's columns are settled, and the right one of several
columns."""
NOTHING = "something else"
_NEVER = 1e-9
"""How likely something impossible is, so that it has a logarithm."""
_FACTS = ("column", "columns", "distinct", "rows", "table", "type")


@dataclass(frozen=True)
class Meaning:
    """Something that a column may hold: the word that the rules know it by, and how it is put.

    A table in which another column has one of `known` in its name needs no column of this meaning.
    Only of what may be `many` a table can have several.
    """

    word: str
    option: str
    known: frozenset[str]
    many: bool = False


USER = Meaning("customer", "customer", hints.USER)
ITEM = Meaning("product", "product", hints.ITEM)
SESSION = Meaning("session", "order or visit", hints.SESSION)
PLACE = Meaning("store", "shop or place", hints.PLACE)
TIME = Meaning("time", "date or time", hints.TIME)
AMOUNT = Meaning("amount", "price or quantity", frozenset(hints.VALUE), many=True)
RATING = Meaning("rating", "rating", frozenset(hints.VALUE))
ACTION = Meaning("action", "action", hints.ACTION)
CLASS = Meaning("category", "category", frozenset(), many=True)
TITLE = Meaning("title", "title", frozenset(hints.TEXT))
WORDS = Meaning("description", "description", frozenset(), many=True)
_KNOWN = frozenset().union(
    hints.USER, hints.ITEM, hints.SESSION, hints.PLACE, hints.ACTION, hints.VALUE, hints.TEXT,
    hints.LABEL, hints.WISH, hints.PRIVATE, hints.LANGUAGE, hints.TIME, hints.START, hints.END,
)  # fmt: skip


@dataclass(frozen=True)
class Question:
    """What is asked about a table: what one column means, or which of some columns it is.

    `meanings` are what `options` stand for, None for nothing; of a question for the right one of
    several columns all options stand for the same meaning, on the column of their name.
    """

    table: Profiled
    column: Column | None
    options: tuple[str, ...]
    meanings: tuple[Meaning | None, ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Understood:
    """Tables with what the model said of their columns; `lines` about columns, by their place.

    When anything failed, the tables are as they were, and the one choice says why.
    """

    tables: list[Profiled]
    choices: list[Choice]
    lines: dict[str, str]


def understand(tables: Sequence[Profiled], door: Door) -> Understood:
    """Ask the role `configure` of `door` about columns whose names the rules do not know."""
    found = [question for table in tables for question in questions(table)]
    asked, started = found[:MOST_QUESTIONS], perf_counter()
    outcomes = door.ask_many(CONFIGURE, [request(one) for one in asked], since=started)
    failed = next((one for one in outcomes if one.value is None), None)
    if failed is not None:
        return Understood(list(tables), [unused(failed.why or "it gave no answer")], {})
    choices: list[Choice] = []
    taken: dict[tuple[str, str], Column] = {}
    for question, column, meaning in _settled(asked, outcomes):
        taken[question.table.source, column.name] = column.taken_for(meaning.word)
        choices.append(_choice(column, meaning, question))
    if len(found) > len(asked):
        left = f"{len(found) - len(asked)} columns with odd names were not asked about"
        choices.append(Choice("language model", left, f"at most {MOST_QUESTIONS} are"))
    told = [_with(table, taken) for table in tables]
    return Understood(told, choices, _describe(asked, door, started))


def unused(why: str) -> Choice:
    """The one note where the rules decide alone after all."""
    return Choice("language model", "not used", why)


def questions(table: Profiled) -> Iterator[Question]:
    """What to ask about a table; nothing where names or values say enough."""
    for column in table.columns.values():
        meanings = _meanings(column, table) if _is_odd(column) else []
        if meanings:
            options = (*(meaning.option for meaning in meanings), NOTHING)
            yield Question(table, column, options, (*meanings, None), (column,) * len(options))
    for meaning, candidates in _rivals(table):
        names = tuple(_short(column.name) for column in candidates)
        if len(candidates) > 1 and len(set(names)) == len(names):
            same = (meaning,) * len(names)
            yield Question(table, None, names, same, tuple(candidates))


def request(question: Question) -> Choose:
    """The question as the model gets it, and the same about nothing, to compare with."""
    if question.column is None:
        is_time = TIME in question.meanings
        says = "The column that says " + ("when it happened:" if is_time else "who did it:")
        prompt = render("columns", _facts(question.table, None), _FACTS, question=says)
        return Choose(prompt=_named(prompt), options=question.options)
    # The name alone: a small model is led astray by what else stands in the table.
    prompt = render("column", {"column": _short(question.column.name)}, _FACTS)
    neutral = render("column", {"column": "?"}, _FACTS)
    return Choose(prompt=_named(prompt), options=question.options, neutral=_named(neutral))


def cleaned(text: str) -> str:
    """The first line of what a model wrote, short and printable; empty where nothing is left."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    shown = "".join(c if c.isprintable() else " " for c in first)
    line = " ".join(shown.split())
    return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1].rstrip() + "…"


def _is_odd(column: Column) -> bool:
    """Whether the rules know no word of the name, and it has a word and several values."""
    says = any(character.isalpha() for character in column.name)
    return says and column.distinct > 1 and _KNOWN.isdisjoint(column.words)


def _meanings(column: Column, table: Profiled) -> list[Meaning]:
    """What the values of a column allow, without what other columns are by their names."""
    found: list[Meaning] = []
    if column.may_be_id and column.distinct >= FEW_IDS:
        found += [USER, ITEM, SESSION]
    if column.may_be_id and column.distinct < column.rows / 2:
        found.append(PLACE)
    if column.sort in ("whole", "number"):
        found += [AMOUNT, RATING]
    if column.sort == "whole" and column.may_be_time:
        found.append(TIME)
    if column.sort == "text" and column.distinct <= min(MOST_CLASSES, column.rows / 2):
        found += [ACTION, CLASS] if column.distinct <= 30 else [CLASS]
    if is_text(column):
        found += [TITLE, WORDS]
    named = frozenset(word for other in table.columns.values() for word in other.words)
    return [meaning for meaning in found if meaning.known.isdisjoint(named)]


def _rivals(table: Profiled) -> Iterator[tuple[Meaning, list[Column]]]:
    """Columns that a table of events names its users by, and its times, where rules take the first.

    A table of events has at least two columns of ids.
    """
    ids = [c for c in table.columns.values() if c.may_be_id and c.distinct >= FEW_IDS]
    if len(ids) < 2 or not table.times:
        return
    yield USER, [column for column in ids if column.stems & hints.USER]
    bounds = window_of(table) or ()
    yield TIME, [column for column in table.times if column not in bounds]


def _facts(table: Profiled, column: Column | None) -> dict[str, Any]:
    """What the model reads: names, a type, counts. No value of any cell."""
    names = [_short(name) for name in list(table.columns)[:MOST_NAMES]]
    facts: dict[str, Any] = {"table": _short(table.name), "columns": names, "rows": table.rows}
    if column is not None:
        facts |= {
            "column": _short(column.name),
            "type": _type(column),
            "distinct": column.distinct,
        }
    return facts


def _type(column: Column) -> str:
    if column.sort == "text":
        return "words" if is_text(column) else "a word or code"
    return {"whole": "whole number", "time": "date or time"}.get(column.sort, column.sort)


def _short(name: str) -> str:
    return name[:LONGEST_NAME]


def _named(prompt: Prompt) -> Prompt:
    """The prompt, for the audit log: what it holds of the tables."""
    return replace(prompt, fields=("column names", "counts", "types"))


def _settled(
    asked: Sequence[Question], outcomes: Sequence[Outcome[Chosen]]
) -> Iterator[tuple[Question, Column, Meaning]]:
    """What each column means, where the model says so, table by table."""
    told = [_Told(one, _shares(one, out.value)) for one, out in zip(asked, outcomes, strict=True)]
    for source in dict.fromkeys(question.table.source for question in asked):
        own = [one for one in told if one.question.table.source == source]
        yield from _assigned([one for one in own if one.question.column is not None])
        for question, shares in own:
            best = int(shares.argmax())
            meaning = question.meanings[best]
            if question.column is None and meaning is not None and shares[best] >= SURE:
                yield question, question.columns[best], meaning


class _Told(NamedTuple):
    """A question, and how likely the model finds each of its options."""

    question: Question
    shares: FloatArray

    def of(self, meaning: Meaning | None) -> float:
        """How likely a meaning is; nothing where the values do not allow it."""
        meanings = self.question.meanings
        return float(self.shares[meanings.index(meaning)]) if meaning in meanings else 0.0


def _assigned(told: Sequence[_Told]) -> Iterator[tuple[Question, Column, Meaning]]:
    """The likeliest meanings of a table's columns together, each meaning once or `many` times."""
    meanings = dict.fromkeys(meaning for one in told for meaning in one.question.meanings)
    slots = [m for m in meanings for _ in range(len(told) if m is None or m.many else 1)]
    shares = np.array([[one.of(meaning) for meaning in slots] for one in told])
    if not len(told):
        return
    for row, place in zip(*linear_sum_assignment(-np.log(shares + _NEVER)), strict=True):
        question, meaning = told[row].question, slots[place]
        if meaning is not None and question.column and shares[row, place] >= HEARD:
            yield question, question.column, meaning


def _shares(question: Question, chosen: Chosen | None) -> FloatArray:
    """How likely each option is; a model without likelihoods is sure, and garbage is nothing."""
    shares = np.zeros(len(question.options), np.float32)
    if chosen is not None and 0 <= chosen.index < len(shares):
        if chosen.probabilities is None:
            shares[chosen.index] = 1.0
        else:
            shares[:] = chosen.probabilities
    return shares


def _choice(column: Column, meaning: Meaning, question: Question) -> Choice:
    among = ", ".join(f"`{option}`" for option in question.options)
    where = f"{question.table.name}.{column.name}"
    return Choice(where, meaning.option, f"the language model chose it among {among}")


def _with(table: Profiled, taken: Mapping[tuple[str, str], Column]) -> Profiled:
    columns = {name: taken.get((table.source, name), c) for name, c in table.columns.items()}
    return replace(table, columns=columns)


def _describe(asked: Sequence[Question], door: Door, started: float) -> dict[str, str]:
    """A line about each column asked about, by table and name; what did not come is left out."""
    of = [(one.table, one.column) for one in asked if one.column is not None]
    prompts = [_named(render("describe", _facts(*pair), _FACTS)) for pair in of]
    wanted = [Complete(prompt=prompt, max_tokens=32, stop=("\n",)) for prompt in prompts]
    outcomes = door.ask_many(CONFIGURE, wanted, since=started)
    lines = {
        f"{table.name}.{column.name}": cleaned(outcome.value or "")
        for (table, column), outcome in zip(of, outcomes, strict=True)
    }
    return {name: line for name, line in lines.items() if line}
