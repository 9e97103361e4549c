from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference.plain_lists import best_total_response

from recprism.errors import UnknownName
from recprism.lists import NO_SLOT, SlotEffects, assign_slots, compile_slots
from recprism.project.schema import Slot

VALUES = {"display": ["0", "1", "3", "4"], "mailer": ["0", "A", "D"]}


def slots(**named: Any) -> dict[str, Slot]:
    return {name: Slot.model_validate(slot) for name, slot in named.items()}


def test_an_ad_fits_where_its_placement_is_named_or_not_ruled_out() -> None:
    rules = compile_slots(
        slots(
            front={"when": {"display": ["1"]}},
            end={"count": 2, "when": {"display": ["3", "4", "unheard of"]}},
            mailer={"count": 3, "when": {"mailer": {"not": "0"}}},
            both={"when": {"display": ["1"], "mailer": ["A"]}},
            anywhere={},
        ),
        VALUES,
    )
    assert rules.names == ("front", "end", "mailer", "both", "anywhere")
    assert rules.counts == (1, 2, 3, 1, 1)
    placement = np.array([[1, 0], [2, 1], [1, 1], [0, 0], [255, 255]], np.uint8)
    assert rules.fits(placement).astype(int).tolist() == [
        [1, 0, 0, 0, 1],
        [0, 1, 1, 0, 1],
        [1, 0, 1, 1, 1],
        [0, 0, 0, 0, 1],
        [0, 0, 0, 0, 1],
    ]


def test_a_missing_placement_fits_only_slots_without_conditions() -> None:
    rules = compile_slots(
        slots(anywhere={}, mailer={"when": {"mailer": {"not": "0"}}}), {"mailer": ["", "0", "A"]}
    )
    placement = np.array([[0], [1], [2]], np.uint8)
    assert rules.fits(placement).tolist() == [[True, False], [True, False], [True, True]]


def test_a_slot_on_an_unknown_column_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"`displai`; known: `display`, `mailer`\. Did you mean"):
        compile_slots(slots(front={"when": {"displai": ["1"]}}), VALUES)


def test_an_ad_takes_the_effects_of_its_own_placements() -> None:
    effects = SlotEffects(
        values={"display": ("0", "1", "3", "4"), "mailer": ("0", "A", "D")},
        observed={"display": np.array([0.0, 20, 40, 0]), "mailer": np.array([0.0, 60, 0])},
        expected={"display": np.array([0.0, 0, 10, 20]), "mailer": np.array([0.0, 0, 0])},
    )
    rules = compile_slots(
        slots(
            display={"when": {"display": {"not": "0"}}},
            both={"when": {"display": ["1"], "mailer": ["A"]}},
            anywhere={},
        ),
        VALUES,
    )
    factors = rules.effects(np.array([[1, 1], [2, 0], [3, 2]], np.uint8), effects)
    assert factors.tolist() == [[2.0, 8.0, 1.0], [2.0, 2.0, 1.0], [0.5, 0.5, 1.0]]


def test_the_ad_with_most_to_gain_gets_the_front() -> None:
    fits = np.array([[True, True], [True, False], [False, False]])
    assert assign_slots([0.5, 0.4, 0.9], fits, [1.5, 1.0], [1, 1]) == [1, 0, NO_SLOT]
    assert assign_slots([0.5, 0.1, 0.9], fits, [3.0, 1.0], [1, 1]) == [0, NO_SLOT, NO_SLOT]


def test_ads_nobody_is_expected_to_want_still_get_the_places_left() -> None:
    assert assign_slots([0.0, 0.0], np.ones((2, 1), bool), [1.0], [5]) == [0, 0]


def test_without_ads_or_slots_nothing_is_assigned() -> None:
    assert assign_slots([], np.zeros((0, 2), bool), [1.0, 1.0], [1, 1]) == []
    assert assign_slots([0.5], np.zeros((1, 0), bool), np.zeros((1, 0)), []) == [NO_SLOT]


@settings(deadline=None, max_examples=60)
@given(
    ads=st.lists(
        st.tuples(
            st.integers(0, 8),
            st.lists(st.booleans(), min_size=2, max_size=2),
            st.lists(st.sampled_from([0.5, 1.0, 2.0]), min_size=2, max_size=2),
        ),
        min_size=1,
        max_size=4,
    ),
    counts=st.lists(st.integers(1, 2), min_size=2, max_size=2),
)
def test_the_assignment_is_the_best_there_is_and_respects_fits_and_counts(
    ads: list[tuple[int, list[bool], list[float]]], counts: list[int]
) -> None:
    probability = np.array([p / 8 for p, _, _ in ads])
    fits, effect = np.array([f for _, f, _ in ads]), np.array([e for _, _, e in ads])
    chosen = assign_slots(probability, fits, effect, counts)
    placed = [(ad, slot) for ad, slot in enumerate(chosen) if slot != NO_SLOT]
    assert all(fits[ad, slot] for ad, slot in placed)
    assert all(chosen.count(slot) <= count for slot, count in enumerate(counts))
    worth = probability[:, None] * effect
    total = sum(float(worth[ad, slot]) for ad, slot in placed)
    assert total == pytest.approx(best_total_response(worth, fits, counts))
