"""Validation errors in our own words, each with its line.

In comes what Pydantic found, out go `ProjectError`s. The decision worth knowing: where a value may
take several forms, the form that the user evidently meant is the one whose mistakes are reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from recprism.errors import ProjectError, nearest
from recprism.project.document import Document, KeyPath
from recprism.project.schema import ProjectFile

_EXPECTED = {
    "int": "a whole number",
    "float": "a number",
    "finite_number": "a finite number",
    "bool": "`true` or `false`",
    "string": "text",
    "list": "a list",
    "dict": "a mapping",
    "model": "a mapping",
}
_LIMITS = {
    "greater_than_equal": "a number of at least {ge:g}",
    "less_than_equal": "a number of at most {le:g}",
    "greater_than": "a number above {gt:g}",
    "less_than": "a number below {lt:g}",
}
_ABSENT = object()


@dataclass(frozen=True)
class Mistake:
    """One thing wrong: where, what, how to mend it.

    `kind` is `value`, `missing`, `unknown` (a key), or `clash` (two parts that do not fit); `needs`
    names the sections whose own mistakes would make a clash void.
    """

    path: KeyPath
    problem: str
    hint: str = ""
    kind: str = "value"
    needs: frozenset[KeyPath] = frozenset()

    @property
    def sentence(self) -> str:
        """The problem; a clash begins with where it is."""
        where = f"`{show_path(self.path)}`: " if self.kind == "clash" else ""
        return where + self.problem


@dataclass(frozen=True)
class _Row:
    """A finding of Pydantic's: the path in the file, and the form of the value it belongs to."""

    path: KeyPath
    found: Any
    form_at: int | None
    form: str
    details: ErrorDetails


def find_mistakes(error: ValidationError, document: Document) -> list[Mistake]:
    """Everything wrong in the document, in the order of Pydantic's walk, nothing twice."""
    rows = [_read(details, document.data) for details in error.errors(include_url=False)]
    mistakes: dict[KeyPath, Mistake] = {}
    for row in rows:
        if row.form_at is None:
            mistake = _describe(row)
        else:
            base = row.path[: row.form_at]
            rivals = [r for r in rows if r.form_at is not None and r.path[: r.form_at] == base]
            mistake = _choose(row, rivals)
        mistakes.setdefault(mistake.path, mistake)
    return list(mistakes.values())


def to_errors(mistakes: Sequence[Mistake], document: Document) -> list[ProjectError]:
    """The mistakes as errors with their lines, in the order of lines."""
    errors = [
        ProjectError(document.file, document.line_of(m.path), m.sentence, m.hint) for m in mistakes
    ]
    return sorted(errors, key=lambda error: error.line or 0)


def show_path(path: KeyPath) -> str:
    """A path as users write it: `events[1].time`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def known_keys(path: KeyPath) -> dict[str, str]:
    """The keys that the schema allows under `path`, each with its documentation."""
    keys: dict[str, str] = {}
    for annotation in _at(path):
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            for name, field in annotation.model_fields.items():
                keys[field.alias or name] = " ".join((field.description or "").split())
    return keys


@cache
def _at(path: KeyPath) -> tuple[Any, ...]:
    """The types that the value at `path` may have."""
    annotations: tuple[Any, ...] = (ProjectFile,)
    for part in path:
        annotations = tuple(
            form for outer in annotations for inner in _step(outer, part) for form in _forms(inner)
        )
    return annotations


def _step(annotation: Any, part: str | int) -> Iterator[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            if (field.alias or name) == part:
                yield field.annotation
    elif get_origin(annotation) in (dict, list):
        yield get_args(annotation)[-1]


def _forms(annotation: Any) -> Iterator[Any]:
    """The members of a union; the type itself when it is none."""
    if hasattr(annotation, "__metadata__"):
        yield from _forms(get_args(annotation)[0])
    elif get_origin(annotation) is Union or type(annotation).__name__ == "UnionType":
        for member in get_args(annotation):
            yield from _forms(member)
    else:
        yield annotation


def _read(details: ErrorDetails, data: Any) -> _Row:
    """Split Pydantic's location into the path in the file and the form of a union it names."""
    path: list[str | int] = []
    node, form_at, form = data, None, ""
    *outer, last = details["loc"] or ("",)
    for part in (*outer, last):
        if _has(node, part):
            node = node[part]
        elif part is last and details["type"] == "missing":
            node = _ABSENT
        elif part == "[key]" or isinstance(part, int):
            continue
        else:
            form_at, form = len(path), str(part)
            continue
        path.append(part)
    return _Row(tuple(path), node, form_at, form, details)


def _has(node: Any, part: str | int) -> bool:
    if isinstance(node, dict):
        return part in node
    return isinstance(node, list) and isinstance(part, int) and part < len(node)


def _choose(row: _Row, rivals: list[_Row]) -> Mistake:
    """The mistake within the form that was meant, or that none of the forms fits."""
    meant = {r.form for r in rivals if len(r.path) > (r.form_at or 0)}
    if row.form in meant:
        return _describe(row)
    if meant:
        return _describe(next(r for r in rivals if r.form in meant))
    return _mismatch(row.path, " or ".join(dict.fromkeys(map(_expected, rivals))), row.found)


def _describe(row: _Row) -> Mistake:
    kind, path = row.details["type"], row.path
    if kind == "missing":
        return _missing(row)
    if kind == "extra_forbidden":
        return _unknown_key(path, known_keys(path[:-1]))
    if row.details["loc"][-1] == "[key]":
        return _bad_key(row)
    if kind == "value_error":
        cause = row.details.get("ctx", {}).get("error", row.details["msg"])
        return Mistake(path, f"`{show_path(path)}`: {cause}.")
    hint = ""
    if kind == "string_type" and isinstance(row.found, int | float):
        hint = "Put it in quotes."
    if kind == "literal_error":
        close = nearest(str(row.found), _literals(row))
        hint = f"Did you mean `{close}`?" if close else ""
    return _mismatch(path, _expected(row), row.found, hint)


def _mismatch(path: KeyPath, expected: str, found: Any, hint: str = "") -> Mistake:
    return Mistake(
        path, f"`{show_path(path)}`: expected {expected}, found {show_value(found)}.", hint
    )


def _missing(row: _Row) -> Mistake:
    *parent, key = row.path
    where = f"`{show_path(tuple(parent))}`" if parent else "the file"
    is_empty = row.found is not _ABSENT
    problem = f"`{show_path(row.path)}` has no value." if is_empty else f"{where} lacks `{key}`."
    return Mistake(row.path, problem, known_keys(tuple(parent)).get(str(key), ""), "missing")


def _unknown_key(path: KeyPath, known: dict[str, str]) -> Mistake:
    key = str(path[-1])
    where = f" in `{show_path(path[:-1])}`" if len(path) > 1 else ""
    close = nearest(key, known)
    if not known:
        hint = "This section takes no keys in this version; remove it."
    elif close:
        hint = f"Did you mean `{close}`?"
    else:
        hint = f"Known here: {', '.join(f'`{k}`' for k in known)}."
    return Mistake(path, f"unknown key `{key}`{where}.", hint, "unknown")


def _bad_key(row: _Row) -> Mistake:
    if row.details["type"] == "literal_error":
        return _unknown_key(row.path, dict.fromkeys(_literals(row), ""))
    return Mistake(
        row.path,
        f"`{row.path[-1]}` cannot be a name{_in(row.path[:-1])}; "
        "a name has lower-case letters, digits, `_` and `-`, begins with a letter and has at most "
        "63 characters.",
    )


def _in(path: KeyPath) -> str:
    return f" in `{show_path(path)}`" if path else ""


def _literals(row: _Row) -> list[str]:
    text = str(row.details.get("ctx", {}).get("expected", ""))
    return [part.strip("' ") for part in text.replace(" or ", ", ").split(", ")]


def _expected(row: _Row) -> str:
    kind, context = row.details["type"], row.details.get("ctx", {})
    if kind in _LIMITS:
        return _LIMITS[kind].format(**context)
    if kind == "literal_error":
        names = [f"`{name}`" for name in _literals(row)]
        return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    if kind == "string_pattern_mismatch" and context["pattern"].startswith(r"^\S"):
        return "text of at most 63 characters on one line"
    if kind == "string_pattern_mismatch":
        return "a name (lower-case letters, digits, `_` and `-`, a letter first)"
    if kind == "too_short":
        least = context["min_length"]
        return "at least one entry" if least == 1 else f"at least {least} entries"
    if kind == "string_too_short":
        return "some text"
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    if kind.partition("_")[0] in _EXPECTED:
        return _EXPECTED[kind.partition("_")[0]]
    return str(row.details["msg"])


def show_value(value: Any) -> str:
    """A found value in a message, shortened."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{text}`" if len(text) <= 60 else f"`{text[:57]}...`"
