"""TIMEs on the command line."""

from __future__ import annotations

import re
from datetime import datetime

import pytest

from recprism.cli.times import parse_time
from recprism.errors import UsageError


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2017-12-01", datetime(2017, 12, 1)),
        ("2017-12-01T05:00", datetime(2017, 12, 1, 5)),
        ("2017-12-01 05:00:01.5", datetime(2017, 12, 1, 5, 0, 1, 500_000)),
        ("2017-12-01T05:00Z", datetime(2017, 12, 1, 5)),
        ("2017-12-01T00:00-05:00", datetime(2017, 12, 1, 5)),
        ("20171201T0500+0100", datetime(2017, 12, 1, 4)),
    ],
)
def test_a_time_without_zone_stands_and_one_with_zone_becomes_utc(
    text: str, moment: datetime
) -> None:
    assert parse_time(text) == moment


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2017", "2017-13-01", "2017-02-30", "1", "0001-01-01T00:00+14:00"]
)
def test_what_is_no_time_is_shown_with_its_option(text: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"`--until`: found `{text}`, a time such as")):
        parse_time(text, "--until")
