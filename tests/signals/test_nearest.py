"""The past items named beside an item are the nearest of its kind, counted as a walk counts."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference.plain_signals import nearest_past
from tests.signals.logs import state_of

from recprism.signals.nearest import PastVectors

N_ITEMS = 8


@settings(deadline=None)
@given(
    st.lists(st.integers(0, N_ITEMS - 1), max_size=12),
    st.lists(st.integers(0, N_ITEMS - 1), min_size=1, max_size=3, unique=True),
    st.tuples(st.integers(0, N_ITEMS), st.integers(0, N_ITEMS)),
    st.integers(0, 99),
)
def test_the_nearest_of_a_kind_are_those_of_a_walk(
    events: list[int], but: list[int], span: list[int], seed: int
) -> None:
    vectors = np.random.default_rng(seed).normal(size=(N_ITEMS, 3)).astype(np.float32)
    user = state_of([(item, 0, day) for day, item in enumerate(events)], 20)
    past = user.distinct[0]
    asked = vectors[but[0]]
    found, n_events = PastVectors(user, past, vectors[past]).nearest(
        asked, min(span), max(span), np.array(but, np.int32)
    )
    within = range(min(span), max(span))
    assert (list(found), n_events) == nearest_past(events, vectors, asked, within, but)
