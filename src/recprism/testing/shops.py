"""A small shop with known answers: 40 users, 60 products, coupons and ads over twenty weeks.

What a recommender must find in it, and a test may rely on:

* `MILK_BUYER` buys `MILK` every Monday at 09:00, and nothing else as regularly.
* The coupon `MILK_COUPON` covers only the three kinds of milk; its campaign is mailed to the users
  of `MAILED` alone. The coupon `PANTRY_COUPON` covers only pantry products and is mailed to others.
* Every ad is shown in one of two stores in one week, on a display, in the mailer or in both.
* `STRANGE_USER` has quotes and an animal in the id, `0012` begins with zeros, ten users have no row
  in the table of users, and two products were never sold.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

START: Final = datetime(2024, 1, 1)
"""The first moment of the data, a Monday."""
WEEKS: Final = 20
END: Final = START + timedelta(weeks=WEEKS)
"""No event is at or after this moment."""

MILK_BUYER: Final = "mia"
STRANGE_USER: Final = 'Zoë "the 🦊" O\'Hara'
MILK: Final = "p01"
MILKS: Final = ("p01", "p02", "p03")
NEVER_SOLD: Final = ("p59", "p60")
MILK_COUPON: Final = "c-milk"
PANTRY_COUPON: Final = "c-pantry"
MAILED: Final = (MILK_BUYER, STRANGE_USER, "u03", "u04", "u05", "u06")
"""Who got the campaign of the milk coupon."""
STORES: Final = ("1", "2")

_DEPARTMENTS: Final = {
    "dairy": "milk milk milk yogurt butter cheese cream kefir curd ghee",
    "bakery": "bread rolls bagels cake cookies toast pita scones pie naan",
    "produce": "apples bananas pears grapes lemons carrots onions kale",
    "pantry": "rice pasta beans flour sugar salt oil vinegar oats honey",
    "drinks": "coffee tea juice cola water cocoa cider soda tonic mate",
    "home": "soap sponges candles foil napkins bags matches bulbs",
    "pets": "cat-food dog-food bird-seed cat-litter",
}
_VARIANTS: Final = {"p01": "whole", "p02": "low fat", "p03": "lactose free"}

PROJECT: Final = """\
project: shop
language: en
timezone: Europe/Berlin
clock: data

users:
  source: data/users.csv
  id: user
  traits: [age, household]

items:
  products:
    source: data/products.csv
    id: product
    text: [name, department]
    labels: {department: department, family: family}
  coupons:
    source: data/coupons.csv
    id: coupon
    rows: links
    offer: campaign
    links: {covers: {kind: products, column: product}}
    audience:
      source: data/mailings.csv
      user: user
      offer: campaign
      window: {source: data/campaigns.csv, offer: campaign, from: first_day, until: last_day,
               inclusive: true, labels: {campaign_type: type}}
  ads:
    source: data/promotions.csv
    id: product
    rows: offers
    links: {promotes: {kind: products, column: product}}
    available:
      store: store
      period: {column: week, first: 2024-01-01T00:00, every: 7d, timezone: UTC}
    placement: [display, mailer]

events:
  - {source: data/purchases.csv, user: user, kind: products, item: product, action: purchase,
     time: time, value: price, session: basket, context: {store: store}}
  - {source: data/redemptions.csv, user: user, kind: coupons, item: coupon, offer: campaign,
     action: redeem, time: day}

tasks:
  products: {recommend: products, goal: purchase, horizon: 7d, size: 10}
  coupons: {recommend: coupons, goal: redeem, horizon: 1d, size: 3, ask: events}
  ads:
    recommend: ads
    goal: purchase
    via: promotes
    horizon: 7d
    size: 6
    slots:
      front: {count: 1, when: {display: ["1"]}}
      mailer: {count: 2, when: {mailer: {not: "0"}}}

profiles: {taste_size: 8, segments: 3}
ranker: {hidden: [16, 8], embedding_size: 2, epochs: 3, snapshots: 4, batch_size: 32}

evaluate:
  products: {until: [2024-05-06], at: until, k: 10}
  coupons: {until: [2024-04-01], at: events, k: 3}
  ads: {until: [2024-05-06], at: until, k: 6}
"""

Row = Sequence[object]


def write_shop(directory: Path | str, *, seed: int = 0) -> Path:
    """Write the shop's project file and its CSV files into `directory` and return it.

    The same seed gives the same bytes.
    """
    folder = Path(directory)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    (folder / "recprism.yaml").write_text(PROJECT, encoding="utf-8")
    rng = random.Random(seed)
    purchases = _purchases(rng)
    tables: dict[str, tuple[str, Iterable[Row]]] = {
        "users": ("user,age,household", _user_rows(rng)),
        "products": ("product,name,department,family", _product_rows()),
        "coupons": ("coupon,campaign,product", _coupon_rows()),
        "mailings": ("user,campaign", _mailing_rows()),
        "campaigns": ("campaign,type,first_day,last_day", _campaign_rows()),
        "promotions": ("product,store,week,display,mailer", _promotion_rows(rng)),
        "purchases": ("user,product,time,price,basket,store", purchases),
        "redemptions": ("user,coupon,campaign,day", _redemption_rows(rng)),
    }
    for name, (header, rows) in tables.items():
        with (folder / "data" / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header.split(","))
            writer.writerows(rows)
    return folder


def shop_users() -> list[str]:
    """Ids of all 40 users; the last ten have no row in the table of users."""
    return [MILK_BUYER, STRANGE_USER, "0012", *(f"u{n:02}" for n in range(3, 40))]


def shop_products() -> dict[str, tuple[str, str]]:
    """Name and department of all 60 products by id."""
    named = [(name, dep) for dep, names in _DEPARTMENTS.items() for name in names.split()]
    ids = [f"p{n:02}" for n in range(1, len(named) + 1)]
    return {
        product: (f"{_VARIANTS[product]} {name}" if product in _VARIANTS else name, department)
        for product, (name, department) in zip(ids, named, strict=True)
    }


def _user_rows(rng: random.Random) -> list[Row]:
    return [
        (user, rng.choice(["18-34", "35-54", "55+"]), rng.randint(1, 5))
        for user in shop_users()[:30]
    ]


def _product_rows() -> list[Row]:
    return [
        (product, name, department, name.split()[-1])
        for product, (name, department) in shop_products().items()
    ]


def _coupon_rows() -> list[Row]:
    products = shop_products()
    pantry = [product for product, (_, department) in products.items() if department == "pantry"]
    rows: list[Row] = [(MILK_COUPON, "7", product) for product in MILKS]
    rows += [(PANTRY_COUPON, "8", product) for product in pantry]
    rows += [("c-home", "8", product) for product in list(products)[48:56]]
    # The same coupon covers something else in another campaign.
    rows += [("c-home", "7", product) for product in list(products)[56:60]]
    return rows


def _mailing_rows() -> list[tuple[str, str]]:
    others = [user for user in shop_users() if user not in MAILED][:24]
    return [(user, "7") for user in MAILED] + [(user, "8") for user in others]


def _campaign_rows() -> list[Row]:
    return [
        ("7", "A", "2024-02-05", (END - timedelta(days=1)).date().isoformat()),
        ("8", "B", "2024-03-04", (END - timedelta(days=1)).date().isoformat()),
    ]


def _promotion_rows(rng: random.Random) -> list[Row]:
    """One week more than there are events, so that ads can be asked for at the end."""
    rows: list[Row] = []
    products = list(shop_products())
    for week in range(1, WEEKS + 2):
        for store in STORES:
            for product in rng.sample(products[:58], 12):
                display, mailer = rng.choice([(1, "0"), (3, "A"), (0, "A"), (0, "D"), (1, "A")])
                rows.append((product, store, week, display, mailer))
    return rows


def _purchases(rng: random.Random) -> list[Row]:
    """Three to six favorites a user, each bought in its own rhythm, and a few surprises."""
    rows: list[tuple[str, str, datetime]] = [
        (MILK_BUYER, MILK, START + timedelta(weeks=week, hours=9)) for week in range(WEEKS)
    ]
    others = [product for product in shop_products() if product not in MILKS + NEVER_SOLD]
    for user in shop_users():
        favorites = rng.sample(others, rng.randint(3, 6))
        if user in MAILED[1:]:
            favorites.append(MILKS[MAILED.index(user) % 3])
        for product in favorites:
            rhythm = rng.uniform(9, 24)
            day = rng.uniform(0, rhythm)
            while day < 7 * WEEKS:
                rows.append((user, product, _at(rng, day)))
                day += rhythm * rng.uniform(0.6, 1.4)
        surprises = rng.sample(others, 4)
        rows += [(user, product, _at(rng, rng.uniform(0, 7 * WEEKS))) for product in surprises]
    rows.sort(key=lambda row: row[2])
    prices = {product: round(rng.uniform(0.5, 9.5), 2) for product in shop_products()}
    stores = {user: rng.choice(STORES) for user in shop_users()}
    return [
        (user, product, time.isoformat(), prices[product], _basket(user, time), stores[user])
        for user, product, time in rows
    ]


def _at(rng: random.Random, day: float) -> datetime:
    return START + timedelta(days=int(day), hours=rng.randint(8, 19), minutes=rng.randint(0, 59))


def _basket(user: str, time: datetime) -> str:
    return f"{time:%m%d}-{shop_users().index(user):02}"


def _redemption_rows(rng: random.Random) -> list[Row]:
    rows: list[tuple[str, str, str, datetime]] = []
    for user in MAILED:
        for week in range(6, WEEKS, 2):
            day = START + timedelta(weeks=week, days=rng.randint(0, 4))
            rows.append((user, MILK_COUPON, "7", day))
    for user, campaign in [row for row in _mailing_rows() if row[1] == "8"]:
        for week in rng.sample(range(10, WEEKS), 3):
            day = START + timedelta(weeks=week, days=rng.randint(0, 4))
            coupon = PANTRY_COUPON if rng.random() < 0.8 else "c-home"
            rows.append((user, coupon, campaign, day))
    rows.sort(key=lambda row: row[3])
    return [(user, coupon, campaign, f"{day:%Y-%m-%d}") for user, coupon, campaign, day in rows]
