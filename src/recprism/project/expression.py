"""The score of a task as arithmetic: text to a small tree, or one sentence about what is wrong.

The text is parsed with `ast` and never run. What comes out holds numbers, names and the operations
of `OPERATORS` and `FUNCTIONS`; nothing else passes. Names that are no identifiers (`add to cart`)
are written in quotes.
"""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 300
LARGEST: Final = sys.float_info.max
OPERATORS: Final[dict[type[ast.operator] | type[ast.unaryop], str]] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
    ast.UAdd: "+",
    ast.USub: "-",
}
FUNCTIONS: Final = {"min": (2, None), "max": (2, None), "log": (1, 1)}
"""Functions with the least and the most arguments they take (None: any number)."""
_KNOWN = f"Known are {' '.join(dict.fromkeys(OPERATORS.values()))}, parentheses, " + ", ".join(
    f"`{name}`" for name in FUNCTIONS
)


@dataclass(frozen=True)
class Number:
    value: float


@dataclass(frozen=True)
class Named:
    """A probability, or a number of the item, by its name."""

    name: str


@dataclass(frozen=True)
class Operation:
    """`symbol`, an operator or a function, of some expressions."""

    symbol: str
    operands: tuple[Expression, ...]


Expression = Number | Named | Operation


def parse_expression(text: str) -> Expression:
    """The tree of an expression.

    Raises ValueError with a sentence about what is wrong; that names exist is not looked at.
    """
    if len(text) > LONGEST:
        raise ValueError(f"{len(text)} characters, an expression has at most {LONGEST}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's advice on odd literals, which fail below
            tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"`{text}` is no arithmetic; write such as `purchase * margin`") from None
    return _read(tree.body, text.strip())


def names_of(expression: Expression) -> Iterator[str]:
    """The names that an expression uses, in the order of the text, each as often as it stands."""
    if isinstance(expression, Named):
        yield expression.name
    elif isinstance(expression, Operation):
        for operand in expression.operands:
            yield from names_of(operand)


def _read(node: ast.expr, text: str) -> Expression:
    match node:
        case ast.Name(id=name):
            return Named(name)
        case ast.Constant(value=str() as name):
            return Named(name)
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float() as value) if abs(value) <= LARGEST:
            return Number(float(value))
        case ast.UnaryOp(op=op, operand=operand) if type(op) in OPERATORS:
            return Operation(OPERATORS[type(op)], (_read(operand, text),))
        case ast.BinOp(op=op, left=left, right=right) if type(op) in OPERATORS:
            return Operation(OPERATORS[type(op)], (_read(left, text), _read(right, text)))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
            least, most = FUNCTIONS[name]
            if len(arguments) >= least and (most is None or len(arguments) <= most):
                return Operation(name, tuple(_read(argument, text) for argument in arguments))
            wanted = f"at least {least}" if most is None else f"{least}"
            raise ValueError(f"`{name}` takes {wanted}, found {len(arguments)} in `{text}`")
    found = ast.get_source_segment(text, node) or text
    raise ValueError(f"`{found}` is not allowed in a score. {_KNOWN}")
