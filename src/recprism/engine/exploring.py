"""Exploration in an answer: some places of its lists go to items of which little is known.

In come the lists as they would be shown, out go lists in which those that would be shown last made
room. The decision worth knowing: it comes after lists were cut and merged, and no two lists draw
from the same item. So what is drawn for one list decides nothing in another, and the probability
with which each item is shown is known. The generator of random numbers starts from the request's
id: the same request is drawn alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np

from recprism.data.dataset import LongArray
from recprism.engine.ranking import Ranked, strongest
from recprism.engine.recommend import Shown, preference
from recprism.lists import Picks
from recprism.lists.exploration import Beliefs, believe, draw, most_uncertain, places
from recprism.model import Model
from recprism.project.schema import Explore, exploration_of


@dataclass(frozen=True, slots=True)
class Tally:
    """How often an item was shown long enough ago, and how often its goal followed in time."""

    shows: int
    reached: int


Tallies = Mapping[str, Mapping[str, Tally]]
"""What came of what was shown, by task and id."""


class Explorer:
    """Explores the lists of one request, for the tasks that say so."""

    def __init__(self, model: Model, tallies: Tallies, request_id: str) -> None:
        self._model, self._tallies, self._request_id = model, tallies, request_id

    def explore(self, shown: list[Shown]) -> list[Shown]:
        """The lists with some of their places given to others; those without the setting as they
        are."""
        settings = [_setting(one) for one in shown]
        if not any(settings):
            return shown
        pools = _pools(shown, [one is not None for one in settings])
        return [
            one if setting is None or not len(pool) else self._explored(one, setting, pool)
            for one, setting, pool in zip(shown, settings, pools, strict=True)
        ]

    def _explored(self, shown: Shown, setting: Explore, pool: LongArray) -> Shown:
        """One list, with places given to rows of `pool`."""
        beliefs = self._beliefs(shown.ranked, setting, pool)
        uncertain = most_uncertain(beliefs, setting.candidates)
        always, chance = places(len(shown.picks.positions), setting.share)
        beliefs, pool = beliefs.take(uncertain), pool[uncertain]
        if len(pool) <= always:
            always, chance = len(pool), 0.0
        rng = np.random.default_rng(_seed(self._request_id, shown.ranked.plan.name))
        drawn = draw(beliefs, always, chance, rng)
        order = preference(self._model, shown.ranked, shown.size).tolist()
        place = {position: n for n, position in enumerate(order)}
        last = sorted(shown.picks.positions, key=lambda position: place[position])[::-1]
        propensity = {int(pool[one.row]): one.propensity for one in drawn}
        explored = frozenset(propensity)
        if len(last) > always and chance > 0:
            propensity[last[always]] = 1.0 - chance
        picks = _replaced(shown, frozenset(last[: len(drawn)]), explored)
        kept = {p: chance for p, chance in propensity.items() if p in picks.positions}
        return replace(shown, picks=picks, explored=explored, propensity=kept)

    def _beliefs(self, ranked: Ranked, setting: Explore, pool: LongArray) -> Beliefs:
        """What is believed of the rows of `pool`; the more users reached an item of late, the more
        the ranker's probability counts."""
        plan = ranked.plan
        users = np.expm1(strongest(self._model.snapshot, ranked.columns[pool], "trend.users"))
        tallies = self._tallies.get(plan.name, {})
        ids = (self._model.catalog.item_id(item) for item in ranked.candidates.item[pool].tolist())
        known = [tallies.get(one, NOTHING) for one in ids]
        return believe(
            ranked.probability[pool],
            setting.prior + users.astype(np.float64),
            np.array([tally.shows for tally in known], np.float64),
            np.array([tally.reached for tally in known], np.float64),
        )


NOTHING = Tally(0, 0)


def _setting(shown: Shown) -> Explore | None:
    """How a list is explored; None for lists that are not, and where no probability is known."""
    setting, ranked = exploration_of(shown.ranked.plan.spec.explore), shown.ranked
    if setting is None or not shown.picks.positions or np.isnan(ranked.probability).any():
        return None
    return setting


def _pools(shown: Sequence[Shown], explores: Sequence[bool]) -> list[LongArray]:
    """Rows that each list may draw from: nothing that stands in the answer, and each underlying
    item for one list only, that in which its probability is highest (ties: the earlier list)."""
    underlying = [_underlying(one.ranked) for one in shown]
    taken = {
        int(stands[position])
        for one, stands in zip(shown, underlying, strict=True)
        for position in one.picks.positions
    }
    best: dict[int, tuple[float, int, int]] = {}
    for number, (one, stands) in enumerate(zip(shown, underlying, strict=True)):
        if not explores[number]:
            continue
        for row, (item, p) in enumerate(
            zip(stands.tolist(), one.ranked.probability.tolist(), strict=True)
        ):
            if item not in taken and (item not in best or p > best[item][0]):
                best[item] = (p, number, row)
    rows: list[list[int]] = [[] for _ in shown]
    for _, number, row in best.values():
        rows[number].append(row)
    return [np.array(sorted(one), np.int64) for one in rows]


def _underlying(ranked: Ranked) -> np.ndarray:
    """What each candidate stands for, [n]."""
    return ranked.plan.stands_for(ranked.candidates.item)


def _replaced(shown: Shown, gone: frozenset[int], come: frozenset[int]) -> Picks:
    """The picks without those that made room and with those that came, in order of score."""
    picks, score = shown.picks, shown.ranked.score
    entries = [
        (position, also)
        for position, also in zip(picks.positions, picks.also, strict=True)
        if position not in gone
    ]
    entries += [(position, None) for position in come]
    entries.sort(key=lambda entry: (-float(score[entry[0]]), entry[0]))
    return Picks(picks.task, [entry[0] for entry in entries], [entry[1] for entry in entries])


def _seed(request_id: str, task: str) -> int:
    return int.from_bytes(blake2b(f"{request_id}\0{task}".encode(), digest_size=16).digest())
