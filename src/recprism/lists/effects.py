"""How much more an item is bought in weeks with a placement than in weeks without.

In come offers with placements and the goal events, out goes one factor per placement value. **The
factor is an association, not a cause**: stores place what they expect to sell (turkeys in
November), and placements come together with prices that the data may not hold. Placement columns
are looked at one by one, so a display that goes with a mailer carries a part of its effect.

The factor is the Mantel-Haenszel rate ratio over strata of one ad in one place (a store), the form
for person-time (Rothman, Modern Epidemiology, 1986): with n1 weeks with the placement holding a
purchases, and n0 weeks of the same ad and place without any offer row holding b purchases,

    observed = sum a n0 / (n0 + n1)     expected = sum b n1 / (n0 + n1)
    factor   = (observed + c) / (expected + c)

where the prior count c shrinks it towards 1 (a Gamma(c, c) prior on the factor).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recprism.data.dataset import UNKNOWN, EventLog, Grouped, IntArray, LongArray, Offers

N_CODES = 256
"""Placements are kept in one byte, so a column has at most so many values."""
PRIOR_COUNT = 20.0


@dataclass(frozen=True)
class SlotEffects:
    """Observed and expected purchases per placement value, and the factors that follow.

    `values[column]` are the placement values in the order of their codes; `observed` and `expected`
    [len(values)] are the weighted counts of the module's formula; `prior_count` is its c.
    """

    values: Mapping[str, tuple[str, ...]]
    observed: Mapping[str, NDArray[np.float64]]
    expected: Mapping[str, NDArray[np.float64]]
    prior_count: float = PRIOR_COUNT

    def factors(self, column: str) -> NDArray[np.float64]:
        """The factor of every placement code of a column, [256]; 1 for codes without a value."""
        out = np.ones(N_CODES)
        observed, expected = self.observed[column], self.expected[column]
        out[: len(observed)] = (observed + self.prior_count) / (expected + self.prior_count)
        return out

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: column to a row per value with `observed`, `expected` and `factor`."""
        columns = {}
        for name, values in self.values.items():
            rows = zip(
                values, self.observed[name], self.expected[name], self.factors(name), strict=False
            )
            columns[name] = [
                {"value": v, "observed": float(o), "expected": float(e), "factor": float(f)}
                for v, o, e, f in rows
            ]
        return {"prior_count": self.prior_count, "columns": columns}

    @staticmethod
    def from_dict(saved: Mapping[str, Any]) -> SlotEffects:
        """The inverse of `to_dict`."""
        columns = saved["columns"]
        return SlotEffects(
            values={name: tuple(row["value"] for row in rows) for name, rows in columns.items()},
            observed={n: np.array([r["observed"] for r in rows]) for n, rows in columns.items()},
            expected={n: np.array([r["expected"] for r in rows]) for n, rows in columns.items()},
            prior_count=float(saved["prior_count"]),
        )

    @staticmethod
    def fit(offers: Offers, targets: Grouped, events: EventLog, *, before: int) -> SlotEffects:
        """Learn from the goal events, of which only those before `before` (microseconds) count.

        `targets` has a row for each item of the kind: what it promotes (global item_idx). `events`
        are the goal events of all users on those targets. The groups of one place (one combination
        of context codes) are its weeks and must not overlap in time; weeks that were not wholly
        inside the observed time are left out, and so are ads that were always or never placed.
        """
        values = {name: tuple(found) for name, found in offers.placement_values.items()}
        observed = {name: np.zeros(len(found)) for name, found in values.items()}
        expected = {name: np.zeros(len(found)) for name, found in values.items()}
        if offers.placement is not None and len(events):
            for place in _places(offers, targets, events, before):
                for column, name in enumerate(values):
                    codes = offers.placement[place.row, column]
                    place.count(codes, observed[name], expected[name])
        return SlotEffects(values, observed, expected)


class _Place:
    """One place: its purchases per (ad, week) and the offer rows of the ads bought there.

    Keys are ad x `n_weeks` + week, with ads and weeks numbered within the place. `bought` [m] are
    the sorted keys of the purchases and `times` [m] how many; `row` [r] are offer rows, `key` [r]
    their keys. The price of a place is a sort of the rows of the ads that were bought in it.
    """

    def __init__(self, n_weeks: int, purchase: LongArray, row: LongArray, key: LongArray) -> None:
        self.n_weeks, self.row, self.key = n_weeks, row, key
        self.bought, self.times = np.unique(purchase, return_counts=True)
        self.n_ads = int(self.bought[-1]) // n_weeks + 1
        with_row = np.unique(key)
        ad = with_row // n_weeks
        placed = np.bincount(ad, self._purchases(with_row), minlength=self.n_ads)
        total = np.bincount(self.bought // n_weeks, self.times, minlength=self.n_ads)
        self.weeks_without = n_weeks - np.bincount(ad, minlength=self.n_ads)
        self.bought_without = total - placed

    def _purchases(self, keys: LongArray) -> LongArray:
        at = np.minimum(np.searchsorted(self.bought, keys), len(self.bought) - 1)
        return np.where(self.bought[at] == keys, self.times[at], 0)

    def count(
        self, codes: NDArray[np.uint8], observed: NDArray[np.float64], expected: NDArray[np.float64]
    ) -> None:
        """Add this place's strata to `observed` and `expected` [values] of one column.

        `codes` [r] are the placements of the rows; several rows of one ad in one week count once.
        """
        n_values = len(observed)
        known = codes < n_values
        distinct = np.unique(self.key[known] * n_values + codes[known])
        key, code = distinct // n_values, distinct % n_values
        cell, shape = key // self.n_weeks * n_values + code, (self.n_ads, n_values)
        weeks = np.bincount(cell, minlength=self.n_ads * n_values).reshape(shape)
        bought = np.bincount(cell, self._purchases(key), minlength=self.n_ads * n_values)
        without = self.weeks_without[:, None]
        weight = 1.0 / np.maximum(without + weeks, 1)
        observed += (bought.reshape(shape) * without * weight).sum(axis=0)
        expected += (self.bought_without[:, None] * weeks * weight * (without > 0)).sum(axis=0)


def _places(offers: Offers, targets: Grouped, events: EventLog, before: int) -> Iterator[_Place]:
    """The places with purchases, from the groups that lie wholly inside the observed time."""
    if any(name not in events.context for name in offers.context):
        return  # events do not say where they happened, so they belong to no place
    usable = np.flatnonzero((offers.starts >= events.time.min()) & (offers.ends <= before))
    of_group, of_event = _place_codes(offers, usable, events)
    order = np.argsort(of_event, kind="stable")
    in_order = of_event[order]
    n_items = int(max(events.item.max(), targets.values.max(initial=0))) + 1
    ad = np.repeat(np.arange(len(targets), dtype=np.int32), np.diff(targets.offsets))
    ads_of = Grouped.build(targets.values, ad, n_items)
    lookup = np.full(len(targets), UNKNOWN, np.int64)
    for code in np.unique(of_group):
        groups = usable[of_group == code]
        groups = groups[np.argsort(offers.starts[groups], kind="stable")].astype(np.int32)
        here = order[slice(*np.searchsorted(in_order, [code, code + 1]))]
        ads, week = _ads_bought(offers, groups, ads_of, events.item[here], events.time[here])
        if len(ads):
            yield _place(offers, groups, ads, week, lookup)


def _place_codes(
    offers: Offers, usable: LongArray, events: EventLog
) -> tuple[LongArray, LongArray]:
    """One number per combination of context codes, for the usable groups and for the events."""
    of_group, of_event = np.zeros(len(usable), np.int64), np.zeros(len(events), np.int64)
    for name, codes in offers.context.items():
        size = int(max(codes.max(initial=0), events.context[name].max(initial=0))) + 2
        of_group = of_group * size + codes[usable] + 1
        of_event = of_event * size + events.context[name] + 1
    return of_group, of_event


def _ads_bought(
    offers: Offers, groups: IntArray, ads_of: Grouped, item: IntArray, time: LongArray
) -> tuple[IntArray, LongArray]:
    """Ad and week number of each purchase of something promoted, in one place's `groups`."""
    week = np.searchsorted(offers.starts[groups], time, side="right") - 1
    inside = (week >= 0) & (time < offers.ends[groups[week]])
    item, week = item[inside], week[inside]
    ads, _ = ads_of.gather(item)
    return ads, np.repeat(week, ads_of.counts(item))


def _place(
    offers: Offers, groups: IntArray, ads: IntArray, week: LongArray, lookup: LongArray
) -> _Place:
    """Number the ads bought in a place and find their offer rows there.

    `lookup` [ads of the kind] is all -1 and is left so: one scratch array for all places.
    """
    bought, number = np.unique(ads, return_inverse=True)
    rows = offers.rows_of(groups)
    row_week = np.repeat(np.arange(len(groups)), np.diff(offers.offsets)[groups])
    lookup[bought] = np.arange(len(bought))
    row_ad = lookup[offers.item[rows]]
    lookup[bought] = UNKNOWN
    mine = row_ad >= 0
    key = row_ad[mine] * len(groups) + row_week[mine]
    return _Place(len(groups), number * len(groups) + week, rows[mine], key)
