"""Scores by expression: the arithmetic beside Python's own, numbers by link, and what has none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recprism.data.dataset import Ids, KindTable
from recprism.lists.formula import Formula, compile_formula, compute
from recprism.project.expression import parse_expression
from recprism.project.schema import Task


def kind(name: str, start: int, **numbers: list[float | None]) -> KindTable:
    n = len(next(iter(numbers.values()))) if numbers else 3
    columns = [pl.Series(f"number:{k}", v, dtype=pl.Float64) for k, v in numbers.items()]
    ids = Ids(pl.Series([f"{name}{i}" for i in range(n)]))
    return KindTable(name, ids, start, pl.DataFrame(columns))


def formula(text: str, **numbers: list[float | None]) -> Formula:
    things = kind("t", 0, **numbers)
    task = Task(recommend="t", goal="buy", score=text)
    found = compile_formula(task, things, things, np.arange(len(things), dtype=np.int32))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("buy * price", [0.2, 1.0]),
        ("view - buy / 2", [0.45, 0.65]),
        ("2 ** -1 + log(price)", [0.5 + math.log(2), 0.5]),
        ("max(buy, 0.3, view * 0)", [0.3, 1.0]),
        ("-min(buy, price)", [-0.1, -1.0]),
        ("+3", [3.0, 3.0]),
    ],
)
def test_scores_are_what_hand_work_says(text: str, expected: list[float]) -> None:
    made = formula(text, price=[2.0, 1.0])
    chances = {"buy": np.array([0.1, 1.0]), "view": np.array([0.5, 1.15])}
    terms = made.terms(chances, np.array([0, 1], np.int32))
    assert terms is not None
    score, lost = made.score(terms, 2)
    assert score.tolist() == pytest.approx(expected)
    assert not lost.any()


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3) -> str:
    if depth == 0 or draw(st.booleans()):
        return draw(st.sampled_from(["a", "b", "2", "0.5", "0"]))
    left, right = draw(expressions(depth - 1)), draw(expressions(depth - 1))
    shape = draw(st.sampled_from(["({0} {2} {1})", "max({0}, {1})", "min({0}, {1})", "(-{0})"]))
    return shape.format(left, right, draw(st.sampled_from(["+", "-", "*", "/"])))


@given(expressions(), st.floats(0, 1), st.floats(-9, 9))
def test_the_vector_agrees_with_plain_python(text: str, a: float, b: float) -> None:
    plain: Any
    try:
        plain = eval(text, {"a": a, "b": b, "max": max, "min": min})
    except (ZeroDivisionError, OverflowError):
        return
    terms = {"a": np.full(2, a), "b": np.full(2, b)}
    with np.errstate(all="ignore"):
        found = compute(parse_expression(text), terms)
    assert np.broadcast_to(found, 2).tolist() == pytest.approx([plain] * 2, nan_ok=True)


def test_what_has_no_finite_score_goes_behind_with_the_lowest_one() -> None:
    made = formula("buy / price", price=[1.0, 0.0, None, 2.0])
    terms = made.terms({"buy": np.full(4, 0.5)}, np.arange(4, dtype=np.int32))
    assert terms is not None
    score, lost = made.score(terms, 4)
    assert score.tolist() == [0.5, 0.25, 0.25, 0.25]
    assert lost.tolist() == [False, True, True, False]
    none = formula("log(0 * buy)").score({"buy": np.full(2, 0.5)}, 2)
    assert none[0].tolist() == [0.0, 0.0]
    assert none[1].all()
    assert formula("buy").score({"buy": np.zeros(0)}, 0)[0].tolist() == []


def test_a_huge_power_costs_nothing() -> None:
    score, lost = formula("buy * 9 ** 9 ** 9 ** 9").score({"buy": np.ones(1)}, 1)
    assert score.tolist() == [0.0]
    assert lost.all()


def test_terms_are_unknown_where_a_probability_is() -> None:
    made = formula("buy * view")
    assert made.terms({"buy": np.zeros(1)}, np.zeros(1, np.int32)) is None


def test_an_item_takes_the_number_of_what_it_stands_for() -> None:
    ads, products = kind("ads", 0), kind("products", 3, margin=[5.0, None])
    task = Task(recommend="ads", goal="buy", via="promotes", score="buy * margin")
    # The first ad is for the first product, the second for the other, the third for several.
    found = compile_formula(task, ads, products, np.array([3, 4, 2], np.int32))
    assert found is not None
    np.testing.assert_array_equal(found.numbers["margin"], [5.0, np.nan, np.nan])
    own = kind("ads", 0, margin=[1.0, 2.0, 3.0])
    found = compile_formula(task, own, products, np.array([3, 4, 2], np.int32))
    assert found is not None
    assert found.numbers["margin"].tolist() == [1.0, 2.0, 3.0]
    assert compile_formula(Task(recommend="ads"), ads, ads, np.zeros(3, np.int32)) is None
