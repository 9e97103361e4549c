"""Arithmetic from the project file: what passes, what does not, and what is said then."""

from __future__ import annotations

import pytest

from recprism.project.expression import Named, Number, Operation, names_of, parse_expression


def test_an_expression_becomes_a_tree_with_the_usual_precedence() -> None:
    assert parse_expression(" purchase * margin + 1 ") == Operation(
        "+", (Operation("*", (Named("purchase"), Named("margin"))), Number(1.0))
    )
    assert parse_expression("-a ** 2") == Operation(
        "-", (Operation("**", (Named("a"), Number(2.0))),)
    )
    assert parse_expression("max(a, b, 0.5)") == Operation(
        "max", (Named("a"), Named("b"), Number(0.5))
    )


def test_names_that_are_no_identifiers_stand_in_quotes() -> None:
    tree = parse_expression("'add to cart' * \"unit-price\" + min(买, max)")
    assert list(names_of(tree)) == ["add to cart", "unit-price", "买", "max"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("__import__('os')", r"`__import__\('os'\)` is not allowed in a score\. Known are \+ - \*"),
        ("a.b", r"`a\.b` is not allowed"),
        ("(1).real", r"is not allowed"),
        ("a if b else c", r"is not allowed"),
        ("lambda: a", r"is not allowed"),
        ("[a for a in b]", r"is not allowed"),
        ("a % b", r"`a % b` is not allowed"),
        ("a // b", r"is not allowed"),
        ("~a", r"is not allowed"),
        ("a < b", r"is not allowed"),
        ("True", r"`True` is not allowed"),
        ("2j", r"is not allowed"),
        ("1e999", r"`1e999` is not allowed"),
        ("0x" + "f" * 290, r"is not allowed"),
        ("f'{a}'", r"is not allowed"),
        ("exp(a)", r"`exp\(a\)` is not allowed.*`min`, `max`, `log`"),
        ("log(x=a)", r"is not allowed"),
        ("min(*a)", r"takes at least 2, found 1"),
        ("max(*a, *b)", r"`\*a` is not allowed"),
        ("min(a)", r"`min` takes at least 2, found 1 in `min\(a\)`"),
        ("log(a, b)", r"`log` takes 1, found 2"),
        ("a *", r"`a \*` is no arithmetic; write such as `purchase \* margin`"),
        ("", r"is no arithmetic"),
        ("a\0", r"is no arithmetic"),
        ("import os", r"is no arithmetic"),
        ("a; b", r"is no arithmetic"),
        ("(" * 299, r"is no arithmetic"),
        ("1if a else b", r"is not allowed"),
        ("a" * 301, r"301 characters, an expression has at most 300"),
    ],
)
def test_all_else_is_refused_with_what_is_allowed(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_expression(text)


def test_the_deepest_expression_is_read() -> None:
    assert list(names_of(parse_expression("-" * 299 + "a"))) == ["a"]
