"""The profile of one user: one record that a person can read and every list starts from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from recprism.data.dataset import Catalog, FloatArray
from recprism.llm import State
from recprism.profiles.habits import Habit, LabelTable, as_datetime, habits_of
from recprism.profiles.segments import Segments
from recprism.profiles.state import UserState
from recprism.profiles.summary import summarize

TASTE_DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFacts:
    """The segment a user belongs to; `size` is the number of users in it."""

    id: int
    name: str
    size: int

    def to_dict(self) -> dict[str, Any]:
        return {"id": self.id, "name": self.name, "size": self.size}


@dataclass(frozen=True, slots=True, kw_only=True)
class PastEvent:
    """One event of the history, `time` on the clock of the sources."""

    time: datetime
    action: str
    kind: str
    item: str
    title: str
    value: float | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "time": self.time.isoformat(),
            "action": self.action,
            "kind": self.kind,
            "item": self.item,
            "title": self.title,
            "value": self.value,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What is known of one user at one moment.

    `cold` says that no event of the user is known. `taste` is the taste vector, `segment` None
    where nothing places the user in one, `habits` one record per action, `history` the last events,
    newest first, `summary` the profile in words of `language`. `summary_source` says who wrote it:
    we from the facts (`facts`), or a language model (`llm`), whose state `llm` tells.
    """

    user: str
    at: datetime
    cold: bool
    traits: Mapping[str, str]
    taste: tuple[float, ...]
    segment: SegmentFacts | None
    habits: Mapping[str, Habit]
    history: tuple[PastEvent, ...]
    summary: str
    language: str
    summary_source: str = "facts"
    llm: State = "off"

    @property
    def named_segment(self) -> tuple[str, int] | None:
        """Name and size of the segment."""
        return None if self.segment is None else (self.segment.name, self.segment.size)

    def to_dict(self) -> dict[str, Any]:
        return {
            "user": self.user,
            "at": self.at.isoformat(),
            "cold": self.cold,
            "traits": dict(self.traits),
            "taste": list(self.taste),
            "segment": None if self.segment is None else self.segment.to_dict(),
            "habits": {action: habit.to_dict() for action, habit in self.habits.items()},
            "history": [event.to_dict() for event in self.history],
            "summary": {
                "text": self.summary,
                "language": self.language,
                "source": self.summary_source,
            },
            "llm": self.llm,
        }


@dataclass(frozen=True, kw_only=True)
class ProfileSetting:
    """What all profiles share.

    `history` is how many of the last events a profile shows; `title_of` gives the title of a global
    item_idx (without it: the title in the catalog, else the id).
    """

    catalog: Catalog
    labels: LabelTable
    segments: Segments | None
    timezone: str
    language: str
    history: int = 50
    title_of: Callable[[int], str] | None = None


def build_profile(
    user: str, state: UserState, taste: FloatArray, setting: ProfileSetting
) -> Profile:
    """The profile of the user with id `user` from what is known in `state`.

    `taste` [size] is the user's current taste vector (zeros without events). Works for strangers
    and users without events: empty habits and history, and a segment only where traits gave one.
    Raises `UnknownName` for a language without words.
    """
    habits = habits_of(state, setting.labels, setting.catalog.actions, setting.timezone)
    traits = _traits(state.user_idx, setting.catalog)
    segment = _segment(state, taste, bool(traits), setting.segments)
    at = as_datetime(state.at)
    named = None if segment is None else (segment.name, segment.size)
    return Profile(
        user=user,
        at=at,
        cold=state.is_cold,
        traits=traits,
        taste=tuple(round(float(number), TASTE_DIGITS) for number in taste),
        segment=segment,
        habits=habits,
        history=_history(state, setting),
        summary=summarize(habits, named, traits, at=at, language=setting.language),
        language=setting.language,
    )


def _traits(user_idx: int, catalog: Catalog) -> dict[str, str]:
    table = catalog.users.traits
    if not 0 <= user_idx < table.height:
        return {}
    row = table.row(user_idx, named=True)
    return {name: str(value) for name, value in row.items() if value is not None}


def _segment(
    state: UserState, taste: FloatArray, has_traits: bool, segments: Segments | None
) -> SegmentFacts | None:
    """The segment from training, or the nearest one for users who came later."""
    if not segments or (state.is_cold and not has_traits):
        return None
    known = 0 <= state.user_idx < len(segments.of_user)
    row = int(segments.of_user[state.user_idx]) if known else -1
    if row < 0 and np.any(taste):
        row = segments.assign(taste)
    if row < 0:
        return None
    return SegmentFacts(id=row, name=segments.names[row], size=int(segments.sizes[row]))


def _history(state: UserState, setting: ProfileSetting) -> tuple[PastEvent, ...]:
    catalog, events = setting.catalog, []
    for row in range(len(state.item) - 1, max(len(state.item) - setting.history, 0) - 1, -1):
        item = int(state.item[row])
        kind = catalog.kind_of(item)
        value = float(state.value[row])
        events.append(
            PastEvent(
                time=as_datetime(int(state.time[row])),
                action=catalog.actions[int(state.action[row])],
                kind=kind.name,
                item=kind.ids[item - kind.start],
                title=setting.title_of(item) if setting.title_of else _title(catalog, item),
                value=round(value, 4) if np.isfinite(value) else None,
            )
        )
    return tuple(events)


def _title(catalog: Catalog, item: int) -> str:
    kind = catalog.kind_of(item)
    title = kind.table["title"][item - kind.start]
    return str(title) if title else kind.ids[item - kind.start]
