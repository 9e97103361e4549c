"""The table of signals: a new one is a file and a line here."""

from __future__ import annotations

from recprism.project.schema import Signals
from recprism.signals.content import Content
from recprism.signals.follow import Follow
from recprism.signals.interface import Signal
from recprism.signals.repeat import Repeat
from recprism.signals.sequence import Sequence
from recprism.signals.taste import Taste
from recprism.signals.trend import Trend

SIGNALS: dict[str, type[Signal]] = {
    signal.name: signal for signal in (Repeat, Follow, Taste, Content, Trend, Sequence)
}


def active_signals(config: Signals) -> dict[str, type[Signal]]:
    """The signals of a project: all but those with a switch `use` that is off."""
    return {
        name: signal
        for name, signal in SIGNALS.items()
        if getattr(getattr(config, name), "use", True)
    }


def has_trained(config: Signals) -> bool:
    """Whether a signal that takes long to train is on."""
    return any(getattr(getattr(config, name), "use", False) for name in SIGNALS)
