from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.profiles.conftest import AT, state_of

from recprism.errors import UnknownName
from recprism.profiles.habits import LabelTable, habits_of
from recprism.profiles.state import UserState
from recprism.profiles.summary import summarize
from recprism.profiles.words import LANGUAGES

ACTIONS = ["purchase", "redeem", "sniff"]


def tell(
    state: UserState,
    labels: LabelTable,
    language: str = "en",
    segment: tuple[str, int] | None = None,
    traits: Mapping[str, str] | None = None,
) -> str:
    habits = habits_of(state, labels, ACTIONS, "America/New_York")
    return summarize(habits, segment, traits or {}, at=AT, language=language)


def test_a_weekly_buyer_in_english(weekly_milk: UserState, labels: LabelTable) -> None:
    text = tell(weekly_milk, labels, segment=("Dairy and bakery", 1200), traits={"age": "35-44"})
    assert text == (
        "15 purchases in 10 visits, about every 7 days, most often on Tuesdays, "
        "most often from 19:00 to 20:00; the last was 8 days ago. "
        "Most of the purchases by aisle: DAIRY (67 %) and BAKERY (33 %). "
        "Half of the amounts lie between 1.50 and 3.00. "
        "Segment: Dairy and bakery (size 1,200). Known traits: age 35-44."
    )


def test_a_weekly_buyer_in_chinese(weekly_milk: UserState, labels: LabelTable) -> None:
    text = tell(weekly_milk, labels, "zh", segment=("综合", 3), traits={"age": "35-44"})
    assert text == (
        "共有 15 次购买，分 10 次到访，大约每 7 天一次，周二最多，19:00 到 20:00 最多，"
        "最近一次在 8 天前。购买最多的aisle：DAIRY（67%）和BAKERY（33%）。"
        "一半的金额在 1.50 到 3.00 之间。所属人群：综合（3 人）。已知特征：age 35-44。"
    )


@pytest.mark.parametrize(
    ("language", "text"),
    [("en", "Nothing is known about this person yet."), ("zh", "目前还不了解这位用户。")],
)
def test_a_stranger_is_a_stranger(labels: LabelTable, language: str, text: str) -> None:
    assert tell(state_of([], user_idx=-1), labels, language) == text


def test_one_event_is_told_in_the_singular_without_favorites(labels: LabelTable) -> None:
    once = state_of([(AT - timedelta(hours=2), 0, 1, float("nan"), -1)])
    assert tell(once, labels).startswith("1 redemption; the last was less than a day ago.")


def test_an_action_without_a_word_keeps_its_name(labels: LabelTable) -> None:
    rows = [(datetime(2017, 5, day, 3), 2, 2, float("nan"), -1) for day in (1, 2, 3)]
    assert tell(state_of(rows), labels) == (
        "3 events `sniff`, about every day; the last was 28 days ago."
    )


def test_a_tie_has_no_favorite(labels: LabelTable) -> None:
    rows = [(datetime(2017, 5, day, 3 * day), 2, 0, float("nan"), -1) for day in range(1, 7)]
    assert "most often" not in tell(state_of(rows), labels)


def test_a_language_without_words_is_refused(labels: LabelTable) -> None:
    with pytest.raises(UnknownName, match=r"no language `de`; known: `en`, `zh`"):
        tell(state_of([]), labels, "de")


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.datetimes(datetime(2016, 1, 1), datetime(2017, 5, 31)),
            st.integers(0, 2),
            st.integers(0, 2),
            st.floats(0, 50, width=32),
            st.integers(-1, 9),
        ),
        min_size=1,
        max_size=25,
    ),
    st.sampled_from(sorted(LANGUAGES)),
)
def test_every_number_in_the_text_is_a_fact(
    rows: list[tuple[datetime, int, int, float, int]], language: str
) -> None:
    labels = LabelTable({}, {})
    state = state_of(sorted(rows, key=lambda row: row[0]))
    facts: set[float] = {0.0}
    for habit in habits_of(state, labels, ACTIONS, "America/New_York").values():
        facts |= {habit.count, habit.visits, (AT - habit.last).days}
        facts |= {round(habit.gap_days)} if habit.gap_days else set()
        facts |= {habit.price.low, habit.price.high} if habit.price else set()
        facts |= {h + d for h, n in enumerate(habit.hours or ()) if n for d in (0, 1)}
    told = tell(state, labels, language)
    assert {float(number) for number in re.findall(r"\d+(?:\.\d+)?", told)} <= facts
