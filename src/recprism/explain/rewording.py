"""Plain reasons in a language model's words, where it says the same and nothing else.

In come drafts: reasons, and which fields of the project their names come from. One round asks for
all of them; out come as many reasons, each rephrased and accepted by the guard, or as it was. The
decision worth knowing: a sentence leaves for the model only if all that it says is our own wording,
a number counted from events, or a name from a field that may reach a prompt. So no id leaves that
stands in for a title, and no word of unknown origin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

from recprism.explain.guard import ground_of, spellings
from recprism.explain.messages import catalogue
from recprism.explain.sentences import ItemFacts
from recprism.llm import Complete, Door, Ground, Mixed, State, refuse
from recprism.llm.guard import languages, names_in
from recprism.project.llm_section import HISTORY
from recprism.records import Reason

ROLE = "explain"
MAX_TOKENS = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A plain reason; `names` maps names that it may use to the fields that they come from."""

    reason: Reason
    item: ItemFacts
    names: Mapping[str, frozenset[str]]


def rephrase(
    door: Door, drafts: Sequence[Draft], subject: str | None
) -> tuple[list[Reason], list[State]]:
    """The reasons in the model's words where those may be shown, and how asking went.

    A sentence that stands in several drafts is asked for once. `subject` is the person.
    """
    started = perf_counter()
    is_on = ROLE in door.roles
    sayings = [saying_of(draft, door.fields) if is_on else None for draft in drafts]
    asked = {one.sentence.text: one for one in sayings if one is not None}
    if not asked:
        return [draft.reason for draft in drafts], []
    requests = [_request(door, one) for one in asked.values()]
    outcomes = door.ask_many(ROLE, requests, subject=subject, since=started)
    told: dict[str, str] = {}
    refused = 0
    for one, outcome in zip(asked.values(), outcomes, strict=True):
        if outcome.value is not None:
            said = one.accepted(outcome.value)
            if said is None:
                refused += 1
            else:
                told[one.sentence.text] = said
    door.judged(ROLE, accepted=len(told), refused=refused)
    reasons = [reworded(one.reason, told.get(one.reason.text)) for one in drafts]
    return reasons, [outcome.state for outcome in outcomes]


def tidy(text: str) -> str:
    """A model's answer without white space and quotation marks around it."""
    text = text.strip()
    if len(text) > 1 and (text[0], text[-1]) in {('"', '"'), ("“", "”"), ("「", "」")}:
        inside = text[1:-1].strip()
        return text if any(mark in inside for mark in text[0] + text[-1]) else inside
    return text


@dataclass(frozen=True, slots=True)
class Saying:
    """A sentence that may leave, and what may come back."""

    sentence: Mixed
    ground: Ground
    language: str

    def accepted(self, answer: str) -> str | None:
        """A model's answer, tidied, where the guard lets it stand for the sentence."""
        said = tidy(answer)
        return None if refuse(said, self.ground, self.language) else said


def saying_of(draft: Draft, allowed: frozenset[str]) -> Saying | None:
    """What to ask for a draft; None where it may not leave or there is nothing to rephrase."""
    reason, text = draft.reason, draft.reason.text
    if reason.language not in languages():
        return None
    open_to = {
        spelling: fields
        for name, fields in draft.names.items()
        if fields <= allowed
        for spelling in spellings(name)
    }
    full = ground_of(reason.evidence, draft.item, reason.language)
    names = tuple(names_in(text, tuple(open_to)))
    ground = replace(full, names=names)
    fields = frozenset().union(*(open_to[name] for name in names), _of_history(draft.reason))
    if not names or not fields <= allowed or refuse(text, ground, reason.language):
        return None
    ground = replace(ground, words=frozenset(), said=text)
    return Saying(Mixed(text, fields), ground, reason.language)


def _of_history(reason: Reason) -> frozenset[str]:
    """The field of a person's past, unless the sentence tells of others or of a wish alone."""
    if len(reason.evidence) == 1:
        (told,) = reason.evidence
        if told.signal == "trend" or {"query", "wish"} & set(told.facts):
            return frozenset()
    return frozenset([HISTORY])


def _request(door: Door, one: Saying) -> Complete:
    language = str(catalogue(one.language).messages["language"])
    prompt = door.prompt("explain", {"sentence": one.sentence}, language=language)
    return Complete(prompt=prompt, max_tokens=MAX_TOKENS)


def reworded(reason: Reason, said: str | None) -> Reason:
    """`reason` in a model's accepted words; as it is without any, or where they are its own."""
    return reason if said in (None, reason.text) else replace(reason, text=said, source="llm")
