"""A wish taken apart by a language model, none of whose words is believed.

In come a wish and the door, out goes an `Intent`, always. What the model answers is checked against
the wish and the project: text must be made of the wish's own words, labels, kinds and numbers must
be the project's, amounts must stand in the wish. What fails is dropped, and where the model is off,
late or wrong the rules' reading stands. So a wish that says "ignore your instructions" can change
nothing beyond its words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from recprism.llm import Complete, Door, redact
from recprism.llm.quantities import HAN
from recprism.llm.requests import State
from recprism.wishes.bounds import money_columns, numbers_in
from recprism.wishes.intent import Bound, Intent, Label, Vocabulary
from recprism.wishes.language import words_for
from recprism.wishes.rules import LONGEST_WISH, is_a_thing, read_by_rules, without

ROLE, QUERY = "ask", "query"
MAX_TOKENS = 160
MOST_TERMS, MOST_LABELS = 4, 3
_PIECE = re.compile(rf"[{HAN}]+|[^\W_{HAN}]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """An intent, and what the model had to do with it: a state as an answer's `llm` says it."""

    intent: Intent
    llm: State = "off"


def read_wish(
    wish: str,
    vocabulary: Vocabulary,
    door: Door | None = None,
    *,
    offered: Mapping[str, Sequence[str]] | None = None,
    subject: str | None = None,
) -> Read:
    """The intent of `wish`, by the model behind `door` where its role `ask` is on.

    `offered` are the labels that the model may name, by field (`products.department`), of which
    only those that may reach a prompt count; `subject` is the person who asks. Unless the field
    `query` may reach a prompt the rules read alone.
    """
    rules = read_by_rules(wish, vocabulary)
    if door is None or ROLE not in door.roles or QUERY not in door.fields:
        return Read(intent=rules)
    offered = {
        # The schema repeats the values outside of the prompt, where nothing is redacted any more.
        field: [value for value in values if redact(value) == value]
        for field, values in (offered or {}).items()
        if field in door.fields
    }
    request = _request(wish[:LONGEST_WISH], vocabulary, offered, door)
    outcome = door.ask(ROLE, request, subject=subject)
    if outcome.value is None:
        return Read(intent=rules, llm=outcome.state)
    document = _document(outcome.value)
    if document is None:
        return Read(intent=rules, llm="unavailable")
    return Read(intent=believe(document, wish, rules, vocabulary, offered), llm="used")


def believe(
    document: Mapping[str, Any],
    wish: str,
    rules: Intent,
    vocabulary: Vocabulary,
    offered: Mapping[str, Sequence[str]],
) -> Intent:
    """What of a model's answer the wish and the project bear out, added to the rules' reading."""
    wish = wish[:LONGEST_WISH]
    more = tuple(
        term
        for term in _grounded_terms(document.get("avoid"), wish)
        if not any(_overlap(term, known) for known in rules.unwanted)
    )
    text = without(rules.text, more, vocabulary.language)
    if not text:  # whoever avoids everything has misread the wish
        text, more = rules.text, ()
    labels = rules.labels or _labels(document.get("labels"), offered)
    kinds = [kind for kind in _texts(document.get("kinds")) if kind in vocabulary.kinds]
    return replace(
        rules,
        text=text,
        unwanted=(*rules.unwanted, *more),
        labels=labels,
        bounds=rules.bounds or _bounds(document, wish, vocabulary),
        kinds=rules.kinds or tuple(dict.fromkeys(kinds)),
        read_by="llm",
    )


def _request(
    wish: str, vocabulary: Vocabulary, offered: Mapping[str, Sequence[str]], door: Door
) -> Complete:
    """The question about `wish`, with a schema that leaves the model no names of its own."""
    texts = {"type": "string", "maxLength": 200}
    parts: dict[str, Any] = {
        "want": texts,
        "avoid": {"type": "array", "items": texts, "maxItems": MOST_TERMS},
    }
    rules, bound, no_bound = [], "", ""
    if vocabulary.numbers:
        number = {"anyOf": [{"type": "number"}, {"type": "null"}]}
        parts |= {"at_least": number, "at_most": number}
        rules.append('"at_least" and "at_most" are the prices that the wish names, else null.')
        bound, no_bound = ', "at_least": null, "at_most": 8', ', "at_least": null, "at_most": null'
    values = [value for one in offered.values() for value in one]
    if values:
        one = {"type": "string", "enum": list(dict.fromkeys(values))}
        parts["labels"] = {"type": "array", "items": one, "maxItems": MOST_LABELS}
        rules.append('"labels" are those in the data that fit what is wanted.')
        bound, no_bound = bound + ', "labels": []', no_bound + ', "labels": []'
    schema = {
        "type": "object",
        "properties": parts,
        "required": list(parts),
        "additionalProperties": False,
    }
    facts = {**offered, QUERY: wish}
    prompt = door.prompt("ask", facts, rules=" ".join(rules), bound=bound, no_bound=no_bound)
    return Complete(prompt=prompt, max_tokens=MAX_TOKENS, schema=schema)


def _document(text: str) -> Mapping[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, Mapping) and isinstance(found.get("want"), str) else None


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _grounded_terms(value: Any, wish: str) -> tuple[str, ...]:
    """Things to avoid that are made of the wish's words, and are not the wish itself."""
    found = [" ".join(term.split()) for term in _texts(value)[:MOST_TERMS]]
    kept = [term for term in found if is_a_thing(term) and is_grounded(term, wish)]
    return tuple(dict.fromkeys(kept))


def _overlap(one: str, other: str) -> bool:
    one, other = one.casefold(), other.casefold()
    return one in other or other in one


def is_grounded(text: str, wish: str) -> bool:
    """Whether `text` has words, and all of them stand in `wish`."""
    low = wish.casefold()
    pieces, known = _PIECE.findall(text.casefold()), set(_PIECE.findall(low))
    return bool(pieces) and all(
        piece in low if re.match(f"[{HAN}]", piece) else piece in known for piece in pieces
    )


def _labels(value: Any, offered: Mapping[str, Sequence[str]]) -> tuple[Label, ...]:
    of = {one: field.partition(".")[2] for field, values in offered.items() for one in values}
    found = dict.fromkeys(one for one in _texts(value) if one in of)
    return tuple(Label(name=of[one], value=one) for one in list(found)[:MOST_LABELS])


def _bounds(document: Mapping[str, Any], wish: str, vocabulary: Vocabulary) -> tuple[Bound, ...]:
    said = numbers_in(wish, words_for(wish, vocabulary.language))
    low, high = (_amount(document.get(key), said) for key in ("at_least", "at_most"))
    if low is None and high is None:
        return ()
    if low is not None and high is not None and low > high:
        return ()
    names = money_columns(vocabulary.numbers)
    return tuple(Bound(number=name, low=low, high=high) for name in names)


def _amount(value: Any, said: set[float]) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and float(value) in said else None
