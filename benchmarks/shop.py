"""The grocery project that the benchmarks run on, and what must be said beside its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from recprism.data.times import to_micros
from recprism.evaluate.protocol import HoldOut
from recprism.project import FILE_NAME, Project, load_project
from recprism.project.templates import write_template

DEFAULT_FOLDER = Path("bench/grocery")
CAVEATS = (
    "Public grocery data, simulated from real patterns: it shows that the method works, not what "
    "it earns in a real shop.",
    "The coupon test is small, and one campaign (18, type A) gives 332 of its 386 sessions.",
    "In a type A campaign each household got an unknown 16 of the pool, so a coupon that was not "
    "redeemed may never have been shown.",
)


def open_shop(folder: Path) -> Project:
    """The project in `folder`, written from the template when there is none yet."""
    if not (folder / FILE_NAME).exists():
        write_template("grocery", folder)
    return load_project(folder)


def rolling_coupons(months: Sequence[int] = range(5, 13)) -> HoldOut:
    """Train before each month of 2017 and ask on its days with a redemption; the last month is
    followed to the end of the data."""
    times = tuple(to_micros(datetime(2017, month, 1)) for month in months)
    return HoldOut("coupons", times, by_event=True, k=5)
