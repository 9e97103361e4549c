from __future__ import annotations

import json
from datetime import datetime, timedelta

import numpy as np
import pytest
from tests.profiles.conftest import AT, state_of

from recprism.data.dataset import Catalog
from recprism.errors import UnknownName
from recprism.profiles.habits import LabelTable
from recprism.profiles.profile import ProfileSetting, build_profile
from recprism.profiles.segments import Segments
from recprism.profiles.state import UserState

TASTE = np.array([0.123456, -1.0], np.float32)
NO_TASTE = np.zeros(2, np.float32)


@pytest.fixture
def setting(shop: Catalog, labels: LabelTable) -> ProfileSetting:
    segments = Segments(
        centroids=np.eye(2, dtype=np.float32),
        of_user=np.array([1, 0], np.int32),
        sizes=np.array([1, 1], np.int32),
        names=("Dairy", "Bakery"),
    )
    return ProfileSetting(
        catalog=shop,
        labels=labels,
        segments=segments,
        timezone="America/New_York",
        language="en",
        history=3,
    )


def test_a_profile_holds_everything_known(setting: ProfileSetting, weekly_milk: UserState) -> None:
    profile = build_profile("ann", weekly_milk, TASTE, setting).to_dict()
    assert list(profile) == [
        "user",
        "at",
        "cold",
        "traits",
        "taste",
        "segment",
        "habits",
        "history",
        "summary",
        "llm",
    ]
    assert (profile["user"], profile["at"], profile["cold"]) == (
        "ann",
        "2017-06-01T00:00:00",
        False,
    )
    assert profile["traits"] == {"age": "35-44", "kids": "2"}
    assert profile["taste"] == [0.1235, -1.0]
    assert profile["segment"] == {"id": 1, "name": "Bakery", "size": 1}
    assert profile["habits"]["purchase"]["count"] == 15
    assert profile["summary"]["language"] == "en"
    assert "Segment: Bakery (size 1)" in profile["summary"]["text"]


def test_history_shows_the_last_events_newest_first(
    setting: ProfileSetting, weekly_milk: UserState
) -> None:
    history = build_profile("ann", weekly_milk, TASTE, setting).to_dict()["history"]
    assert [(event["item"], event["title"]) for event in history] == [
        ("b", "RYE BREAD"),
        ("m", "MILK"),
        ("m", "MILK"),
    ]
    assert history[0] == {
        "time": "2017-05-23T23:30:00",
        "action": "purchase",
        "kind": "products",
        "item": "b",
        "title": "RYE BREAD",
        "value": 3.0,
    }


def test_an_item_without_title_shows_its_id(setting: ProfileSetting) -> None:
    state = state_of([(AT - timedelta(days=1), 2, 0, float("nan"), -1)])
    (event,) = build_profile("ann", state, NO_TASTE, setting).history
    assert (event.title, event.value) == ("x", None)


def test_titles_may_come_from_elsewhere(setting: ProfileSetting) -> None:
    named = ProfileSetting(**{**vars(setting), "title_of": lambda item: f"thing {item}"})
    state = state_of([(AT - timedelta(days=1), 2, 0, 1.0, -1)])
    assert build_profile("ann", state, NO_TASTE, named).history[0].title == "thing 2"


@pytest.mark.parametrize(
    ("user_idx", "taste", "segment"),
    [(0, NO_TASTE, "Bakery"), (1, NO_TASTE, None), (-1, NO_TASTE, None), (-1, TASTE, None)],
    ids=["traits", "no traits", "stranger", "stranger with a taste"],
)
def test_users_without_events_have_a_profile(
    setting: ProfileSetting, user_idx: int, taste: np.ndarray, segment: str | None
) -> None:
    profile = build_profile("new", state_of([], user_idx=user_idx), taste, setting)
    assert profile.cold
    assert (profile.habits, profile.history) == ({}, ())
    assert (profile.segment.name if profile.segment else None) == segment
    json.dumps(profile.to_dict(), allow_nan=False)


def test_a_newcomer_with_events_gets_the_nearest_segment(setting: ProfileSetting) -> None:
    state = state_of([(AT - timedelta(days=1), 0, 0, 1.0, -1)], user_idx=-1)
    near = build_profile("new", state, np.array([3, 0.1], np.float32), setting).segment
    assert near is not None
    assert near.name == "Dairy"
    assert build_profile("new", state, NO_TASTE, setting).segment is None


def test_a_project_without_segments_has_profiles(
    setting: ProfileSetting, weekly_milk: UserState
) -> None:
    bare = ProfileSetting(**{**vars(setting), "segments": None})
    assert build_profile("ann", weekly_milk, TASTE, bare).segment is None


def test_odd_user_ids_survive_json(setting: ProfileSetting) -> None:
    user = 'o\'brien "🍞"'
    profile = build_profile(user, state_of([], user_idx=-1), NO_TASTE, setting)
    assert json.loads(json.dumps(profile.to_dict()))["user"] == user


def test_a_language_without_words_is_refused(setting: ProfileSetting) -> None:
    french = ProfileSetting(**{**vars(setting), "language": "fr"})
    with pytest.raises(UnknownName, match="no language `fr`"):
        build_profile("ann", state_of([]), NO_TASTE, french)


def test_a_long_history_is_cut_but_habits_count_all(setting: ProfileSetting) -> None:
    rows = [(datetime(2016, 1, 1) + timedelta(hours=7 * n), n % 3, 0, 1.0, n) for n in range(1500)]
    profile = build_profile("ann", state_of(rows, at=datetime(2018, 1, 1)), TASTE, setting)
    assert len(profile.history) == 3
    assert profile.habits["purchase"].count == 1500
