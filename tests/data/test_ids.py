"""Ids: text outside, row numbers inside."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recprism.data.dataset import Ids
from recprism.data.ids import as_text, distinct, encode, is_valid, union, vocabulary


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (pl.Series([7, -1, None]), ["7", "-1", None]),
        (pl.Series([123.0, None, 2.5, float("nan")]), ["123", None, "2.5", None]),
        (pl.Series(["0012", "", " x ", "ﬁ"]), ["0012", None, " x ", "ﬁ"]),
        (pl.Series([True, False]), ["true", "false"]),
        (pl.Series([2**53 - 1], dtype=pl.UInt64), [str(2**53 - 1)]),
        (pl.Series(["a", "b"], dtype=pl.Categorical), ["a", "b"]),
    ],
)
def test_ids_of_any_type_become_text(raw: pl.Series, expected: list[str | None]) -> None:
    assert as_text(raw).to_list() == expected


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("0012", True),
        ('Zoë "the 🦊", Jr.', True),
        ("x" * 512, True),
        ("x" * 513, False),
        ("ü" * 256, True),
        ("ü" * 257, False),
        ("a\tb", False),
        ("a\x00b", False),
        (None, False),
    ],
)
def test_an_id_has_1_to_512_bytes_and_no_control_characters(text: str | None, valid: bool) -> None:
    assert is_valid(pl.Series([text], dtype=pl.String)).to_list() == [valid]


raw_columns = st.one_of(
    st.lists(st.one_of(st.none(), st.integers(-(2**62), 2**62))).map(
        lambda values: pl.Series(values, dtype=pl.Int64)
    ),
    st.lists(st.one_of(st.none(), st.integers(-50, 50))).map(
        lambda values: pl.Series(values, dtype=pl.Int32)
    ),
    st.lists(st.one_of(st.none(), st.floats())).map(
        lambda values: pl.Series(values, dtype=pl.Float64)
    ),
    st.lists(st.one_of(st.none(), st.text(max_size=6))).map(
        lambda values: pl.Series(values, dtype=pl.String)
    ),
)


@settings(deadline=None)
@given(raw_columns)
def test_row_numbers_lead_back_to_the_text_of_every_id(values: pl.Series) -> None:
    ids = union(None, [distinct(values)])
    codes = encode(values, ids)
    text = as_text(values)
    valid = is_valid(text)
    back = [ids[code] if code >= 0 else None for code in codes]
    assert back == [t if v else None for t, v in zip(text, valid, strict=True)]


def test_unknown_ids_have_no_row_number() -> None:
    ids = Ids(pl.Series(["a", "b"]))
    assert encode(pl.Series(["b", "c", None, "a"]), ids).tolist() == [1, -1, -1, 0]
    assert encode(pl.Series([None, None], dtype=pl.String), ids).tolist() == [-1, -1]


def test_ids_of_the_table_come_first_and_the_others_follow_sorted() -> None:
    ids = union(pl.Series(["z", "a"]), [pl.Series(["c", "a"]), pl.Series(["b"])])
    assert ids.values.to_list() == ["z", "a", "b", "c"]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ([["10", "9"], ["9", "100"]], ["9", "10", "100"]),
        ([["10", "9", "x"]], ["10", "9", "x"]),
        ([["7", "07"]], ["07", "7"]),
        ([], []),
    ],
)
def test_contexts_sort_by_number_when_all_are_numbers(
    columns: list[list[str]], expected: list[str]
) -> None:
    assert vocabulary([pl.Series(column) for column in columns]) == expected
