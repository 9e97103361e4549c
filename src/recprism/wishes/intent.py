"""What a wish in words asks for, as records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Reader = Literal["rules", "llm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A number of the items that must not be below `low` or above `high`; None is open."""

    number: str
    low: float | None = None
    high: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return {"number": self.number, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A label that the wish names; `must` where nothing else will do."""

    name: str
    value: str
    must: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "value": self.value, "must": self.must}


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A wish, taken apart.

    `text` is what is wanted, in the wish's own words, maybe empty; `unwanted` what is not. Without
    anything to take apart `text` is the whole wish, unchanged. `kinds` are the kinds of item that
    it names, with `kinds_must` where it wants no other. `unmet` are words that ask for what no
    column of the project can tell. `read_by` says who read it; every word of `text` and `unwanted`
    stands in the wish either way.
    """

    text: str
    unwanted: tuple[str, ...] = ()
    labels: tuple[Label, ...] = ()
    bounds: tuple[Bound, ...] = ()
    kinds: tuple[str, ...] = ()
    kinds_must: bool = False
    unmet: tuple[str, ...] = ()
    read_by: Reader = "rules"

    def to_dict(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "unwanted": list(self.unwanted),
            "labels": [label.to_dict() for label in self.labels],
            "bounds": [bound.to_dict() for bound in self.bounds],
            "kinds": list(self.kinds),
            "unmet": list(self.unmet),
            "read_by": self.read_by,
        }

    def conditions(self) -> list[str]:
        """What it rules out or demands, in signs that need no language."""
        told = [f"≠ {words}" for words in self.unwanted]
        told += [f"{label.name} = {label.value}" for label in self.labels if label.must]
        for bound in self.bounds:
            if bound.high is not None:
                told.append(f"{bound.number} ≤ {bound.high:g}")
            if bound.low is not None:
                told.append(f"{bound.number} ≥ {bound.low:g}")
        return told


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What a wish can ask of a project: its kinds, label values by label, numbers by name.

    `language` is assumed of a wish that does not show its own.
    """

    kinds: Sequence[str] = ()
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    numbers: Sequence[str] = ()
    language: str = "en"
