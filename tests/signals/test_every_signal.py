"""The registry of signals goes through the kit: a new signal cannot skip it."""

from __future__ import annotations

import pytest

from recprism.signals.interface import Signal
from recprism.signals.llm import Llm
from recprism.signals.registry import SIGNALS
from recprism.signals.trend import Trend
from recprism.testing.signals import SignalKit


class TestEverySignal(SignalKit):
    @pytest.fixture(params=SIGNALS.values(), ids=list(SIGNALS))
    def signal_type(self, request: pytest.FixtureRequest) -> type[Signal]:
        signal: type[Signal] = request.param
        return signal

    def counts_live_events(self, signal_type: type[Signal]) -> bool:
        """Popularity is what everybody did before; without a model nobody has taught `llm`."""
        return signal_type not in (Trend, Llm)


def test_a_signal_is_known_by_its_name() -> None:
    assert [signal.name for signal in SIGNALS.values()] == list(SIGNALS)
