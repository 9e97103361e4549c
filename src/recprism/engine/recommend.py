"""The lists of one request: ranked tasks are cut, merged, given slots and reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

import numpy as np

from recprism.engine.evidence import Explainer
from recprism.engine.ranking import Ranked
from recprism.engine.titles import Titles
from recprism.explain import Funnel, rephrase, reworded, short_because
from recprism.lists import (
    NO_SLOT,
    Picks,
    SlotRules,
    TaskList,
    assign_slots,
    compile_slots,
    diversify,
    eligible,
    every_item,
    merge,
)
from recprism.llm import Door, State
from recprism.model import Model
from recprism.profiles.state import UserState
from recprism.records import Evidence, RankedItem, RankedList, Reason
from recprism.signals.plan import TaskPlan

UNEXPLAINED = Reason(text="", language="", evidence=(Evidence(signal="trend", share=1.0),))
"""Stands where the request asked for no reasons."""


@dataclass(frozen=True)
class Shown:
    """A ranked task and what of it is shown.

    `explored` are the positions that were explored, `propensity` the probability with which a
    position was shown (missing: 1).
    """

    ranked: Ranked
    picks: Picks
    size: int
    explored: frozenset[int] = frozenset()
    propensity: Mapping[int, float] = field(default_factory=dict)


def choose(model: Model, ranked: Sequence[Ranked], size: int | None) -> list[Shown]:
    """Cut each list to its size, with diversity by label, and nothing twice in one answer."""
    sizes = [one.plan.spec.size if size is None else size for one in ranked]
    orders = [preference(model, one, n) for one, n in zip(ranked, sizes, strict=True)]
    lists = [
        TaskList(
            one.plan.name,
            one.candidates.item[order],
            one.plan.stands_for(one.candidates.item[order]),
            one.score[order],
            one.probability[order],
        )
        for one, order in zip(ranked, orders, strict=True)
    ]
    shown = []
    for one, order, picks, n in zip(ranked, orders, merge(lists, sizes), sizes, strict=True):
        positions = [int(order[p]) for p in picks.positions]
        shown.append(Shown(one, Picks(picks.task, positions, picks.also), n))
    return shown


def unexplained(shown: Sequence[Shown]) -> list[list[Reason]]:
    """What stands in the place of reasons where none were asked for."""
    return [[UNEXPLAINED] * len(one.picks.positions) for one in shown]


def reasons_of(
    shown: Sequence[Shown],
    explainer: Explainer,
    door: Door | None,
    user: str | None,
    said: Mapping[tuple[str, int], str],
) -> tuple[list[list[Reason]], list[State]]:
    """The reasons of each list, in the language model's words where it has a say, and how asking
    it went.

    `said` holds what it said already, by task and item_idx; it is asked for the others only.
    """
    places = [(one.ranked, one.picks.positions) for one in shown]
    if door is None:
        return [explainer.reasons(*place) for place in places], []
    drafts = [explainer.drafts(*place) for place in places]
    told = [
        said.get((ranked.plan.name, int(item)))
        for ranked, positions in places
        for item in ranked.candidates.item[positions]
    ]
    flat = list(zip(chain.from_iterable(drafts), told, strict=True))
    others, states = rephrase(door, [draft for draft, text in flat if text is None], user)
    rest = iter(others)
    reasons = (next(rest) if text is None else reworded(draft.reason, text) for draft, text in flat)
    return [list(islice(reasons, len(some))) for some in drafts], states


def write_list(
    model: Model,
    titles: Titles,
    shown: Shown,
    user: UserState,
    reasons: Sequence[Reason],
    conditions: Sequence[str] = (),
) -> RankedList:
    """One list as it leaves: titles, labels, probabilities, slots, and a reason per item.

    `conditions` are what the wish rules out or demands, told where they leave the list short.
    """
    ranked, plan = shown.ranked, shown.ranked.plan
    positions = shown.picks.positions
    slots = slots_of(model, shown)
    goal = plan.spec.goal
    items = []
    for i, position in enumerate(positions):
        item = int(ranked.candidates.item[position])
        offer_row = int(ranked.candidates.offer_row[position])
        items.append(
            RankedItem(
                id=model.catalog.item_id(item),
                title=titles.of(item, offer_row),
                labels=titles.labels_of(item),
                score=float(ranked.score[position]),
                probability=_probability(ranked, position),
                slot=slots[i],
                reason=reasons[i],
                also=shown.picks.also[i],
                explored=position in shown.explored,
                propensity=shown.propensity.get(position, 1.0),
            )
        )
    because = None
    if len(items) < shown.size:
        because = _why_short(model, shown, user, conditions)
    return RankedList(
        task=plan.name,
        kind=plan.kind.name,
        goal=goal,
        items=tuple(items),
        short_because=because,
        composed=ranked.composed,
        experiment=plan.experiment,
        arm=plan.arm,
    )


def _probability(ranked: Ranked, position: int) -> dict[str, float]:
    """The calibrated probability of the goal, after those of the actions that lead to it."""
    spec, chance = ranked.plan.spec, float(ranked.probability[position])
    if spec.goal is None or np.isnan(chance):
        return {}
    # Without a ranker, and for strangers, nothing is known of the actions before.
    before = zip(spec.funnel, ranked.earlier[position].tolist(), strict=False)
    return {**dict(before), spec.goal: chance}


def preference(model: Model, ranked: Ranked, n: int) -> np.ndarray:
    """Positions in order of preference: by score, or the first `n` spread over a label's values."""
    spec, kind = ranked.plan.spec, ranked.plan.kind
    name = spec.diversity_by or next(iter(kind.label_names or model.labels.codes), None)
    if spec.diversity == 0 or name is None or name not in model.labels.codes or not len(ranked):
        return np.arange(len(ranked))
    codes = model.labels.codes[name][ranked.candidates.item]
    first = diversify(ranked.score, codes, spec.diversity, min(n, len(ranked)))
    rest = np.setdiff1d(np.arange(len(ranked)), first)
    return np.concatenate([np.asarray(first, np.int64), rest])


def slot_rules(plan: TaskPlan) -> SlotRules | None:
    """The compiled slots of a task, None without any."""
    if not plan.spec.slots or plan.kind.offers is None:
        return None
    return compile_slots(plan.spec.slots, plan.kind.offers.placement_values)


def slots_of(model: Model, shown: Shown) -> list[str | None]:
    """A slot, or none, for each item shown: those that maximize the expected responses."""
    plan, positions = shown.ranked.plan, shown.picks.positions
    rules, offers = slot_rules(plan), plan.kind.offers
    if rules is None or offers is None or offers.placement is None or not positions:
        return [None] * len(positions)
    rows = shown.ranked.candidates.offer_row[positions]
    placement = np.asarray(offers.placement[rows])
    effect = np.ones((len(rows), len(rules)))
    if plan.name in model.effects:
        effect = rules.effects(placement, model.effects[plan.name])
    response = np.nan_to_num(shown.ranked.probability[positions], nan=1.0)
    taken = assign_slots(response, rules.fits(placement), effect, rules.counts)
    return [None if slot == NO_SLOT else rules.names[slot] for slot in taken]


def _why_short(
    model: Model, shown: Shown, user: UserState, conditions: Sequence[str]
) -> str | None:
    plan, kind = shown.ranked.plan, shown.ranked.plan.kind
    open_to = eligible(kind, user.user_idx, user.at, user.context)
    candidates = every_item(kind) if open_to is None else open_to
    n_open = len(np.unique(candidates.item))
    candidates = plan.admit_by_rules(candidates, user) if len(candidates) else candidates
    allowed = len(np.unique(candidates.item))
    wished = len(np.unique(plan.admit_by_wish(candidates, user).item))
    n_new = 0
    if plan.beside is not None:
        n_new = len(plan.beside.admit(every_item(plan.beside.kind), user))
    found = min(wished + n_new, max(len(shown.ranked), len(shown.picks.positions)))
    total, n_open, allowed, wished = (n + n_new for n in (len(kind), n_open, allowed, wished))
    funnel = Funnel(total, n_open, allowed, wished, found, len(shown.picks.positions))
    return short_because(
        kind.name, funnel, shown.size, model.project.language, wish="; ".join(conditions)
    )


def own_text(model: Model, user_idx: int) -> str | None:
    """The words that the data holds of a user."""
    texts = model.catalog.users.text
    if texts is None or user_idx < 0:
        return None
    written = texts[user_idx]
    return None if written is None else str(written)


def words_of_context(model: Model, context: Mapping[str, int]) -> dict[str, str]:
    """A request's context in words."""
    return {name: str(model.catalog.contexts[name][code]) for name, code in context.items()}
