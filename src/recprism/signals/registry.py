"""The table of signals: a new one is a file and a line here."""

from __future__ import annotations

from recprism.project.schema import LlmSignal, ProjectFile, Transformer
from recprism.signals.content import Content
from recprism.signals.follow import Follow
from recprism.signals.funnel import Funnel
from recprism.signals.interface import Signal
from recprism.signals.llm import Llm
from recprism.signals.repeat import Repeat
from recprism.signals.sequence import Sequence
from recprism.signals.taste import Taste
from recprism.signals.teacher import ROLE
from recprism.signals.text import Text
from recprism.signals.trend import Trend

SIGNALS: dict[str, type[Signal]] = {
    signal.name: signal
    for signal in (Repeat, Follow, Taste, Content, Trend, Sequence, Text, Funnel, Llm)
}


def active_signals(project: ProjectFile) -> dict[str, type[Signal]]:
    """The signals of a project: all but those with a switch `use` that is off.

    A switch that is not set is on for `funnel` where a kind of items has several actions. `llm` is
    on with the role `rank`.
    """
    found = {}
    for name, signal in SIGNALS.items():
        if name == Llm.name and not project.llm.has_role(ROLE):
            continue
        use = getattr(getattr(project.signals, name), "use", True)
        if has_several_actions(project) if use is None else use:
            found[name] = signal
    return found


def has_several_actions(project: ProjectFile) -> bool:
    """Whether some kind of items has events of several actions, as far as the project file says."""
    actions: dict[str, set[str]] = {}
    for events in project.events:
        if events.action is None:  # a column of actions, likely several
            return True
        actions.setdefault(events.kind, set()).add(events.action)
    return any(len(names) > 1 for names in actions.values())


def has_trained(project: ProjectFile) -> bool:
    """Whether a signal that takes long to train is on."""
    sections = (getattr(project.signals, name) for name in active_signals(project))
    return any(isinstance(section, Transformer | LlmSignal) for section in sections)
