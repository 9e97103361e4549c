"""The role `label`: a language model behind the door, as a chooser between labels.

In come texts and the labels that each may get, out come shares. What reaches a prompt is what
`llm.fields` allows, and since the texts of a kind are joined into one, all of its text columns must
be allowed, and the label, whose names are the options. Without that the role does not ask.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

from recprism.content.label_choice import Answer
from recprism.llm import Choice, Choose, Door, Outcome, Prompt, State
from recprism.project.schema import ProjectFile

ROLE: Literal["label"] = "label"
SIDE_BY_SIDE = 8
"""So many texts are asked about at once; they share one deadline."""
MOST_CHARACTERS = 600
"""Of a text; the rest is cut off."""
_NAMED = math.e
"""A model without likelihoods makes what it names so many times likelier than each other option;
how much that is worth, labelled texts decide."""

Progress = Callable[[int, int], None]


class DoorChooser:
    """Asks the door to choose. `fields` are those of the text; the last one is the label's.

    After a batch without any answer nothing more is asked: a backend that hangs costs one deadline,
    a spent budget one look. `states` counts how calls ended.
    """

    def __init__(self, door: Door, fields: Sequence[str], told: Progress | None = None) -> None:
        *self._texts, self._label = fields
        self._door, self._told = door, told
        self.states: dict[State, int] = {}
        self._stopped = False

    def choose(self, texts: Sequence[str], options: Sequence[Sequence[str]]) -> list[Answer]:
        """Shares of each text's options; None where no answer came in time, or at all."""
        out: list[Answer] = []
        for start in range(0, len(texts), SIDE_BY_SIDE):
            stop = min(start + SIDE_BY_SIDE, len(texts))
            out += self._batch(texts[start:stop], options[start:stop])
            if self._told is not None:
                self._told(stop, len(texts))
        return out

    def _batch(self, texts: Sequence[str], options: Sequence[Sequence[str]]) -> list[Answer]:
        if self._stopped:
            return [None] * len(texts)
        # Listed by name: small models like what comes first, which must not be the encoder's best.
        listed = [sorted(own) for own in options]
        requests = [self.request(*pair) for pair in zip(texts, listed, strict=True)]
        outcomes = self._door.ask_many(ROLE, requests)
        for outcome in outcomes:
            self.states[outcome.state] = self.states.get(outcome.state, 0) + 1
        self._stopped = all(outcome.value is None for outcome in outcomes)
        found = (_shares(*pair) for pair in zip(outcomes, listed, strict=True))
        return [
            None if shares is None else [shares[option] for option in own]
            for shares, own in zip(found, options, strict=True)
        ]

    def request(self, text: str, options: Sequence[str]) -> Choose:
        """What is asked about one text."""
        facts = {self._texts[0]: text[:MOST_CHARACTERS], self._label: list(options)}
        prompt = self._door.prompt("label", facts, label=self._label)
        return Choose(prompt=self._said(prompt), options=tuple(options))

    def _said(self, prompt: Prompt) -> Prompt:
        return replace(prompt, fields=tuple(sorted([*self._texts, self._label])))


def fields_of(spec: ProjectFile, kind: str, label: str) -> tuple[str, ...]:
    """The fields that labelling takes, the label's own last; empty where `llm.fields` lacks one."""
    section = spec.items.get(kind)
    if section is None or not section.text or label not in section.labels:
        return ()
    column = section.labels[label]
    texts = [name for name in section.text if name != column]
    wanted = tuple(f"{kind}.{name}" for name in [*texts, column])
    return wanted if texts and set(wanted) <= set(spec.llm.fields) else ()


def chooser_for(
    door: Door | None, spec: ProjectFile, kind: str, label: str, told: Progress | None = None
) -> DoorChooser | None:
    """The model as a chooser of this label; None where the role is off or may not read the text."""
    if door is None or ROLE not in door.roles:
        return None
    fields = fields_of(spec, kind, label)
    return DoorChooser(door, fields, told) if fields else None


def _shares(outcome: Outcome[Choice], options: Sequence[str]) -> dict[str, float] | None:
    """How likely each of the options is; None without an answer."""
    choice = outcome.value
    if choice is None:
        return None
    if choice.probabilities is not None:
        return dict(zip(options, choice.probabilities, strict=True))
    return {
        option: _NAMED if place == choice.index else 1.0 for place, option in enumerate(options)
    }
