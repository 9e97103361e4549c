from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.lists.shelves import grouped, ints, offers, purchases
from tests.reference.plain_lists import slot_counts

from recprism.data.dataset import EventLog, Grouped, Offers
from recprism.lists import SlotEffects

WEEK = 7
N_PRODUCTS = 40
VALUES = {"display": ["0", "1", "3"]}
OWN = grouped(*[[p] for p in range(N_PRODUCTS)])


def planted(factors: list[float], seed: int, n_weeks: int = 60) -> tuple[Offers, EventLog]:
    """Forty products in three stores, bought at their own rates times the factor of the display."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(2.0, 1.0, (3, N_PRODUCTS))
    items, windows, store, placement, bought = [], [], [], [], []
    for place in range(3):
        for week in range(n_weeks):
            code = rng.integers(-1, 3, N_PRODUCTS)
            shown = np.flatnonzero(code >= 0)
            items.append(shown.tolist())
            placement += [[int(c)] for c in code[shown]]
            windows.append((week * WEEK, (week + 1) * WEEK))
            store.append(place)
            factor = np.where(code >= 0, np.array(factors)[code], 1.0)
            for product, count in enumerate(rng.poisson(rate[place] * factor)):
                moments = week * WEEK + rng.integers(0, WEEK, count)
                bought += [(product, int(moment), place) for moment in moments]
    bought.append((0, 0, 0))
    table = np.array(bought)
    log = purchases(
        table[:, 0].astype(np.int32), table[:, 1], {"store": table[:, 2].astype(np.int32)}
    )
    deal = offers(
        items, windows, context={"store": store}, placement=placement, placement_values=VALUES
    )
    return deal, log


def test_planted_effects_are_recovered() -> None:
    deal, log = planted([1.0, 3.0, 0.5], seed=1)
    effects = SlotEffects.fit(deal, OWN, log, before=60 * WEEK)
    assert effects.factors("display")[:3] == pytest.approx([1.0, 3.0, 0.5], rel=0.08)
    assert (effects.factors("display")[3:] == 1.0).all()


def test_weeks_after_the_cut_do_not_count() -> None:
    deal, log = planted([1.0, 3.0, 0.5], seed=2)
    cut = 30 * WEEK
    known = SlotEffects.fit(deal, OWN, log.until(cut), before=cut)
    peeking = SlotEffects.fit(deal, OWN, log, before=cut)
    assert known.to_dict() == peeking.to_dict()
    assert known.factors("display")[1] == pytest.approx(3.0, rel=0.1)


def test_a_hand_worked_ratio() -> None:
    """One ad in two weeks of four: 6 purchases with it, 2 without: 6 x 2/4 against 2 x 2/4."""
    deal = offers(
        [[0], [0, 0], [], []],
        [(0, 7), (7, 14), (14, 21), (21, 28)],
        context={"store": [0] * 4},
        placement=[[1], [1], [1]],
        placement_values=VALUES,
    )
    time = np.array([0, 1, 2, 3, 8, 9, 15, 22])
    log = purchases(np.zeros(8, np.int32), time, {"store": np.zeros(8, np.int32)})
    effects = SlotEffects.fit(deal, grouped([0]), log, before=28)
    assert effects.observed["display"].tolist() == [0.0, 3.0, 0.0]
    assert effects.expected["display"].tolist() == [0.0, 1.0, 0.0]
    assert effects.factors("display")[1] == pytest.approx(23 / 21)


def test_an_ad_that_is_always_placed_teaches_nothing() -> None:
    deal = offers([[0]], [(0, 7)], context={"store": [0]}, placement=[[1]], placement_values=VALUES)
    log = purchases(ints(0, 0), np.array([0, 3]), {"store": ints(0, 0)})
    effects = SlotEffects.fit(deal, grouped([0]), log, before=7)
    assert (effects.factors("display") == 1.0).all()


def test_purchases_in_other_stores_and_unpromoted_items_do_not_count() -> None:
    deal = offers(
        [[0], []],
        [(0, 7), (7, 14)],
        context={"store": [0, 0]},
        placement=[[1]],
        placement_values=VALUES,
    )
    log = purchases(ints(0, 0, 5), np.array([0, 8, 9]), {"store": ints(3, 0, 0)})
    effects = SlotEffects.fit(deal, grouped([0]), log, before=14)
    assert effects.observed["display"].tolist() == [0.0, 0.0, 0.0]
    assert effects.expected["display"].tolist() == [0.0, 0.5, 0.0]


@pytest.mark.parametrize("case", ["no events", "no placement", "no store in the events"])
def test_without_anything_to_learn_from_every_factor_is_one(case: str) -> None:
    deal = offers(
        [[0], []],
        [(0, 7), (7, 14)],
        context={"store": [0, 0]},
        placement=None if case == "no placement" else [[1]],
        placement_values=VALUES,
    )
    log = purchases(ints(0, 0), np.array([0, 8]), {"store": ints(0, 0)})
    if case == "no events":
        log = log.until(0)
    if case == "no store in the events":
        log = purchases(ints(0, 0), np.array([0, 8]), {})
    effects = SlotEffects.fit(deal, grouped([0]), log, before=14)
    assert (effects.factors("display") == 1.0).all()


def test_effects_survive_json() -> None:
    deal, log = planted([1.0, 3.0, 0.5], seed=3, n_weeks=5)
    effects = SlotEffects.fit(deal, OWN, log, before=5 * WEEK)
    again = SlotEffects.from_dict(json.loads(json.dumps(effects.to_dict())))
    assert again.to_dict() == effects.to_dict()
    assert again.factors("display").tolist() == effects.factors("display").tolist()


@st.composite
def small_worlds(draw: st.DrawFn) -> tuple[Offers, Grouped, EventLog]:
    ad_rows = st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 2)), max_size=5
    )
    store_weeks = [(store, week) for store in range(2) for week in range(4)]
    rows = [draw(ad_rows) for _ in store_weeks]
    deal = offers(
        [[ad for ad, _, _ in one] for one in rows],
        [(week * WEEK, (week + 1) * WEEK) for _, week in store_weeks],
        context={"store": [store for store, _ in store_weeks]},
        placement=[[d, m] for one in rows for _, d, m in one],
        placement_values={"display": ["0", "1", "3"], "mailer": ["0", "A"]},
    )
    targets = grouped(
        *[draw(st.lists(st.integers(0, 4), unique=True, max_size=2)) for _ in range(4)]
    )
    event = st.tuples(st.integers(0, 4), st.integers(0, 4 * WEEK + 3), st.integers(-1, 2))
    table = np.array(draw(st.lists(event, min_size=1, max_size=25)))
    store = table[:, 2].astype(np.int32)
    return deal, targets, purchases(table[:, 0].astype(np.int32), table[:, 1], {"store": store})


@settings(deadline=None, max_examples=80)
@given(world=small_worlds(), before=st.integers(1, 5 * WEEK))
def test_counts_agree_with_plain_loops(
    world: tuple[Offers, Grouped, EventLog], before: int
) -> None:
    deal, targets, log = world
    effects = SlotEffects.fit(deal, targets, log, before=before)
    plain = slot_counts(deal, targets, log, before=before, context="store")
    for name, values in deal.placement_values.items():
        found = np.stack([effects.observed[name], effects.expected[name]], axis=1)
        assert found == pytest.approx(np.array([plain[name][value] for value in values]))
