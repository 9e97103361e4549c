from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.content.conftest import catalog_of, grouped, kind_table

from recprism.content.label_codes import NO_LABEL, LabelCodes
from recprism.content.links import linked_items
from recprism.data.dataset import Catalog, Links


def test_codes_name_the_labels_of_every_item(breakfast: Catalog) -> None:
    labels = LabelCodes.build(breakfast)
    assert labels.values == {"aisle": ["", "bakery", "dairy"]}
    assert labels.codes["aisle"].dtype == np.int32
    words = [labels.of(row).get("aisle") for row in range(5)]
    assert words == ["dairy", "dairy", "bakery", "dairy", None]


def test_linked_items_take_the_most_frequent_label_even_over_two_steps(breakfast: Catalog) -> None:
    labels = LabelCodes.build(breakfast)
    assert labels.of(5) == {"aisle": "dairy"}
    assert labels.of(6) == {}
    assert labels.of(7) == {"aisle": "dairy"}


def test_a_kind_with_the_label_keeps_its_gaps() -> None:
    things = kind_table("a", 0, [None], labels={"color": ["red"]})
    links = {"shows": Links("shows", "a", grouped([[0], [0]]))}
    ads = kind_table("b", 1, [None, None], labels={"color": ["blue", None]}, links=links)
    labels = LabelCodes.build(catalog_of(things, ads))
    assert [labels.of(row) for row in range(3)] == [{"color": "red"}, {"color": "blue"}, {}]


def test_empty_labels_count_as_none() -> None:
    labels = LabelCodes.build(catalog_of(kind_table("a", 0, [None] * 2, labels={"c": ["", "x"]})))
    assert labels.codes["c"].tolist() == [NO_LABEL, 1]


def test_a_catalog_without_labels_has_no_codes() -> None:
    assert LabelCodes.build(catalog_of(kind_table("a", 0, ["milk"]))) == LabelCodes({}, {})


def test_offers_bring_labels_of_their_own(breakfast: Catalog) -> None:
    labels = LabelCodes.of_offers(breakfast.kinds["coupons"])
    assert labels.values == {"campaign": ["", "A", "B"]}
    assert labels.codes["campaign"].tolist() == [1, 2]
    assert LabelCodes.of_offers(breakfast.kinds["products"]) == LabelCodes({}, {})


def test_links_by_offer_are_united_without_repeats(breakfast: Catalog) -> None:
    linked = linked_items(breakfast.kinds["coupons"])
    assert [linked.of(row).tolist() for row in range(2)] == [[0, 1, 2], []]


def test_several_links_of_one_kind_are_united() -> None:
    links = {
        "covers": Links("covers", "a", grouped([[3, 1], []])),
        "extends": Links("extends", "a", grouped([[1], [0, 0]])),
    }
    linked = linked_items(kind_table("b", 4, [None, None], links=links))
    assert [linked.of(row).tolist() for row in range(2)] == [[1, 3], [0]]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from(["x", "y", "z", None]), min_size=5, max_size=5),
    st.lists(st.lists(st.integers(0, 4), max_size=6), min_size=1, max_size=4),
)
def test_inherited_labels_equal_a_plain_count(
    own: list[str | None], links: list[list[int]]
) -> None:
    things = kind_table("a", 0, [None] * 5, labels={"c": own})
    ads = kind_table(
        "b", 5, [None] * len(links), links={"shows": Links("shows", "a", grouped(links))}
    )
    labels = LabelCodes.build(catalog_of(things, ads))
    for row, targets in enumerate(links):
        found = [own[t] for t in set(targets) if own[t] is not None]
        best = min(set(found), key=lambda v: (-found.count(v), v or ""), default=None)
        assert labels.of(5 + row).get("c") == best


def test_numbers_and_odd_words_are_labels_as_text() -> None:
    kind = kind_table("a", 0, [None] * 3, labels={"c": ["10", "9", "奶 '\""]})
    labels = LabelCodes.build(catalog_of(kind))
    assert [labels.of(row)["c"] for row in range(3)] == ["10", "9", "奶 '\""]


@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Int64])
def test_offer_labels_may_have_any_type(breakfast: Catalog, dtype: pl.DataType) -> None:
    kind = breakfast.kinds["coupons"]
    assert kind.offers is not None
    column = pl.Series("type", ["2", "1"]).cast(dtype)
    object.__setattr__(kind.offers, "labels", pl.DataFrame([column]))
    assert LabelCodes.of_offers(kind).codes["type"].tolist() == [2, 1]
