"""`--users FILE`: RFC 4180 without a header; a bad row is named before anything is answered."""

from __future__ import annotations

import csv
import re
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recprism.cli.user_list import Asked, read_user_list
from recprism.errors import UsageError


def write(folder: Path, content: bytes) -> Path:
    path = folder / "users.csv"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"1029\n0012", [Asked("1029", None), Asked("0012", None)]),
        (b"1029,2017-12-01\r\n7\r\n", [Asked("1029", datetime(2017, 12, 1)), Asked("7", None)]),
        (b"\xef\xbb\xbf1029\n", [Asked("1029", None)]),
        (b" 1029 \n", [Asked(" 1029 ", None)]),
        (b'"a,b","2017-12-01T00:00-05:00"\n', [Asked("a,b", datetime(2017, 12, 1, 5))]),
        (
            'Zoë "the 🦊" O\'Hara\n"say ""hi"""\n'.encode(),
            [Asked('Zoë "the 🦊" O\'Hara', None), Asked('say "hi"', None)],
        ),
        (
            "a\u2028b\nc\x85d".replace("\x85", "\u3000").encode(),
            [Asked("a\u2028b", None), Asked("c\u3000d", None)],
        ),
        (b"1029\n1029\n", [Asked("1029", None), Asked("1029", None)]),
    ],
)
def test_rows_are_read_in_order_as_written(
    tmp_path: Path, content: bytes, expected: list[Asked]
) -> None:
    assert read_user_list(write(tmp_path, content)) == expected


@pytest.mark.parametrize(
    ("content", "line", "found"),
    [
        (b"1029\n\n7\n", 2, "an id must not be empty"),
        (b'1029\n7\n""\n', 3, "an id must not be empty"),
        (b",2017-12-01\n", 1, "an id must not be empty"),
        (b"1029\n7,2017-12-01,x\n", 2, "found 3 columns"),
        (b"user,time\n", 1, "found the time 'time'"),
        (b"1029,\n", 1, "found the time ''"),
        (b"1029\n7,2017-12-01T25:00\n", 2, "found the time '2017-12-01T25:00'"),
        (b'1029\n"a\nb"\n', 2, "control character"),
        (b"1029\na\tb\n", 2, "control character"),
        (b"1029\n7\x00\n", 2, "control character"),
        (b'1029\n"unfinished\n', 2, "not RFC 4180"),
        (b'1029\n"a"b\n', 2, "not RFC 4180"),
        (b"1029\n7\n\xff\xfe\n", 3, "found bytes that are not UTF-8"),
        (b"x" * 513, 1, "at most 512 bytes, found 513"),
        (b"x" * 200_000, 1, "not RFC 4180"),
    ],
)
def test_a_bad_row_is_named_with_its_line(
    tmp_path: Path, content: bytes, line: int, found: str
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(UsageError, match=re.escape(f"{path}:{line}: ")) as caught:
        read_user_list(path)
    assert found in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nobody.csv` cannot be read \(No such file"):
        read_user_list(tmp_path / "nobody.csv")
    with pytest.raises(UsageError, match=r"cannot be read \(Is a directory"):
        read_user_list(tmp_path)


_ids = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40)


@settings(deadline=None, max_examples=100)
@given(
    rows=st.lists(
        st.tuples(_ids, st.none() | st.datetimes(min_value=datetime(1900, 1, 1))), max_size=8
    )
)
def test_whatever_a_csv_writer_writes_is_read_back(
    rows: list[tuple[str, datetime | None]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("u") / "users.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            [user] if at is None else [user, at.isoformat()] for user, at in rows
        )
    expected = [
        Asked(user.removeprefix("\ufeff") if n == 0 else user, at)
        for n, (user, at) in enumerate(rows)
    ]
    if rows and not expected[0].user:
        return
    assert read_user_list(path) == expected
