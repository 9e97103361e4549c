"""Names of proposed labels as a language model would say them, from their own words only.

In come proposals, out come the same with better names where the model has one. A name is accepted
only if each of its words stands in the words or the examples of its group, it is short, and no
other label has it; otherwise the words that set the group apart stay its name. So nothing that an
item's text tells the model to write, and nothing that it makes up, becomes a label, except words
that the texts have anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from recprism.content.label_asking import ROLE, SIDE_BY_SIDE
from recprism.content.propose import Proposal, words_of
from recprism.llm import Complete, Door
from recprism.project.schema import ProjectFile

MOST_WORDS = 4
MOST_CHARACTERS = 60
_TOKENS = 16
_PUNCTUATION = frozenset(" ,;/&+-'’、，")

Rephraser = Callable[[Sequence[Proposal]], list[str | None]]


def rephraser_for(door: Door | None, spec: ProjectFile, kind: str) -> Rephraser | None:
    """The model as one who names groups; None where the role is off or may not read the texts."""
    section = spec.items.get(kind)
    if door is None or ROLE not in door.roles or section is None or not section.text:
        return None
    fields = tuple(f"{kind}.{column}" for column in section.text)
    if not set(fields) <= door.fields:
        return None
    return lambda found: _ask(door, fields, found)


def rephrase(found: Sequence[Proposal], rephraser: Rephraser | None) -> list[Proposal]:
    """`found` with the names that the model gives, as far as they are accepted."""
    if rephraser is None or not found:
        return list(found)
    said = rephraser(found)
    taken, out = {one.name.casefold() for one in found}, []
    for proposal, name in zip(found, said, strict=True):
        clean = "" if name is None else " ".join(name.split()).strip(" .,;:'\"")
        if clean.casefold() not in taken and is_own(clean, proposal):
            taken.add(clean.casefold())
            proposal = replace(proposal, name=clean, source="language model")
        out.append(proposal)
    return out


def is_own(name: str, proposal: Proposal) -> bool:
    """Whether a name is made of the group's own words, and of few of them."""
    own = {*proposal.words, *(word for text in proposal.examples for word in words_of(text))}
    words = words_of(name)
    if not words or len(name) > MOST_CHARACTERS or len(words) > 2 * MOST_WORDS:
        return False
    if len(name.split()) > MOST_WORDS or not set(words) <= own:
        return False
    # Every character belongs to a word that was looked up, or stands between words.
    return all(char in _PUNCTUATION or any(char in word for word in words) for char in name.lower())


def _ask(door: Door, fields: Sequence[str], found: Sequence[Proposal]) -> list[str | None]:
    """What the model says of each group; after a batch without any answer nothing more is asked."""
    out: list[str | None] = []
    for start in range(0, len(found), SIDE_BY_SIDE):
        requests = [_request(door, fields, one) for one in found[start : start + SIDE_BY_SIDE]]
        out += [outcome.value for outcome in door.ask_many(ROLE, requests)]
        if not any(out[start:]):
            break
    return [*out, *[None] * (len(found) - len(out))]


def _request(door: Door, fields: Sequence[str], proposal: Proposal) -> Complete:
    facts = {fields[0]: {"words": proposal.words, "texts": proposal.examples}}
    prompt = replace(door.prompt("rephrase", facts), fields=tuple(fields))
    return Complete(prompt=prompt, max_tokens=_TOKENS, stop=("\n",))
