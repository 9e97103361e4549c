"""Whole answers by a language model: the orders of all lists and their reasons, in one call.

In come ranked tasks, out go ranked tasks, always the same items in each. The decision worth
knowing: the model only permutes. It names numbers; what it names comes first, in its order, on the
places that the offered items had, and all else keeps its place. Reading its answer can therefore
invent, drop or double nothing, and what follows (diversity, nothing twice in one answer, slots)
holds as ever. A reason is shown only where the guard lets it stand for the plain one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import perm
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recprism.engine.evidence import Explainer
from recprism.engine.offering import Offer, Offering
from recprism.engine.ranking import Ranked
from recprism.engine.recommend import preference
from recprism.engine.titles import Titles
from recprism.explain import catalogue
from recprism.llm import Complete, Door, Mixed, State
from recprism.model import Model

ROLE = "compose"
MOST_CHARACTERS = 200
"""Of one reason."""
CHANCE = 0.01
"""What is rarer than this in a model that has an opinion, is none."""
TOKENS_PER_ITEM, TOKENS_PER_REASON = 12, 70
"""What one place of a list may take in the answer, and the reason with it."""

Named = Mapping[int, str]
"""Numbers as the model ordered them, and the reason that it gave for each."""


@dataclass(frozen=True)
class Composed:
    """Ranked tasks after the model had its say, and how asking went.

    `said` are its accepted reasons, by task and item_idx.
    """

    ranked: Sequence[Ranked]
    said: Mapping[tuple[str, int], str] = field(default_factory=dict)
    states: Sequence[State] = ()


class Composer:
    """Asks for whole answers where the role is on."""

    def __init__(self, model: Model, titles: Titles, door: Door | None) -> None:
        self._model, self._door = model, door
        self._offering = Offering(model, titles)

    def compose(
        self,
        ranked: Sequence[Ranked],
        size: int | None,
        explainer: Explainer,
        subject: str | None,
        *,
        with_reasons: bool,
    ) -> Composed:
        """The ranked tasks in the model's order, by the role's deadline.

        Without the role, and where nothing about the person or the candidates may reach a prompt,
        nobody is asked. `size` replaces the sizes of the tasks, `subject` is the person.
        """
        started, door = perf_counter(), self._door
        if door is None or ROLE not in door.roles:
            return Composed(ranked)
        sizes = [one.plan.spec.size if size is None else size for one in ranked]
        orders = [preference(self._model, *pair) for pair in zip(ranked, sizes, strict=True)]
        person = self._offering.person(explainer, door.fields)
        offers = self._offering.offer(
            list(zip(ranked, (order.tolist() for order in orders), sizes, strict=True)),
            explainer,
            door.fields,
        )
        if not person or not offers:
            return Composed(ranked)
        language = str(catalogue(self._model.project.language).messages["language"])
        request = ask_for(door, person, offers, language if with_reasons else None)
        outcome = door.ask_many(ROLE, [request], subject=subject, since=started)[0]
        if outcome.value is None:
            return Composed(ranked, states=[outcome.state])
        found = read_answer(outcome.value, offers)
        if not found:
            door.judged(ROLE, accepted=0, refused=1)
            return Composed(ranked, states=["unavailable"])
        told = _accepted(door, found, offers) if with_reasons else {}
        return _applied(ranked, orders, offers, found, told)


def ask_for(
    door: Door, person: Mapping[str, Mixed], offers: Sequence[Offer], language: str | None
) -> Complete:
    """The one question about all lists, with reasons in `language` or without any."""
    lists = {offer.task: offer.entries() for offer in offers}
    fields = frozenset[str]().union(*(offer.fields for offer in offers))
    reasons = "" if language is None else _REASONS.format(language=language)
    places = ", ".join(f"{offer.task} {offer.wanted}" for offer in offers)
    prompt = door.prompt(
        "compose", {**person, "lists": Mixed(lists, fields)}, places=places, reasons=reasons
    )
    n = sum(offer.wanted for offer in offers)
    each = TOKENS_PER_ITEM + (0 if language is None else TOKENS_PER_REASON)
    schema = _object({offer.task: _list(offer, language is not None) for offer in offers})
    return Complete(prompt=prompt, max_tokens=n * each + 16 * len(offers) + 16, schema=schema)


_REASONS = (
    ' With each number comes "why": the "because" of that item in other, friendlier words, in'
    " {language}, said to the customer. Keep every name, every number and what happened, and add"
    ' nothing. Where an item has no "because", "why" is empty.'
)


def _list(offer: Offer, with_reasons: bool) -> dict[str, Any]:
    """The schema of one list: so many places, each with one of its numbers.

    That a number may stand there once only is beyond schemas; reading sees to it.
    """
    place: dict[str, Any] = {
        "n": {"type": "integer", "enum": [one.number for one in offer.candidates]}
    }
    if with_reasons:
        place["why"] = {"type": "string", "maxLength": MOST_CHARACTERS}
    places = {"minItems": offer.wanted, "maxItems": offer.wanted}
    return {"type": "array", "items": _object(place), **places}


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def read_answer(text: str, offers: Sequence[Offer]) -> dict[str, Named]:
    """What the model named of each list, by task; lists of which it named nothing are left out.

    Each number counts once, where it stands first; those of other lists, and whatever else is
    there, do not count. Never raises.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(document, Mapping):
        return {}
    found: dict[str, Named] = {}
    for offer in offers:
        known = {one.number for one in offer.candidates}
        named: dict[int, str] = {}
        for number, why in _places(document.get(offer.task)):
            if number in known:
                named.setdefault(number, why)
        if named:
            found[offer.task] = named
    return found


def _places(value: Any) -> Iterator[tuple[int, str]]:
    """(number, reason) of each place of a list; the numbers alone will do."""
    for place in value if isinstance(value, list) else ():
        is_whole = isinstance(place, Mapping)
        number, why = (place.get("n"), place.get("why")) if is_whole else (place, "")
        if isinstance(number, int) and not isinstance(number, bool):
            yield number, why if isinstance(why, str) else ""


def _accepted(
    door: Door, found: Mapping[str, Named], offers: Sequence[Offer]
) -> dict[tuple[str, int], str]:
    """The reasons that the guard lets pass, by task and number; what it thinks goes on account."""
    told: dict[tuple[str, int], str] = {}
    judged = 0
    for offer in offers:
        named = found.get(offer.task, {})
        for one in offer.candidates:
            why = named.get(one.number, "")
            said = None if one.saying is None else one.saying.accepted(why)
            judged += one.number in named and (one.saying is not None or bool(why))
            if said is not None:
                told[offer.task, one.number] = said
    door.judged(ROLE, accepted=len(told), refused=judged - len(told))
    return told


def _applied(
    ranked: Sequence[Ranked],
    orders: Sequence[NDArray[np.int64]],
    offers: Sequence[Offer],
    found: Mapping[str, Named],
    told: Mapping[tuple[str, int], str],
) -> Composed:
    """The tasks that the model ordered in its order, and all its reasons; the rest as it was."""
    by_task = {offer.task: offer for offer in offers}
    is_order = not merely_repeats(found, offers)
    composed: list[Ranked] = []
    said: dict[tuple[str, int], str] = {}
    for one, order in zip(ranked, orders, strict=True):
        task = one.plan.name
        if task not in found:
            composed.append(one)
            continue
        place_of = {c.number: c.place for c in by_task[task].candidates}
        for number, place in place_of.items():
            if (task, number) in told:
                item = int(one.candidates.item[order[place]])
                said[task, item] = told[task, number]
        named = [place_of[number] for number in found[task]]
        places = permute(len(order), named, list(place_of.values()))
        composed.append(one.in_order(order[places]) if is_order else one)
    return Composed(composed, said, ["used"])


def merely_repeats(found: Mapping[str, Named], offers: Sequence[Offer]) -> bool:
    """Whether the model named the first numbers of every list as they stand, and not by chance.

    Weak models do. As numbers are drawn by a shuffle, that is no opinion but noise.
    """
    chance = 1.0
    for offer in offers:
        named, numbers = [*found.get(offer.task, ())], [one.number for one in offer.candidates]
        if named != numbers[: len(named)]:
            return False
        chance /= perm(len(numbers), len(named))
    return chance < CHANCE


def permute(n: int, named: Sequence[int], offered: Sequence[int]) -> NDArray[np.int64]:
    """Places 0 .. n - 1 with the `offered` ones among themselves in another order.

    The `named` ones, which are distinct and offered, come first, the other offered ones follow as
    they were; what was not offered keeps its place.
    """
    places = np.arange(n)
    rest = sorted(set(offered) - set(named))
    places[sorted(offered)] = [*named, *rest]
    return places
