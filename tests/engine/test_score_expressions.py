"""A list ordered by an expression, from the project file to the explanation."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from tests.pipeline.test_funnel_shop import write_funnel_shop
from typer.testing import CliRunner

from recprism.cli.app import app
from recprism.data.check import check_data
from recprism.engine import Engine, open_engine
from recprism.model import Model
from recprism.pipeline import train
from recprism.project import load_project
from recprism.records import RankedItem
from recprism.testing.shops import END, MILK_BUYER

pytestmark = pytest.mark.slow
UNKNOWN, FREE = "p01", "p02"
MARGINS = {f"p{n:02}": float(1 + n % 7) for n in range(1, 61)} | {FREE: 0.0}


def write_margins(folder: Path, **cells: str) -> None:
    """A column `eur` in the table of products; `UNKNOWN` has none."""
    file = folder / "data" / "products.csv"
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        row["eur"] = "" if row["product"] == UNKNOWN else str(MARGINS[row["product"]])
        row["eur"] = cells.get(row["product"], row["eur"])
    with file.open("w", encoding="utf-8", newline="") as lines:
        table = csv.DictWriter(lines, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_funnel_shop(tmp_path_factory.mktemp("scored") / "shop")
    write_margins(path)
    text = (path / "recprism.yaml").read_text(encoding="utf-8")
    text = text.replace("family: family}", "family: family}\n    numbers: {margin: eur}")
    text = text.replace("goal: purchase, funnel", "goal: purchase, score: SCORE, funnel")
    text = text.replace("via: promotes\n", "via: promotes\n    score: margin * purchase\n")
    text = text.replace("SCORE", "purchase * margin + view / 100")
    (path / "recprism.yaml").write_text(text, encoding="utf-8")
    train(load_project(path))
    return path


@pytest.fixture(scope="module")
def engine(folder: Path) -> Engine:
    return open_engine(folder)


def items_of(engine: Engine, task: str, size: int = 60) -> tuple[RankedItem, ...]:
    return engine.recommend(MILK_BUYER, [task], size=size, at=END).lists[task].items


def with_score(engine: Engine, score: str | None) -> Engine:
    """The same model with another score of the products."""
    model: Model = engine.model
    products = model.project.tasks["products"].model_copy(update={"score": score})
    tasks = {**model.project.tasks, "products": products}
    return Engine(replace(model, project=model.project.model_copy(update={"tasks": tasks})))


def test_scores_are_the_expression_of_the_probabilities_and_lists_in_its_order(
    engine: Engine,
) -> None:
    items = items_of(engine, "products")
    scores = [item.score for item in items]
    assert scores == sorted(scores, reverse=True)
    for item in items:
        if item.id != UNKNOWN:
            chance = item.probability
            expected = chance["purchase"] * MARGINS[item.id] + chance["view"] / 100
            assert item.score == pytest.approx(expected, rel=1e-6)
        assert sum(e.share for e in item.reason.evidence) == pytest.approx(1)
    usual = items_of(with_score(engine, None), "products")
    assert {item.id for item in usual} == {item.id for item in items}
    assert [item.id for item in usual] != [item.id for item in items]
    assert {i.id: i.probability for i in usual} == {i.id: i.probability for i in items}


def test_an_item_without_the_number_is_last_with_the_lowest_score(engine: Engine) -> None:
    items = items_of(engine, "products")
    assert items[-1].id == UNKNOWN
    assert items[-1].score == items[-2].score


def test_equal_scores_stay_in_the_order_of_the_probability(engine: Engine) -> None:
    usual = [item.id for item in items_of(with_score(engine, None), "products")]
    for score in ("1", "0 * purchase", "log(-1)", "purchase * 2 - 1"):
        assert [item.id for item in items_of(with_score(engine, score), "products")] == usual


def test_an_ad_counts_the_number_of_the_product_that_it_promotes(engine: Engine) -> None:
    items = items_of(engine, "ads")
    assert items
    for item in items:
        if item.id != UNKNOWN:
            expected = item.probability["purchase"] * MARGINS[item.id]
            assert item.score == pytest.approx(expected, rel=1e-6)


def test_a_stranger_gets_popularity_in_place_of_the_probability(engine: Engine) -> None:
    answer = with_score(engine, "purchase * margin").recommend(None, ["products"], size=9, at=END)
    for item in answer.lists["products"].items:
        assert item.score == pytest.approx(item.probability["purchase"] * MARGINS[item.id])
    # Nothing is known of a stranger's views: the usual order.
    by_view = with_score(engine, "view").recommend(None, ["products"], size=9, at=END)
    usual = with_score(engine, None).recommend(None, ["products"], size=9, at=END)
    assert by_view.lists["products"].items == usual.lists["products"].items


def test_an_explanation_shows_the_expression_and_its_values(engine: Engine, folder: Path) -> None:
    item = items_of(engine, "products")[0]
    found = engine.explain(MILK_BUYER, "products", item.id, at=END)
    assert found.rank == 1
    assert found.to_dict()["formula"] == {
        "expression": "purchase * margin + view / 100",
        "values": {
            "purchase": pytest.approx(item.probability["purchase"], abs=1e-6),
            "margin": MARGINS[item.id],
            "view": pytest.approx(item.probability["view"], abs=1e-6),
        },
    }
    lost = engine.explain(MILK_BUYER, "products", UNKNOWN, at=END).to_dict()
    assert lost["formula"]["values"]["margin"] is None
    plain = engine.explain(MILK_BUYER, "coupons", "c-milk", at=END).to_dict()
    assert plain["formula"] is None
    options = ["--user", MILK_BUYER, "--task", "products", "--item", UNKNOWN]
    said = CliRunner().invoke(app, ["explain", str(folder), *options])
    assert "= purchase * margin + view / 100  (purchase 0." in said.output
    assert "margin unknown" in said.output


def test_check_names_the_cell_that_is_no_number(tmp_path: Path, folder: Path) -> None:
    path = write_funnel_shop(tmp_path / "shop")
    write_margins(path, p03="dear")
    (path / "recprism.yaml").write_text((folder / "recprism.yaml").read_text(encoding="utf-8"))
    problems = [str(problem) for problem in check_data(load_project(path))]
    assert len(problems) == 1
    assert "row 3" in problems[0]
    assert "holds `dear`, a number is expected." in problems[0]
