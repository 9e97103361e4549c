from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from recprism.data.dataset import FloatArray
from recprism.errors import UnknownName
from recprism.profiles import segments as segments_module
from recprism.profiles.segment_names import name_segments
from recprism.profiles.segments import Segments, label_shares
from recprism.profiles.words import words_of

LABELS = ["DIAPERS", "BABY FOOD", "BEER", "Frozen Pizza", "MILK"]


def two_crowds(n: int = 40) -> tuple[FloatArray, FloatArray]:
    """Parents and students by turns: taste [n, 3] and label shares [n, 5]; all buy milk."""
    rng = np.random.default_rng(0)
    parent = np.arange(n) % 2 == 0
    taste = np.where(parent[:, None], [1.0, 0, 0.1], [0, 1.0, 0.1]) * rng.uniform(0.1, 9, (n, 1))
    share = np.where(parent[:, None], [0.3, 0.2, 0, 0, 0.5], [0, 0, 0.3, 0.2, 0.5])
    return taste.astype(np.float32), share.astype(np.float32)


def fit(
    taste: FloatArray,
    share: FloatArray,
    *,
    n: int = 2,
    traits: pl.DataFrame | None = None,
    labels: Sequence[str] = LABELS,
    language: str = "en",
    least: int = 1,
) -> Segments:
    return Segments.fit(
        taste,
        pl.DataFrame() if traits is None else traits,
        n=n,
        seed=0,
        label_share=share,
        label_names=labels,
        language=language,
        least=least,
    )


def test_two_crowds_are_found_whatever_they_spend_and_named_by_what_sets_them_apart() -> None:
    segments = fit(*two_crowds())
    assert segments.sizes.tolist() == [20, 20]
    assert len(set(segments.of_user[::2].tolist())) == 1
    assert segments.of_user[0] != segments.of_user[1]
    parents, students = segments.of_user[:2]
    assert segments.names[parents] == "Diapers and baby food"
    assert segments.names[students] == "Beer and Frozen Pizza"


def test_a_segment_of_few_is_merged_into_the_nearest_one() -> None:
    taste, share = two_crowds()
    few = np.array([[0.5, -1.0, 0.1]] * 3, np.float32)  # nearer to the parents
    taste, share = (
        np.concatenate([taste, few]),
        np.concatenate([share, share[:1].repeat(3, axis=0)]),
    )
    apart = fit(taste, share, n=3)
    assert apart.sizes.tolist() == [20, 20, 3]
    merged = fit(taste, share, n=3, least=4)
    assert merged.sizes.tolist() == [23, 20]
    assert merged.of_user[-1] == merged.of_user[0]
    assert len(fit(taste, share, n=3, least=99)) == 1


def test_a_newcomer_joins_the_nearest_segment_at_any_length_of_taste() -> None:
    segments = fit(*two_crowds())
    for scale in (0.01, 100.0):
        taste = np.array([1.0, 0.2, 0], np.float32) * scale
        assert segments.assign(taste) == segments.of_user[0]


def test_the_same_seed_gives_the_same_segments() -> None:
    rng = np.random.default_rng(1)
    taste, share = rng.normal(size=(50, 6)).astype(np.float32), rng.random((50, 5))
    one, two = (fit(taste, share.astype(np.float32), n=7) for _ in range(2))
    assert np.array_equal(one.of_user, two.of_user)
    assert one.names == two.names


def test_segments_are_numbered_by_size() -> None:
    taste = np.array([[1, 0]] * 3 + [[0, 1]] * 5, np.float32)
    segments = fit(taste, np.zeros((8, 5), np.float32))
    assert segments.sizes.tolist() == [5, 3]
    assert segments.of_user.tolist() == [1, 1, 1, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("n_users", [0, 1, 2])
def test_fewer_users_than_segments_work(n_users: int) -> None:
    taste, share = two_crowds(n_users)
    segments = fit(taste, share, n=12)
    assert len(segments) == n_users == len(set(segments.names))
    assert segments.centroids.shape == (n_users, 3)
    assert segments.assign(np.ones(3, np.float32)) in ([-1] if n_users == 0 else range(n_users))


def test_users_who_are_all_alike_are_one_segment() -> None:
    segments = fit(np.zeros((9, 3), np.float32), np.zeros((9, 5), np.float32), n=4)
    assert segments.names == ("All-round",)
    assert segments.sizes.tolist() == [9]


def test_traits_settle_what_taste_leaves_open() -> None:
    traits = pl.DataFrame({"age": ["young", "old"] * 10, "city": [None] * 20})
    nothing = np.zeros((20, 0), np.float32)
    segments = fit(np.zeros((20, 3), np.float32), nothing, traits=traits, labels=[])
    assert segments.of_user[0] != segments.of_user[1]
    assert sorted(segments.names) == ["age old", "age young"]


def test_names_are_distinct_even_when_nothing_sets_segments_apart() -> None:
    share = np.full((3, 2), 0.5, np.float32)
    names = name_segments(share, share.mean(axis=0), ["A", "B"], words_of("zh"))
    assert names == ("综合", "综合 2", "综合 3")


def test_chinese_names_join_labels_with_the_chinese_word() -> None:
    names = fit(*two_crowds(), language="zh").names
    assert "Diapers和baby food" in names


def test_a_language_without_words_is_refused() -> None:
    with pytest.raises(UnknownName, match=r"no language `fr`; known: `en`, `zh`"):
        fit(*two_crowds(), language="fr")


def test_many_users_go_through_mini_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments_module, "MANY_USERS", 100)
    segments = fit(*two_crowds(400))
    assert segments.sizes.tolist() == [200, 200]


def test_arrays_survive_safetensors() -> None:
    segments = fit(*two_crowds())
    again = Segments.from_arrays(load(save(dict(segments.to_arrays()))), segments.names)
    assert again.names == segments.names
    assert np.array_equal(again.centroids, segments.centroids)
    assert np.array_equal(again.of_user, segments.of_user)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=40))
def test_label_shares_of_a_user_sum_to_one_or_are_empty(rows: list[tuple[int, int]]) -> None:
    user, code = (np.array([row[i] for row in rows], np.int32) for i in range(2))
    shares = label_shares(user, code, 4, 5)
    for row in range(4):
        labelled = [c for u, c in rows if u == row and c]
        expected = [labelled.count(c) / max(len(labelled), 1) for c in range(1, 5)]
        assert shares[row] == pytest.approx(expected, abs=1e-6)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 8), st.integers(1, 5), st.integers(0, 1000))
def test_every_user_has_one_segment_and_every_name_is_new(n_users: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    taste = rng.normal(size=(n_users, 2)).astype(np.float32)
    segments = fit(taste, rng.random((n_users, 5)).astype(np.float32), n=n)
    assert segments.of_user.shape == (n_users,)
    assert int(segments.sizes.sum()) == n_users
    assert len(set(segments.names)) == len(segments) <= n
