"""Text normalization: one form, one space, no markup."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recprism.data.text import normalized


def norm(text: str | None) -> str | None:
    frame = pl.DataFrame({"t": pl.Series([text], dtype=pl.String)})
    found: str | None = frame.select(normalized(pl.col("t")))["t"][0]
    return found


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("FROZEN  PIES\t& \n COBBLERS ", "FROZEN PIES & COBBLERS"),
        ("ﬁne Ａ①", "fine A1"),
        ("<p>Hello<br/>there&nbsp;&amp; <b class='x'>you</b></p>", "Hello there & you"),
        ("<script>alert(1)</script>safe<!-- no -->", "safe"),
        ("# Title\n\n**bold** [link](http://x.y) ![pic](a.png)", "Title bold link pic"),
        ("> quoted `code`", "quoted code"),
        ("3 < 4 and a * b * c_d_e", "3 < 4 and a * b * c_d_e"),
        ("C# and C++ <3", "C# and C++ <3"),
        ("深度学习　实战", "深度学习 实战"),
        ("   ", None),
        (None, None),
    ],
)
def test_text_becomes_what_a_reader_would_see(raw: str | None, expected: str | None) -> None:
    assert norm(raw) == expected


@settings(deadline=None)
@given(st.text(max_size=60))
def test_normal_text_has_no_double_spaces_and_no_ends_of_space(raw: str) -> None:
    text = norm(raw)
    assert text is None or (text == text.strip() and "  " not in text and text != "")
