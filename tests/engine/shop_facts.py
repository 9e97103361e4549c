"""The shop's tables in plain Python, to judge answers by: no code of the package is used."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from recprism.testing.shops import START

UNTIL = "2024-05-06"
"""Two weeks before the shop's data ends."""


@dataclass(frozen=True)
class Bought:
    user: str
    product: str
    time: datetime
    store: str


@dataclass(frozen=True)
class ShopFacts:
    """`mailed` user to campaigns, `campaigns` to (first, last day), `covers` (coupon, campaign) to
    products, `promoted` (store, week) to {product: (display, mailer)}."""

    bought: list[Bought]
    mailed: dict[str, set[str]]
    campaigns: dict[str, tuple[date, date]]
    covers: dict[tuple[str, str], set[str]]
    promoted: dict[tuple[str, int], dict[str, tuple[str, str]]]

    def of(self, user: str, before: datetime) -> list[Bought]:
        """A user's purchases before a moment, oldest first."""
        rows = [row for row in self.bought if row.user == user and row.time < before]
        return sorted(rows, key=lambda row: row.time)

    def coupons_for(self, user: str, at: datetime) -> set[str]:
        """Coupons of campaigns that were mailed to the user and run on that day."""
        found = set()
        for coupon, campaign in self.covers:
            first, last = self.campaigns[campaign]
            if campaign in self.mailed.get(user, set()) and first <= at.date() <= last:
                found.add(coupon)
        return found

    def ads_in(self, store: str, at: datetime) -> dict[str, tuple[str, str]]:
        """Product to placement of the ads of a store in the week of a moment."""
        return self.promoted.get((store, (at - START) // timedelta(weeks=1) + 1), {})

    def usual_store(self, user: str | None, before: datetime) -> str:
        """A user's most frequent store; of somebody without purchases, the busiest one."""
        mine = self.of(user, before) if user is not None else []
        rows = mine or self.bought
        counts = Counter(row.store for row in rows)
        return min(counts, key=lambda store: (-counts[store], store))


def read_facts(folder: Path) -> ShopFacts:
    def rows(name: str) -> list[dict[str, str]]:
        with (folder / "data" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    mailed: dict[str, set[str]] = defaultdict(set)
    for row in rows("mailings"):
        mailed[row["user"]].add(row["campaign"])
    covers: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows("coupons"):
        covers[row["coupon"], row["campaign"]].add(row["product"])
    promoted: dict[tuple[str, int], dict[str, tuple[str, str]]] = defaultdict(dict)
    for row in rows("promotions"):
        place = (row["display"], row["mailer"])
        promoted[row["store"], int(row["week"])][row["product"]] = place
    return ShopFacts(
        [
            Bought(r["user"], r["product"], datetime.fromisoformat(r["time"]), r["store"])
            for r in rows("purchases")
        ],
        dict(mailed),
        {
            row["campaign"]: (
                date.fromisoformat(row["first_day"]),
                date.fromisoformat(row["last_day"]),
            )
            for row in rows("campaigns")
        },
        dict(covers),
        dict(promoted),
    )
