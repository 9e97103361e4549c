"""Prompts: files with our words, and data that cannot pass for them.

A prompt file is `prompts/NAME.md`: what the system says, a line `---`, what the user says, with
`$name` where our own texts go and `$data` where data goes. Data is JSON with every bracket in its
texts escaped (`\\u003c` for `<`), so that no text in it can close the fence `<data>`, open a turn
of a chat template, or pass for one of our lines. Only fields that the project allows get in.
"""

from __future__ import annotations

import json
import string
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from recprism.errors import UnknownName
from recprism.llm.redact import redact
from recprism.llm.requests import Prompt

_SEPARATOR = "\n---\n"
_ESCAPES = {ord(mark): f"\\u{ord(mark):04x}" for mark in "<>[]`&"}
MAX_TEXT = 2000
"""Characters of one text of data; the rest is cut off."""


@dataclass(frozen=True, slots=True)
class Mixed:
    """A text, or texts in lists and mappings, that draws on several fields.

    It gets into a prompt where all of them are allowed.
    """

    text: Any
    fields: frozenset[str]


def prompt_names() -> list[str]:
    """The prompts that ship with the package, sorted."""
    found = (files(__package__) / "prompts").iterdir()
    return sorted(file.name.removesuffix(".md") for file in found if file.name.endswith(".md"))


def render(name: str, facts: Mapping[str, Any], allowed: Collection[str], **texts: str) -> Prompt:
    """The prompt `name` over those facts whose field is `allowed`, or all fields of a `Mixed` one.

    `texts` are our own words, never data. Raises `UnknownName` for a prompt that does not exist
    and `KeyError` for a text that it lacks, which is our own mistake.
    """
    system, user = _read(name)
    drawn = {key: _fields_of(key, facts[key]) for key in sorted(facts)}
    kept = {key: facts[key] for key, fields in drawn.items() if fields <= set(allowed)}
    data = fence({k: v.text if isinstance(v, Mixed) else v for k, v in kept.items()})
    return Prompt(
        system=string.Template(system).substitute(texts),
        user=string.Template(user).substitute(texts, data=data),
        fields=tuple(sorted(frozenset().union(*(drawn[key] for key in kept)))),
    )


def _fields_of(key: str, value: Any) -> frozenset[str]:
    return value.fields if isinstance(value, Mixed) else frozenset([key])


def fence(facts: Mapping[str, Any]) -> str:
    """Facts as fenced JSON, a field a line; texts redacted, without any bracket or line end."""
    lines = [f"{_encode(field)}: {_encode(value)}" for field, value in facts.items()]
    return "\n".join(["<data>", *lines, "</data>"])


def _encode(value: Any) -> str:
    if isinstance(value, str):
        text = " ".join(redact(value).split())[:MAX_TEXT]
        return json.dumps(text, ensure_ascii=False).translate(_ESCAPES)
    if isinstance(value, Mapping):
        pairs = (f"{_encode(str(key))}: {_encode(inner)}" for key, inner in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(_encode, value)) + "]"
    return json.dumps(value, default=str)


@lru_cache
def _read(name: str) -> tuple[str, str]:
    if name not in prompt_names():
        raise UnknownName("prompt", name, prompt_names())
    text = (files(__package__) / "prompts" / f"{name}.md").read_text(encoding="utf-8")
    system, _, user = text.partition(_SEPARATOR)
    return system.strip(), user.strip()
