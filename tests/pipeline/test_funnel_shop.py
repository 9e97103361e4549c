"""A shop with a funnel, from the project file to the answer: view, cart, purchase."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from recprism.artifact import ArtifactShelf
from recprism.data.dataset import Dataset
from recprism.data.saved import save_dataset
from recprism.engine import Engine
from recprism.model import Model, open_model, save_model
from recprism.pipeline import Workspace, fit, prepare
from recprism.project import load_project
from recprism.testing.shops import MILK_BUYER, write_shop

VISITS = """
  - {source: data/visits.csv, user: user, kind: products, item: product, action_column: what,
     time: time}
"""


def write_funnel_shop(folder: Path) -> Path:
    """The small shop, in which who buys has viewed the product and mostly put it in the cart.

    Half the purchases follow a view of the next product as well, of which nothing comes.
    """
    path = write_shop(folder)
    with (path / "data" / "purchases.csv").open(encoding="utf-8", newline="") as file:
        bought = list(csv.DictReader(file))
    with (path / "data" / "visits.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["user", "product", "time", "what"])
        for n, row in enumerate(bought):
            product, user, time = row["product"], row["user"], row["time"]
            rows.writerow([user, product, time, "view"])
            if n % 5:
                rows.writerow([user, product, time, "cart"])
            if n % 2:
                rows.writerow([user, f"p{1 + (int(product[1:]) % 58):02}", time, "view"])
    text = (path / "recprism.yaml").read_text(encoding="utf-8")
    text = text.replace("\ntasks:", VISITS + "\ntasks:", 1)
    text = text.replace(
        "recommend: products, goal: purchase,",
        "recommend: products, goal: purchase, funnel: [view, cart],",
    )
    text = text.replace("ranker: {", "ranker: {architecture: ple, loss_weights: uncertainty, ")
    (path / "recprism.yaml").write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("funnel") / "shop"
    return prepare(load_project(write_funnel_shop(folder)))


@pytest.fixture(scope="module")
def model(workspace: Workspace) -> Model:
    return fit(workspace)


def test_a_list_gives_the_chance_of_every_action_of_the_funnel(model: Model) -> None:
    answer = Engine(model).recommend(MILK_BUYER, ["products", "coupons"])
    items = answer.lists["products"].items
    assert items
    for item in items:
        assert list(item.probability) == ["view", "cart", "purchase"]
        chances = list(item.probability.values())
        assert 1 > chances[0] >= chances[1] >= chances[2] > 0
        assert item.score == item.probability["purchase"]
        assert item.reason.text
    assert any(item.probability["view"] > item.probability["purchase"] for item in items)
    for coupon in answer.lists["coupons"].items:
        assert list(coupon.probability) == ["redeem"]


def test_of_a_stranger_only_the_goal_is_known(model: Model) -> None:
    items = Engine(model).recommend(None, ["products"]).lists["products"].items
    assert {tuple(item.probability) for item in items} == {("purchase",)}


def test_the_account_tells_gates_and_weights_of_losses(model: Model) -> None:
    account = json.loads(json.dumps(model.training))
    assert account["architecture"] == "ple"
    assert set(account["gates"]) == {"products", "coupons", "ads"}
    (level,) = account["gates"]["ads"]
    assert set(level) == {"ads 1", "ads 2", *(f"shared {i}" for i in range(1, 5))}
    assert all(found["loss_weight"] > 0 for found in account["tasks"].values())


def test_an_artifact_brings_the_funnel_back(
    workspace: Workspace, model: Model, tmp_path: Path
) -> None:
    shelf = ArtifactShelf(tmp_path)
    folder = shelf.new()
    save_dataset(Dataset(model.catalog, model.events, workspace.report), folder)
    save_model(model, folder)
    again = open_model(tmp_path / shelf.publish(folder, {}))
    wanted, found = (Engine(one).recommend(MILK_BUYER, ["products"]) for one in (model, again))
    assert found.lists["products"].items == wanted.lists["products"].items
    assert again.training["gates"] == model.training["gates"]
