"""Offers by plain loops over rows of text: the slow twin of `recprism.data.offers`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

Shown = tuple[str, str, datetime, datetime, tuple[str, ...]]
"""An item, a store, from when until when, and the placements."""


def promotions(
    rows: Iterable[tuple[str, str, str, str]], first: datetime, zone: str
) -> tuple[set[Shown], int]:
    """What rows of (item, store, week, display) allow, and how many rows cannot be used."""
    shown: set[Shown] = set()
    unusable = 0
    for item, store, week, display in rows:
        if not (item and store and week.lstrip("-").isdigit()):
            unusable += 1
            continue
        bounds = []
        for step in (int(week) - 1, int(week)):
            local = (first + step * timedelta(days=7)).replace(tzinfo=ZoneInfo(zone))
            bounds.append(local.astimezone(ZoneInfo("UTC")).replace(tzinfo=None))
        shown.add((item, store, bounds[0], bounds[1], (display,)))
    return shown, unusable


def covers(
    rows: Iterable[tuple[str, str, str]], products: set[str]
) -> dict[tuple[str, str], set[str]]:
    """What each (campaign, coupon) covers, from rows of (coupon, campaign, product)."""
    found: dict[tuple[str, str], set[str]] = {}
    for coupon, campaign, product in rows:
        if coupon and campaign:
            covered = found.setdefault((campaign, coupon), set())
            if product in products:
                covered.add(product)
    return found
