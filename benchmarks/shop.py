"""The grocery project that the benchmarks run on, and what must be said beside its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from recprism.data.times import to_micros
from recprism.evaluate.protocol import HoldOut
from recprism.project import FILE_NAME, Project, load_project
from recprism.project.templates import write_template

DEFAULT_FOLDER = Path("bench/grocery")
MONTHS = tuple(datetime(2017, month, 1) for month in range(5, 13))
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


def rolling_coupons(months: Sequence[datetime] = MONTHS) -> HoldOut:
    """Train before each month and ask on its days with a redemption.

    The last month is followed to the end of the data.
    """
    return HoldOut("coupons", tuple(to_micros(month) for month in months), by_event=True, k=5)


def with_hold_outs(project: Project, folder: Path, hold_outs: dict[str, Any]) -> Path:
    """The same project in `folder`, with other hold-outs; data and caches are shared by links.

    `hold_outs` is the section `evaluate` as the project file spells it. An earlier project file
    there is replaced.
    """
    yaml = YAML()
    spec = yaml.load(project.file)
    spec["evaluate"] = hold_outs
    cache = project.path / ".recprism" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    (folder / ".recprism").mkdir(parents=True, exist_ok=True)
    for shared in ("data", ".recprism/cache"):
        if not (folder / shared).is_symlink():
            (folder / shared).symlink_to((project.path / shared).resolve())
    yaml.dump(spec, folder / FILE_NAME)
    return folder
