"""What a language model may read to put lists in order: the candidates, and who they are for.

In come ranked tasks and a request, out go numbered candidates in words, and facts about the person.
The decision worth knowing: numbers are drawn over all candidates of the answer, by a shuffle whose
seed is what the model reads. So neither a number nor a place tells what the ranker thinks, the same
question is drawn alike and answered from the cache, and no id takes part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from recprism.engine.evidence import Explainer
from recprism.engine.ranking import Ranked
from recprism.engine.titles import Titles
from recprism.explain import Draft, Saying, saying_of
from recprism.llm import Mixed
from recprism.llm.requests import hash_text
from recprism.model import Model
from recprism.profiles.habits import LabelTable, as_datetime, habits_of
from recprism.profiles.retelling import habits_in_words
from recprism.profiles.state import UserState
from recprism.project.llm_section import HISTORY, QUERY

DEPTH = 2
"""Of each list so many times its size are offered: enough to bring in what the ranker left just
outside, and few enough to be read with care."""
MOST_OFFERED = 60
"""Most candidates of one answer, shared evenly between its lists: some 3,000 tokens to read."""
MOST_RECENT = 10
"""So many of the last titles are told, as in the signal `llm`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One item that is offered: its number in the prompt, its place in the preference of its list,
    what the model reads of it, and the sentence that it may put into other words."""

    number: int
    place: int
    words: Mapping[str, Any]
    saying: Saying | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The candidates of one list in the order of their numbers, and how many are wanted of them.

    `fields` are those of the project that their words come from.
    """

    task: str
    wanted: int
    candidates: Sequence[Candidate]
    fields: frozenset[str]

    def entries(self) -> list[dict[str, Any]]:
        """The candidates as the model reads them."""
        return [{"n": one.number, **one.words} for one in self.candidates]


@dataclass(frozen=True, slots=True)
class _Told:
    """A candidate before numbers are drawn, with the fields that its words come from."""

    task: str
    place: int
    words: Mapping[str, Any]
    fields: frozenset[str]
    saying: Saying | None


class Offering:
    """Puts candidates and people into words that may reach a prompt."""

    def __init__(self, model: Model, titles: Titles) -> None:
        self._model, self._titles = model, titles

    def person(self, explainer: Explainer, allowed: frozenset[str]) -> dict[str, Mixed]:
        """The facts about who asks that may reach a prompt, by what they are; empty for none.

        Habits and the last titles, the person's own words, and the wish. Traits and the segment
        stay out, as in a summary: from an age or an income a model has something to guess.
        """
        state, asked, project = explainer.user, explainer.asked, self._model.project
        labels = LabelTable(self._model.labels.codes, self._model.labels.values)
        habits = habits_of(state, labels, self._model.catalog.actions, project.timezone)
        found: dict[str, Mixed | None] = {
            "habits": habits_in_words(habits, as_datetime(state.at), project, allowed),
            "last": self._recent(state, allowed),
            "wish": Mixed(asked.query, frozenset([QUERY])) if asked.query else None,
        }
        if asked.own_text and project.users and project.users.text:
            fields = frozenset(f"users.{column}" for column in project.users.text)
            found["about"] = Mixed(asked.own_text, fields)
        return {name: one for name, one in found.items() if one and one.fields <= allowed}

    def offer(
        self,
        orders: Sequence[tuple[Ranked, Sequence[int], int]],
        explainer: Explainer,
        allowed: frozenset[str],
    ) -> list[Offer]:
        """What is offered of lists, given as (ranked, positions in order of preference, size).

        Items of which nothing may reach a prompt, and lists without two others, are left out.
        """
        told: list[_Told] = []
        share = MOST_OFFERED // max(len(orders), 1)
        for ranked, order, size in orders:
            head = order[: min(DEPTH * size, share)]
            some = self._told(ranked, head, explainer, allowed)
            told += some if len(some) > 1 else []
        numbers = _draw(told)
        sizes = {ranked.plan.name: size for ranked, _, size in orders}
        return [
            _offer(task, sizes[task], [(numbers[id(one)], one) for one in told if one.task == task])
            for task in dict.fromkeys(one.task for one in told)
        ]

    def _told(
        self, ranked: Ranked, head: Sequence[int], explainer: Explainer, allowed: frozenset[str]
    ) -> list[_Told]:
        """Those candidates of the head of a list that can be told of."""
        told = []
        for place, (position, draft) in enumerate(
            zip(head, explainer.drafts(ranked, head), strict=True)
        ):
            words, fields = self._in_words(ranked, position, draft, allowed)
            if words:
                saying = saying_of(draft, allowed)
                if saying is not None:
                    words["because"], fields = draft.reason.text, fields | saying.sentence.fields
                told.append(_Told(ranked.plan.name, place, words, fields, saying))
        return told

    def _in_words(
        self, ranked: Ranked, position: int, draft: Draft, allowed: frozenset[str]
    ) -> tuple[dict[str, Any], frozenset[str]]:
        """The title and the labels of a candidate that may reach a prompt, and their fields."""
        item = int(ranked.candidates.item[position])
        of_title = self._titles.fields_of(item, int(ranked.candidates.offer_row[position]))
        of_labels = {name: self._titles.fields_of_label(name) for name in draft.item.labels}
        open_to = {name: of for name, of in of_labels.items() if of and of <= allowed}
        words: dict[str, Any] = {}
        if of_title and of_title <= allowed:
            words["title"] = draft.item.title
        if open_to:
            words["labels"] = {name: draft.item.labels[name] for name in open_to}
        titled = of_title if "title" in words else frozenset()
        return words, titled.union(*open_to.values())

    def _recent(self, state: UserState, allowed: frozenset[str]) -> Mixed | None:
        """The last titles of a person, the newest last, those that may reach a prompt."""
        titles: dict[str, frozenset[str]] = {}
        for item in reversed(state.item.tolist()):
            fields = self._titles.fields_of(item)
            if fields and fields <= allowed:
                titles.setdefault(self._titles.of(item), fields)
            if len(titles) == MOST_RECENT:
                break
        if not titles:
            return None
        return Mixed([*titles][::-1], frozenset([HISTORY]).union(*titles.values()))


def _draw(told: Sequence[_Told]) -> dict[int, int]:
    """A number from 1 on for each candidate, by its `id`: the same for the same words."""
    ordered = sorted(told, key=lambda one: (one.task, hash_text(one.words)))
    seed = hash_text([[one.task, one.words] for one in ordered])
    Random(seed).shuffle(ordered)
    return {id(one): number for number, one in enumerate(ordered, 1)}


def _offer(task: str, size: int, numbered: Sequence[tuple[int, _Told]]) -> Offer:
    candidates = [
        Candidate(number=number, place=one.place, words=one.words, saying=one.saying)
        for number, one in sorted(numbered, key=lambda pair: pair[0])
    ]
    return Offer(
        task=task,
        wanted=min(size, len(candidates)),
        candidates=candidates,
        fields=frozenset().union(*(one.fields for _, one in numbered)),
    )
