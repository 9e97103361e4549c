"""Slow, plain twins of the fast paths in `recprism.lists`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import permutations

import numpy as np

from recprism.data.dataset import EventLog, Grouped, Offers


def mmr_by_label(scores: Sequence[float], labels: Sequence[int], strength: float) -> list[int]:
    """Greedy maximal marginal relevance, one pick after another."""
    low, high = min(scores), max(scores)
    relevance = [(s - low) / (high - low) if high > low else 0.0 for s in scores]
    left, picked = list(range(len(scores))), list[int]()
    while left:
        seen = {labels[i] for i in picked} - {-1}

        def worth(i: int, seen: set[int] = seen) -> tuple[float, float, int]:
            marginal = (1 - strength) * relevance[i] - strength * (labels[i] in seen)
            return marginal, scores[i], -i

        best = max(left, key=worth)
        picked.append(best)
        left.remove(best)
    return picked


def best_total_response(worth: np.ndarray, fits: np.ndarray, counts: Sequence[int]) -> float:
    """The largest sum over all ways to hand out the places of the slots (brute force)."""
    places = [slot for slot, count in enumerate(counts) for _ in range(count)]
    n = len(worth)
    seats: list[int | None] = [*places, *([None] * n)]
    best = 0.0
    for seating in set(permutations(seats, n)):
        total = 0.0
        for ad, slot in enumerate(seating):
            if slot is not None and fits[ad, slot]:
                total += float(worth[ad, slot])
        best = max(best, total)
    return best


def slot_counts(
    offers: Offers, targets: Grouped, events: EventLog, *, before: int, context: str
) -> dict[str, dict[str, tuple[float, float]]]:
    """(observed, expected) per placement value, counted week by week in plain loops."""
    assert offers.placement is not None
    first = int(events.time.min())
    weeks = [
        g for g in range(offers.n_groups) if offers.starts[g] >= first and offers.ends[g] <= before
    ]
    bought: Counter[tuple[int, int]] = Counter()
    for item, time, place in zip(events.item, events.time, events.context[context], strict=True):
        for g in weeks:
            inside = offers.starts[g] <= time < offers.ends[g]
            if inside and offers.context[context][g] == place:
                for ad in range(len(targets)):
                    if item in targets.of(ad):
                        bought[ad, g] += 1
    out: dict[str, dict[str, tuple[float, float]]] = {}
    for column, (name, values) in enumerate(offers.placement_values.items()):
        out[name] = dict.fromkeys(values, (0.0, 0.0))
        for place in {int(offers.context[context][g]) for g in weeks}:
            here = [g for g in weeks if offers.context[context][g] == place]
            for ad in range(len(targets)):
                shown = {g: _codes(offers, g, ad, column) for g in here}
                without = [g for g in here if not shown[g]]
                for code, value in enumerate(values):
                    with_it = [g for g in here if code in shown[g]]
                    if without and with_it:
                        n0, n1 = len(without), len(with_it)
                        a = sum(bought[ad, g] for g in with_it)
                        b = sum(bought[ad, g] for g in without)
                        old = out[name][value]
                        out[name][value] = (
                            old[0] + a * n0 / (n0 + n1),
                            old[1] + b * n1 / (n0 + n1),
                        )
    return out


def _codes(offers: Offers, group: int, ad: int, column: int) -> set[int]:
    assert offers.placement is not None
    rows = range(int(offers.offsets[group]), int(offers.offsets[group + 1]))
    return {int(offers.placement[row, column]) for row in rows if offers.item[row] == ad}
