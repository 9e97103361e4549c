"""The nouns that pass between stages and out to users: frozen records, without behavior.

Ids are text. Times are naive `datetime`s on the clock of the sources. Every record that leaves
through JSON has `to_dict()`, whose keys are those of the contract, in its order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

DISMISS: Final = "dismiss"
"""The action by which somebody says that an item shall not be shown to them; no interest in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something a user did to an item.

    `time` None means now. `value` is an amount in the project's currency or unit, `context` holds
    what was known at the moment (a store, say), and `idempotency_key` lets a sender repeat an event
    without counting it twice.
    """

    user: str
    kind: str
    item: str
    action: str
    time: datetime | None = None
    value: float | None = None
    session: str | None = None
    context: Mapping[str, str] = field(default_factory=dict)
    offer: str | None = None
    request_id: str | None = None
    slot: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Where a part of a score came from.

    `share` is the signal's part of the score (0 to 1; the shares of one item sum to 1), `events`
    the number of past events it rests on, `items` the ids of items involved (at most a handful),
    `facts` the numbers and names that a sentence may use.
    """

    signal: str
    share: float = 0.0
    events: int = 0
    items: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {
            "signal": self.signal,
            "share": round(self.share, 6),
            "events": self.events,
            "items": list(self.items),
            "facts": dict(self.facts),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why an item stands in a list: one sentence and the evidence it was composed from.

    `source` is `evidence` for a composed sentence; a language model's sentence that passed the
    guard will say `llm`.
    """

    text: str
    language: str
    evidence: tuple[Evidence, ...]
    source: str = "evidence"

    def to_dict(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "language": self.language,
            "source": self.source,
            "evidence": [e.to_dict() for e in self.evidence],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedItem:
    """One place of a list.

    `probability` maps the goal action, and before it the actions of the task's funnel, to their
    calibrated probabilities. `propensity` is the probability with which this request showed the
    item; it is recorded, and stays here.
    """

    id: str
    title: str
    labels: Mapping[str, str]
    score: float
    probability: Mapping[str, float]
    reason: Reason
    slot: str | None = None
    also: str | None = None
    explored: bool = False
    propensity: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        out: dict[str, Any] = {
            "id": self.id,
            "title": self.title,
            "labels": dict(self.labels),
            "score": round(self.score, 6),
            "probability": {k: round(v, 6) for k, v in self.probability.items()},
            "slot": self.slot,
            "reason": self.reason.to_dict(),
        }
        if self.also is not None:
            out["also"] = self.also
        if self.explored:
            out["explored"] = True
        return out


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedList:
    """The answer to one task, in order of score; `short_because` says why it is short, if it is.

    `composed` says that a language model put it in order: its scores are reciprocal ranks.
    `experiment` and `arm` are what the list is part of; the answer tells them.
    """

    task: str
    kind: str
    goal: str | None
    items: tuple[RankedItem, ...]
    short_because: str | None = None
    composed: bool = False
    experiment: str | None = None
    arm: str | None = None

    def to_dict(self) -> dict[str, Any]:
        out: dict[str, Any] = {
            "kind": self.kind,
            "goal": self.goal,
            "items": [item.to_dict() for item in self.items],
        }
        if self.short_because is not None:
            out["short_because"] = self.short_because
        if self.composed:
            out["composed"] = True
        return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One request's lists.

    `took_ms` is the time in the engine; `llm` says what the model did; `wish` is how the wish of
    the request was understood, None where there was none.
    """

    request_id: str
    user: str | None
    at: datetime
    cold: bool
    artifact: str
    took_ms: float
    lists: Mapping[str, RankedList]
    llm: str = "off"
    wish: Mapping[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        out: dict[str, Any] = {
            "request_id": self.request_id,
            "user": self.user,
            "at": self.at.isoformat(),
            "cold": self.cold,
            "artifact": self.artifact,
            "took_ms": round(self.took_ms, 3),
            "llm": self.llm,
            "lists": {name: ranked.to_dict() for name, ranked in self.lists.items()},
        }
        if self.wish is not None:
            out["wish"] = dict(self.wish)
        arms = {one.experiment: one.arm for one in self.lists.values() if one.experiment}
        if arms:
            out["experiments"] = arms
        return out
