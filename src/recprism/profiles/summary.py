"""A profile in a few sentences, composed only from its facts.

Every number and name in the text is a field of the habits, the segment or the traits, rounded at
most, so that a language model that rephrases it later has nothing to invent from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from recprism.profiles.habits import Habit, LabelMix, PriceBand
from recprism.profiles.words import Words, words_of

MOST_OFTEN = 5
"""Fewer events than this have no favorite day or hour."""
NAMED_LABELS = 2
"""Labels whose mix is told, in the order of the project."""
NAMED_VALUES = 3


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a summary: about habits, or about what a person is; `label` is the label whose
    values, the `names`, it tells."""

    text: str
    is_habit: bool = True
    label: str | None = None
    names: tuple[str, ...] = ()


def summarize(
    habits: Mapping[str, Habit],
    segment: tuple[str, int] | None,
    traits: Mapping[str, str],
    *,
    at: datetime,
    language: str,
) -> str:
    """The profile in words.

    `habits` in order of importance, `segment` is (name, number of people). One sentence says so
    when nothing is known. Raises `UnknownName` for a language without words.
    """
    words = words_of(language)
    sentences = [one.text for one in sentences_of(habits, segment, traits, at, language)]
    return words.space.join(sentences) if sentences else words.nobody


def sentences_of(
    habits: Mapping[str, Habit],
    segment: tuple[str, int] | None,
    traits: Mapping[str, str],
    at: datetime,
    language: str,
) -> list[Sentence]:
    """The sentences of a summary, none when nothing is known."""
    words = words_of(language)
    found = [Sentence(_activity(habit, at, words)) for habit in habits.values()]
    for habit in list(habits.values())[:1]:
        found += _mixes(habit, words)
        found += [Sentence(text) for text in _price(habit.price, words)]
    if segment is not None:
        text = words.segment.format(name=segment[0], size=segment[1])
        found.append(Sentence(text, is_habit=False))
    if traits:
        listed = words.comma.join(f"{name} {value}" for name, value in traits.items())
        found.append(Sentence(words.traits.format(traits=listed), is_habit=False))
    return found


def _activity(habit: Habit, at: datetime, words: Words) -> str:
    """How often, when most often, and how long ago."""
    text = words.activity.format(
        count=habit.count, action=_action(habit.action, habit.count, words)
    )
    if 1 < habit.visits < habit.count:
        text += words.visits.format(visits=habit.visits)
    if habit.gap_days is not None:
        gap = round(habit.gap_days)
        text += words.daily if gap <= 1 else words.gap.format(days=gap)
    weekday = _favorite(habit.weekdays)
    if weekday is not None:
        text += words.weekday.format(weekday=words.weekdays[weekday])
    hour = _favorite(habit.hours or ())
    if hour is not None:
        text += words.hour.format(hour=hour, next=hour + 1)
    ago = (at - habit.last).days
    text += words.last.format(days=ago) if ago > 0 else words.today
    return text[:1].upper() + text[1:] + words.end


def _action(action: str, count: int, words: Words) -> str:
    one, several = words.actions.get(action, words.other_action)
    return (one if count == 1 else several).format(action=action)


def _favorite(counts: Sequence[int]) -> int | None:
    """Where the one largest count lies; None for few events or a tie."""
    if sum(counts) < MOST_OFTEN or sorted(counts)[-1] == sorted(counts)[-2]:
        return None
    return counts.index(max(counts))


def _mixes(habit: Habit, words: Words) -> list[Sentence]:
    told = [(name, mix) for name, mix in habit.labels.items() if mix.top][:NAMED_LABELS]
    several = _action(habit.action, 2, words)
    return [
        Sentence(
            words.mix.format(action=several, label=name, shares=_shares(mix, words)),
            label=name,
            names=tuple(value for value, _ in mix.top[:NAMED_VALUES]),
        )
        for name, mix in told
    ]


def _shares(mix: LabelMix, words: Words) -> str:
    parts = [
        words.share.format(value=value, percent=round(100 * share))
        for value, share in mix.top[:NAMED_VALUES]
    ]
    last = parts.pop()
    return words.comma.join(parts) + words.and_ + last if parts else last


def _price(price: PriceBand | None, words: Words) -> list[str]:
    if price is None or price.low == price.high:
        return []
    return [words.price.format(low=f"{price.low:.2f}", high=f"{price.high:.2f}")]
