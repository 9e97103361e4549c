"""The score of a task as an expression over probabilities and numbers of the item.

In come the probabilities of candidates, out goes what orders them. The one decision worth knowing:
a candidate whose score is not a finite number (its number is missing, something is divided by 0) is
not lost, it goes behind all others, with the lowest score that any other candidate has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from recprism.data.dataset import IntArray, KindTable
from recprism.project.expression import Expression, Named, Number, names_of, parse_expression
from recprism.project.schema import Task

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Formula:
    """A compiled `score`: its text and tree, and the numbers it uses, [len(kind)] each (NaN where
    unknown)."""

    text: str
    tree: Expression
    numbers: Mapping[str, Values]

    def terms(self, chances: Mapping[str, Values], rows: IntArray) -> dict[str, Values] | None:
        """The value of every name for candidates [n], by their number within the kind.

        `chances` are the probabilities known, [n] each. None when one that is named is not known.
        """
        names = list(dict.fromkeys(names_of(self.tree)))
        if any(name not in chances and name not in self.numbers for name in names):
            return None
        return {
            name: self.numbers[name][rows] if name in self.numbers else chances[name]
            for name in names
        }

    def score(self, terms: Mapping[str, Values], n: int) -> tuple[Values, NDArray[np.bool_]]:
        """(score [n], all finite; where the expression gave no finite number [n])."""
        with np.errstate(all="ignore"):
            found = np.broadcast_to(compute(self.tree, terms), n).astype(np.float64)
        lost = ~np.isfinite(found)
        found[lost] = found[~lost].min(initial=np.inf) if not lost.all() else 0.0
        return found, lost


def compile_formula(task: Task, kind: KindTable, linked: KindTable, at: IntArray) -> Formula | None:
    """The formula of a task, None without one.

    Numbers are those of `kind`, else of `linked`, whose item `at` [len(kind)] (global, -1 for none)
    belongs to each item.
    """
    if task.score is None:
        return None
    tree = parse_expression(task.score)
    numbers = {}
    for name in names_of(tree):
        if name in kind.number_names:
            numbers[name] = kind.number(name)
        elif name in linked.number_names:
            own = (at >= linked.start) & (at < linked.stop)
            numbers[name] = np.full(len(kind), np.nan)
            numbers[name][own] = linked.number(name)[at[own] - linked.start]
    return Formula(task.score, tree, numbers)


def compute(tree: Expression, terms: Mapping[str, Values]) -> Values:
    """The value of an expression, given those of its names: a number or an array like theirs."""
    if isinstance(tree, Number):
        return np.asarray(tree.value, np.float64)
    if isinstance(tree, Named):
        return terms[tree.name]
    values = [compute(operand, terms) for operand in tree.operands]
    if len(values) == 1:
        one = {"+": np.positive, "-": np.negative, "log": np.log}[tree.symbol]
        return np.asarray(one(values[0]))
    many = {
        "+": np.add,
        "-": np.subtract,
        "*": np.multiply,
        "/": np.divide,
        "**": np.power,
        "min": np.minimum,
        "max": np.maximum,
    }[tree.symbol]
    return np.asarray(reduce(many, values))
