from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save
from tests.content.conftest import catalog_of, grouped, kind_table

from recprism.content.encoder import Encoder
from recprism.content.projection import unit
from recprism.content.vectors import Content, build_content, encode_queries, encode_query
from recprism.data.dataset import Catalog, FloatArray, Links
from recprism.errors import UnknownName, UsageError

ANIMALS = ["cat", "dog", "horse", "cow", "sheep", "goat", "hen", "duck", "goose", "pig"]
TOOLS = ["hammer", "saw", "drill", "pliers", "screwdriver", "wrench", "chisel", "axe", "file"]
SHELF = [
    "Insulated mug for hot drinks",
    "Cordless drill with two batteries",
    "Wool scarf for winter",
    "Running shoes for women",
    "Cookbook of Italian pasta",
    "Children's tent for the garden",
    "Wireless headphones with noise canceling",
    "Bicycle helmet for adults",
    "Organic dog food with salmon",
]


@pytest.fixture(scope="module")
def shelf(encoder: Encoder) -> Content:
    """Nine texts: wishes are centered, item vectors are not projected."""
    return build_content(catalog_of(kind_table("things", 0, SHELF)), encoder, size=4)


@pytest.fixture(scope="module")
def farm(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Content:
    """19 texts projected to 4 numbers."""
    catalog = catalog_of(kind_table("things", 0, ANIMALS + TOOLS))
    return build_content(catalog, encoder, size=4, cache=tmp_path_factory.mktemp("cache"))


def lengths(vectors: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.norm(vectors, axis=-1), np.float32)


def test_few_texts_keep_the_vectors_of_the_encoder(breakfast: Catalog, encoder: Encoder) -> None:
    content = build_content(breakfast, encoder, size=32)
    milk = content.item[0]
    assert content.size == 384
    assert milk == pytest.approx(encoder.encode(["whole milk"])[0], abs=1e-3)
    assert content.text_row.tolist() == [0, 1, 2, 0, -1, -1, -1, -1]
    assert len(content.vectors) == 3


def test_linked_items_get_the_mean_of_what_they_link_to(
    breakfast: Catalog, encoder: Encoder
) -> None:
    item = build_content(breakfast, encoder, size=32).item
    assert item[5] == pytest.approx(unit(item[0] + item[1] + item[2]), abs=1e-6)
    assert item[7] == pytest.approx(item[5], abs=1e-6)


def test_items_of_which_nothing_is_known_stay_zero(breakfast: Catalog, encoder: Encoder) -> None:
    item = build_content(breakfast, encoder, size=32).item
    assert lengths(item) == pytest.approx([1, 1, 1, 1, 0, 1, 0, 1], abs=1e-5)


def test_an_item_with_its_own_text_does_not_borrow(encoder: Encoder) -> None:
    things = kind_table("things", 0, ["hammer", "cat"])
    links = {"shows": Links("shows", "things", grouped([[1]]))}
    ads = kind_table("ads", 2, ["hammer"], links=links)
    item = build_content(catalog_of(things, ads), encoder, size=32).item
    assert np.array_equal(item[2], item[0])


def test_many_texts_are_centered_and_whitened(farm: Content) -> None:
    assert farm.item.shape == (19, 4)
    assert lengths(farm.item) == pytest.approx(np.ones(19), abs=1e-5)
    raw = farm.vectors.astype(np.float32)
    spread = np.var((raw - farm.short.mean) @ farm.short.basis, axis=0)
    assert np.all(spread > 0.5)
    assert np.all(spread < 1.1)
    assert np.abs(raw @ raw.T).min() > 0.6 > np.abs(farm.item @ farm.item.T).min()


def test_the_projection_keeps_animals_apart_from_tools(farm: Content) -> None:
    cosines = farm.item @ farm.item.T
    within = cosines[:10, :10].mean()
    assert within > cosines[:10, 10:].mean() + 0.3


def test_items_are_projected_like_any_vector(farm: Content) -> None:
    again = farm.project(farm.vectors[farm.text_row].astype(np.float32))
    assert again == pytest.approx(farm.item, abs=1e-6)


def test_wishes_have_a_center_of_their_own(farm: Content) -> None:
    texts = farm.vectors.astype(np.float32)
    assert np.linalg.norm(texts.mean(axis=0) - farm.wish_center) > 0.05
    assert farm.wide.mean(axis=0) == pytest.approx(np.zeros(384), abs=0.02)


@pytest.mark.parametrize(
    ("wish", "best"),
    [
        ("headphones for listening to music", "Wireless headphones with noise canceling"),
        ("一把电钻", "Cordless drill with two batteries"),
        ("ein Zelt für Kinder", "Children's tent for the garden"),
        ("des chaussures pour courir", "Running shoes for women"),
        ("comida para mi perro", "Organic dog food with salmon"),
        ("cucinare come una nonna italiana", "Cookbook of Italian pasta"),
        ("ヘルメット", "Bicycle helmet for adults"),
    ],
)
def test_a_wish_in_any_language_finds_its_item(
    shelf: Content, encoder: Encoder, wish: str, best: str
) -> None:
    scores = shelf.wish_scores(encode_query(shelf, encoder, wish))
    assert SHELF[int(np.argmax(scores))] == best


def test_scores_of_some_items_are_those_of_all(farm: Content, encoder: Encoder) -> None:
    wish = encode_query(farm, encoder, "horse")
    some = np.array([3, 0, 18, 3], np.int32)
    assert farm.wish_scores(wish, some) == pytest.approx(farm.wish_scores(wish)[some], abs=1e-6)


def test_a_wish_scores_linked_items_by_their_mixture(breakfast: Catalog, encoder: Encoder) -> None:
    content = build_content(breakfast, encoder, size=32)
    scores = content.wish_scores(encode_query(content, encoder, "milk"))
    wish = encoder.encode(["milk"], is_query=True)[0]
    assert scores[:4] == pytest.approx(content.item[:4] @ wish, abs=1e-3)
    assert scores[5] == pytest.approx(content.item[5] @ wish, abs=1e-3)
    assert scores[7] == scores[5]
    assert (scores[4], scores[6]) == (0, 0)


def test_an_ad_shares_the_row_of_what_it_promotes(breakfast: Catalog, encoder: Encoder) -> None:
    content = build_content(breakfast, encoder, size=32)
    assert content.row.tolist() == [0, 1, 2, 0, -1, 3, -1, 3]
    assert len(content.wide) == 4


def test_empty_wishes_are_zero(farm: Content, encoder: Encoder) -> None:
    wishes = encode_queries(farm, encoder, ["", "  \n", "horse"])
    assert lengths(wishes) == pytest.approx([0, 0, 1], abs=1e-5)
    assert encode_queries(farm, encoder, []).shape == (0, 384)


@pytest.mark.parametrize("has_encoder", [True, False])
def test_without_texts_or_encoder_everything_is_zero(encoder: Encoder, has_encoder: bool) -> None:
    texts = [None, " "] if has_encoder else ["milk", "bread"]
    chosen = encoder if has_encoder else None
    content = build_content(catalog_of(kind_table("a", 0, texts)), chosen, size=8)
    assert not content.item.any()
    assert content.item.shape == (2, 8)
    assert content.text_row.tolist() == [-1, -1]
    assert not content.wish_scores(encode_query(content, chosen, "milk")).any()


def test_a_catalog_without_items_has_no_vectors(encoder: Encoder) -> None:
    content = build_content(catalog_of(kind_table("a", 0, [])), encoder, size=8)
    assert content.item.shape == (0, 8)


def test_arrays_survive_safetensors(farm: Content) -> None:
    again = Content.from_arrays(load(save(dict(farm.to_arrays()))))
    for name, array in again.to_arrays().items():
        assert np.array_equal(array, farm.to_arrays()[name]), name


def test_supplied_vectors_stand_beside_those_of_the_text(encoder: Encoder) -> None:
    catalog = catalog_of(kind_table("a", 0, ["milk", "bread", None]))
    photos = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    content = build_content(catalog, encoder, size=8, supplied={"a": photos})
    plain = build_content(catalog, encoder, size=8)
    assert content.size == plain.size + 2
    text_cosine = float(plain.item[0] @ plain.item[1])
    assert content.item[0] @ content.item[1] == pytest.approx((text_cosine + 1) / 2, abs=1e-5)
    assert content.item[0] @ content.item[2] == pytest.approx(0, abs=1e-6)
    wish = encode_query(content, encoder, "milk")
    assert content.wish_scores(wish) == pytest.approx(plain.wish_scores(wish), abs=1e-6)
    assert content.project(encoder.encode(["milk"])).shape == (1, content.size)


def test_supplied_vectors_alone_are_enough_and_flow_along_links() -> None:
    things = kind_table("a", 0, [None, None, None])
    ads = kind_table("b", 3, [None], links={"shows": Links("shows", "a", grouped([[0, 1]]))})
    photos = np.array([[2, 0], [0, 3], [np.nan, np.nan]], np.float32)
    content = build_content(catalog_of(things, ads), None, size=1, supplied={"a": photos})
    vectors = content.item[:, 1:]
    half = float(np.sqrt(0.5))
    assert vectors == pytest.approx(np.array([[1, 0], [0, 1], [0, 0], [half, half]]), abs=1e-6)


@pytest.mark.parametrize(
    ("supplied", "error", "message"),
    [
        ({"b": np.ones((2, 3))}, UnknownName, "no kind `b`; known: `a`"),
        ({"a": np.ones((4, 3))}, UsageError, r"of `a` have shape \[4, 3\], expected \[2, 3\]"),
        ({"a": np.ones((2, 3)), "c": np.ones((1, 5))}, UsageError, r"lengths \{'a': 3, 'c': 5\}"),
    ],
)
def test_supplied_vectors_that_do_not_fit_are_refused(
    supplied: Mapping[str, Any], error: type[Exception], message: str
) -> None:
    catalog = catalog_of(kind_table("a", 0, [None, None]), kind_table("c", 2, [None]))
    with pytest.raises(error, match=message):
        build_content(catalog, None, size=4, supplied=supplied)


def test_the_same_content_gives_the_same_vectors_cold_and_warm(
    encoder: Encoder, tmp_path: Path
) -> None:
    catalog = catalog_of(kind_table("things", 0, TOOLS))
    cold = build_content(catalog, encoder, size=2, cache=tmp_path)
    warm = build_content(catalog, encoder, size=2, cache=tmp_path)
    assert np.array_equal(cold.item, warm.item)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.lists(st.integers(0, 5), max_size=4), min_size=1, max_size=5),
    st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_the_sparse_mean_equals_a_plain_loop(links: list[list[int]], known: list[bool]) -> None:
    things = kind_table("a", 0, [None] * 6)
    ads = kind_table(
        "b", 6, [None] * len(links), links={"shows": Links("shows", "a", grouped(links))}
    )
    photos = np.eye(6, dtype=np.float32) * np.array(known)[:, None]
    item = build_content(catalog_of(things, ads), None, size=2, supplied={"a": photos}).item
    for row, targets in enumerate(links):
        total = sum((item[t] for t in set(targets)), np.zeros(item.shape[1], np.float32))
        expected = total / max(float(np.linalg.norm(total)), 1e-12)
        assert item[6 + row] == pytest.approx(expected, abs=1e-5)
