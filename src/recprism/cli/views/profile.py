"""A profile as a card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from recprism.cli.output import moment, plain, table

_DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_BARS = " ▁▂▃▄▅▆▇█"
_SHOWN_EVENTS = 10


def profile_card(profile: Mapping[str, Any]) -> Panel:
    """One panel; `profile` is the document of `profile --json`."""
    parts: list[Text | Table] = [Text(plain(profile["summary"]["text"]))]
    facts = [f"{name}: {plain(value)}" for name, value in profile["traits"].items()]
    if profile["segment"] is not None:
        segment = profile["segment"]
        facts.append(f"segment: {plain(segment['name'])} ({segment['size']} users)")
    if facts:
        parts.append(Text("\n" + "   ".join(facts)))
    for action, habit in profile["habits"].items():
        parts.append(Text("\n" + "\n".join(_habit_lines(action, habit))))
    if profile["history"]:
        rows = [
            (moment(event["time"]), event["action"], event["title"])
            for event in profile["history"][:_SHOWN_EVENTS]
        ]
        parts.append(table(["last events", "action", "item"], rows))
    title = f"{plain(profile['user'])}, as of {moment(profile['at'])}"
    return Panel(Group(*parts), title=Text(title), title_align="left")


def _habit_lines(action: str, habit: Mapping[str, Any]) -> Iterator[str]:
    often = f"{habit['visits_per_week']:.1f} visits a week"
    gap = habit["gap_days"]
    rhythm = "" if gap is None else f", usually {gap:g} days apart"
    yield f"{plain(action)}: {habit['count']} in {habit['visits']} visits, {often}{rhythm}"
    days = " ".join(
        f"{day}{bar}" for day, bar in zip(_DAYS, _spark(habit["weekdays"]), strict=True)
    )
    yield f"  days   {days}"
    if habit["hours"] is not None:
        yield f"  hours  0 {_spark(habit['hours'])} 23"
    for name, mix in habit["labels"].items():
        top = ", ".join(f"{plain(t['value'])} {t['share']:.0%}" for t in mix["top"])
        yield f"  {plain(name)}: {top}"
    if habit["price"] is not None:
        price = habit["price"]
        yield f"  amounts: {price['low']:g} to {price['high']:g}, median {price['median']:g}"


def _spark(counts: list[int]) -> str:
    """Counts as little bars of equal width, the largest one full."""
    most = max([*counts, 1])
    return "".join(_BARS[-(-count * (len(_BARS) - 1) // most)] for count in counts)
