"""From the signals' clues to evidence: shares, ids, and facts in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recprism.data.dataset import DAY_US, IntArray
from recprism.engine.ranking import WISH_WEIGHT, Ranked, is_stranger, main_numbers
from recprism.engine.titles import Titles
from recprism.explain import Draft, ItemFacts, compose, normalize_shares
from recprism.model import Model
from recprism.profiles.state import UserState
from recprism.project.llm_section import QUERY
from recprism.ranker.features import Features
from recprism.records import Evidence, Reason
from recprism.signals.interface import Bound, Clue
from recprism.signals.shortlist import Binder

MOST_EVIDENCE = 3
"""An item carries the evidence of at most so many signals, those with the largest shares."""
SMALL_SHARE = 0.1
"""A signal with a smaller share is left out, unless it is all there is."""


@dataclass(frozen=True)
class Asked:
    """What the request said: the wish in words, the item looked at, the user's context."""

    query: str | None
    own_text: str | None
    context: Mapping[str, str]


@dataclass(frozen=True)
class _Composed:
    """A reason, what it says about the item, and the items of its evidence."""

    reason: Reason
    facts: ItemFacts
    items: list[int]


class Explainer:
    """Composes the reasons of one request."""

    def __init__(self, model: Model, titles: Titles, binder: Binder, asked: Asked) -> None:
        self._model, self._titles, self._binder, self.asked = model, titles, binder, asked
        self._signals = list(model.snapshot.signals)

    @property
    def user(self) -> UserState:
        """Who asks, and what is known of them."""
        return self._binder.user

    def reasons(self, ranked: Ranked, positions: Sequence[int]) -> list[Reason]:
        """One reason per position of a ranked list."""
        return [one.reason for one in self._composed(ranked, positions)]

    def drafts(self, ranked: Ranked, positions: Sequence[int]) -> list[Draft]:
        """As `reasons`, with the fields of the project that their names come from."""
        composed = self._composed(ranked, positions)
        return [
            Draft(reason=one.reason, item=one.facts, names=self._names(one, ranked, position))
            for one, position in zip(composed, positions, strict=True)
        ]

    def _composed(self, ranked: Ranked, positions: Sequence[int]) -> list[_Composed]:
        shares = self._shares(ranked, np.asarray(positions, np.int64))
        bound = self._binder.bind(ranked.plan.goal)
        return [
            self._reason(ranked, bound, position, dict(zip(self._signals, row, strict=True)))
            for position, row in zip(positions, shares.tolist(), strict=True)
        ]

    def _shares(self, ranked: Ranked, positions: NDArray[np.int64]) -> NDArray[np.float64]:
        """How much each signal adds, [positions, signals], before normalizing.

        With a ranker, the drop of the score without the signal; else the signals' own numbers that
        made the order.
        """
        ranker = self._model.rankers.get(ranked.plan.name)
        if ranked.features is None or ranker is None:
            return self._plain_shares(ranked, positions)
        kept = Features(ranked.features.numbers[positions], ranked.features.codes[positions])
        drops = ranker.drops(kept, self._model.features.signal_of, len(self._signals))
        nothing = drops.sum(axis=1) <= 0
        drops[nothing] = ranked.retrieved[positions][nothing]
        if self.user.wish is not None:
            drops[:, self._signals.index("content")] += WISH_WEIGHT * drops.sum(axis=1)
        return drops

    def _plain_shares(self, ranked: Ranked, positions: NDArray[np.int64]) -> NDArray[np.float64]:
        user = self.user
        if user.wish is not None:
            only = "content"
        elif is_stranger(user):
            only = "trend"
        elif not ranked.plan.has_goal:
            only = "content"
        else:
            numbers = main_numbers(self._model.snapshot, ranked.columns[positions]).values()
            return np.stack([np.maximum(0.0, v / v.max(initial=1e-9)) for v in numbers], axis=1)
        shares = np.zeros((len(positions), len(self._signals)))
        shares[:, self._signals.index(only)] = 1.0
        return shares

    def _reason(
        self,
        ranked: Ranked,
        bound: Mapping[str, Bound],
        position: int,
        drops: Mapping[str, float],
    ) -> _Composed:
        item, offer_row = self._item(ranked, position)
        kind = self._model.catalog.kind_of(item)
        targets = self._titles.targets(kind, item, offer_row)
        about = targets if len(targets) else np.array([item], np.int32)
        total = sum(drops.values()) or 1.0
        order = sorted(drops, key=lambda name: -drops[name])
        clues: list[tuple[Clue, float]] = []
        for name in order:
            if len(clues) == MOST_EVIDENCE or (clues and drops[name] / total < SMALL_SHARE):
                break
            clue = bound[name].clue(about)
            if clue is not None:
                clues.append((clue, drops[name]))
        if not clues:
            clues = [(Clue("trend", 0, (), {}), 1.0)]
        shares = normalize_shares([drop for _, drop in clues])
        evidence = [
            self._evidence(ranked, clue, share, about)
            for (clue, _), share in zip(clues, shares, strict=True)
        ]
        facts = ItemFacts(
            self._titles.of(item, offer_row), ranked.plan.kind.name, self._titles.labels_of(item)
        )
        reason = compose(evidence, facts, self._model.project.language)
        items = [item for clue, _ in clues for item in clue.items]
        return _Composed(reason, facts, items)

    def _names(self, one: _Composed, ranked: Ranked, position: int) -> dict[str, frozenset[str]]:
        """Whatever a reason may name, and the fields of the project that it comes from."""
        project, titles = self._model.project, self._titles
        labels = frozenset(
            f"{kind.name}.{name}"
            for kind in self._model.catalog.kinds.values()
            for name in kind.label_names
        )
        segments = [str(e.facts.get("segment") or "") for e in one.reason.evidence]
        found = [(segment, labels) for segment in segments if segment]
        if self.asked.own_text and project.users:
            columns = frozenset(f"users.{column}" for column in project.users.text)
            found.append((self.asked.own_text, columns))
        if self.asked.query:
            found.append((self.asked.query, frozenset([QUERY])))
        found += [(titles.of(item), titles.fields_of(item)) for item in one.items]
        item, offer_row = self._item(ranked, position)
        found.append((one.facts.title, titles.fields_of(item, offer_row)))
        names: dict[str, frozenset[str]] = {}
        for name, fields in found:
            names[name] = names.get(name, frozenset()) | fields
        return names

    def _item(self, ranked: Ranked, position: int) -> tuple[int, int]:
        candidates = ranked.candidates
        return int(candidates.item[position]), int(candidates.offer_row[position])

    def _evidence(self, ranked: Ranked, clue: Clue, share: float, about: IntArray) -> Evidence:
        ids = tuple(self._model.catalog.item_id(item) for item in clue.items)
        facts = {**clue.facts, **self._words(ranked, clue, about)}
        return Evidence(signal=clue.signal, share=share, events=clue.events, items=ids, facts=facts)

    def _words(self, ranked: Ranked, clue: Clue, about: IntArray) -> dict[str, Any]:
        """Facts that need titles, names and the goal's verb."""
        plan = ranked.plan
        titles = list(dict.fromkeys(self._titles.of(item) for item in clue.items[:3]))
        words: dict[str, Any] = {"verb": self._verb(ranked, clue, about)}
        if clue.signal == "repeat":
            words |= self._of_links(ranked, about, titles)
        elif clue.signal in ("follow", "sequence", "text", "llm"):
            words |= self._of_sources(clue)
        elif clue.signal == "taste":
            words["near"] = titles
        elif clue.signal == "content":
            words |= self._of_content(clue, titles)
        elif clue.signal == "funnel":
            words["touched_title"] = titles[0]
        elif clue.signal == "trend":
            words |= {"linked_titles": titles} if plan.links is not None else {}
        return words

    def _verb(self, ranked: Ranked, clue: Clue, about: IntArray) -> str:
        """The action a sentence speaks of: the goal, or whatever was counted where that differs.

        Taste and trend count every action, and so do links that a goal does not follow (`via`).
        """
        plan = ranked.plan
        is_of_links = plan.spec.via is None and plan.links is not None
        if clue.signal in ("taste", "trend") or is_of_links:
            told = clue.items[0] if clue.signal == "taste" else int(about[0])
            return self._only_action(self._model.catalog.kind_of(told).name)
        return plan.spec.goal or "view"

    def _only_action(self, kind: str) -> str:
        """The action of all events on a kind; a neutral word where there are several."""
        actions = {e.action for e in self._model.project.events if e.kind == kind}
        return (len(actions) == 1 and actions.pop()) or "other"

    def _of_links(self, ranked: Ranked, about: IntArray, titles: list[str]) -> dict[str, Any]:
        links = ranked.plan.links
        if links is None:
            return {}
        kind = self._model.catalog.kind_of(int(about[0]))
        return {
            "link": links.name,
            "linked_kind": kind.name,
            "covers": len(about),
            "linked_titles": titles,
        }

    def _of_sources(self, clue: Clue) -> dict[str, Any]:
        """What an item follows, and what the user did with that: one verb, so one action."""
        user = self.user
        if user.viewing in clue.items:
            return {"after": [self._titles.of(user.viewing)], "viewing": True}
        last = {item: np.flatnonzero(user.item == item)[-1:] for item in clue.items}
        places = {item: int(at[0]) for item, at in last.items() if len(at)}
        if not places:
            return {"after": [self._titles.of(item) for item in clue.items]}
        first = int(user.action[next(iter(places.values()))])
        ages: dict[str, int] = {}
        for item, place in places.items():
            if user.action[place] == first:
                age = (user.at - int(user.time[place])) // DAY_US
                title = self._titles.of(item)
                ages[title] = min(age, ages.get(title, age))
        return {
            "after": list(ages),
            "after_verb": self._model.catalog.actions[first],
            "after_days": list(ages.values()),
        }

    def _of_content(self, clue: Clue, titles: list[str]) -> dict[str, Any]:
        if clue.facts.get("wish"):
            if self.asked.query is not None:
                return {"query": self.asked.query}
            return {"wish": self.asked.own_text} if self.asked.own_text else {}
        return {"near": titles}
