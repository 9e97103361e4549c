"""Items without a label get one from their kind, and given labels stay what they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from tests.content.conftest import catalog_of, kind_table

from recprism.content.encoder import Encoder
from recprism.content.label_codes import LabelCodes
from recprism.content.label_items import guess_items, rows_of
from recprism.content.label_model import HEAD_FROM
from recprism.content.vectors import Content, build_content
from recprism.data.dataset import Catalog

FRUIT = ["apples", "pears", "grapes", "plums", "cherries", "peaches"]
TOOLS = ["hammer", "pliers", "wrench", "handsaw", "chisel", "drill"]


def shop(
    encoder: Encoder, texts: Sequence[str | None], labels: Sequence[str | None]
) -> tuple[Catalog, Content]:
    catalog = catalog_of(kind_table("goods", 0, texts, labels={"shelf": labels}))
    return catalog, build_content(catalog, encoder, size=8)


@pytest.fixture
def partly(encoder: Encoder) -> tuple[Catalog, Content]:
    texts = [*FRUIT, *TOOLS, "oranges", "screwdriver", "apples", None]
    return shop(encoder, texts, [*["fruit"] * 6, *["tools"] * 6, None, None, None, None])


def test_unlabelled_items_are_guessed_and_given_labels_stay(
    partly: tuple[Catalog, Content], encoder: Encoder
) -> None:
    catalog, content = partly
    found, (said,) = guess_items(catalog, content, encoder, 0.2)
    table = found.kinds["goods"].table
    assert table["label:shelf"].equals(catalog.kinds["goods"].table["label:shelf"])
    assert table["guess:shelf"].to_list() == [None] * 12 + ["fruit", "tools", "fruit", None]
    sure = table["confidence:shelf"].to_list()
    assert sure[:12] == [None] * 12
    assert sure[14] == 1.0  # another item with these words is labelled
    assert sure[15] is None
    assert said == {
        "kind": "goods",
        "label": "shelf",
        "missing": 4,
        "guessed": 3,
        "unknown": 0,
        "basis": "examples",
    }


def test_later_stages_see_guesses_as_labels(
    partly: tuple[Catalog, Content], encoder: Encoder
) -> None:
    catalog, content = partly
    found, _ = guess_items(catalog, content, encoder, 0.2)
    codes = LabelCodes.build(found)
    assert codes.of(12) == {"shelf": "fruit"}
    assert codes.of(15) == {}
    assert LabelCodes.build(catalog).of(12) == {}


def test_a_text_that_fits_nothing_well_enough_stays_without(
    partly: tuple[Catalog, Content], encoder: Encoder
) -> None:
    catalog, content = partly
    found, (said,) = guess_items(catalog, content, encoder, 1.0)
    assert found.kinds["goods"].table["guess:shelf"].drop_nulls().to_list() == ["fruit"]
    assert (said["guessed"], said["unknown"]) == (1, 2)
    assert 0 < found.kinds["goods"].table["confidence:shelf"][12] < 1


def test_enough_labelled_texts_teach_a_head(encoder: Encoder) -> None:
    fruit = [f"{how}{word}" for how in ("", "fresh ", "ripe ") for word in FRUIT]
    tools = [f"{how}{word}" for how in ("", "steel ", "new ") for word in TOOLS]
    assert len(fruit + tools) >= HEAD_FROM
    labels = [*["fruit"] * len(fruit), *["tools"] * len(tools), None, None]
    catalog, content = shop(encoder, [*fruit, *tools, "lemons", "screwdriver"], labels)
    found, (said,) = guess_items(catalog, content, encoder, 0.5)
    assert said["basis"] == "head"
    assert found.kinds["goods"].table["guess:shelf"].to_list()[-2:] == ["fruit", "tools"]


def test_nothing_is_learned_where_nothing_is_missing(encoder: Encoder) -> None:
    catalog, content = shop(encoder, ["milk", "saw"], ["food", "tools"])
    found, said = guess_items(catalog, content, encoder, 0.35)
    assert said == []
    assert found.kinds["goods"].table.columns == catalog.kinds["goods"].table.columns


@pytest.mark.parametrize("labels", [["food", None], [None, None]])
def test_fewer_than_two_labels_leave_nothing_to_choose(
    encoder: Encoder, labels: list[str | None]
) -> None:
    catalog, content = shop(encoder, ["milk", "saw"], labels)
    assert guess_items(catalog, content, encoder, 0.0)[1] == []
    assert guess_items(catalog, content, None, 0.0) == (catalog, [])


def test_a_text_counts_once_with_its_most_frequent_label(encoder: Encoder) -> None:
    texts = ["milk", "milk", "milk", "saw", "milk", "tea"]
    labels = ["food", "tools", "food", "tools", None, None]
    catalog, content = shop(encoder, texts, labels)
    rows = rows_of(catalog.kinds["goods"], "shelf", content, encoder)
    assert rows is not None
    assert rows.label.tolist() == [0, 1]  # milk, saw
    assert rows.text_row.tolist() == [content.text_row[row] for row in (0, 3, 5)]
    assert len(rows.unlabelled) == 1


def test_blank_labels_are_missing_labels(encoder: Encoder) -> None:
    catalog, content = shop(encoder, [*FRUIT, *TOOLS, "lemons"], [*["a"] * 6, *["b"] * 6, ""])
    found, _ = guess_items(catalog, content, encoder, 0.0)
    kind = found.kinds["goods"]
    assert kind.label("shelf")[12] == "a"
    blank = replace(kind, table=kind.table.with_columns(pl.lit(None).alias("guess:shelf")))
    assert blank.label("shelf").null_count() == 1
    assert np.array_equal(LabelCodes.build(catalog_of(blank)).codes["shelf"][:1], [1])
