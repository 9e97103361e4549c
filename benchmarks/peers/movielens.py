"""MovieLens in RecBole's file format as a sequence file and its item table.

`*.inter` has the columns `user_id item_id rating timestamp`, `*.item` the columns `item_id
movie_title release_year class` (genres apart by spaces). Every rating counts as an event, whatever
its value. Users rate many films in one second: ratings of the same time stay in the order of the
file, so the test item of such a user hangs on that order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.sequence_files import COLUMNS, BadFile

INTER = ("user_id", "item_id", "rating", "timestamp")
ITEM = ("item_id", "movie_title", "release_year", "class")
SEQUENCES, ITEMS = "sequences.txt", "items.tsv"


@dataclass(frozen=True)
class Converted:
    """The files that `convert` wrote. Of `users` so many are `tied`: one of their two held-out
    ratings shares its second with another, so that the order of the file chose between them."""

    sequences: Path
    items: Path
    users: int
    tied: int


def convert(folder: Path, target: Path) -> Converted:
    """Write the sequence file and `ITEMS.tsv` of a MovieLens folder into `target`.

    Raises `BadFile` unless the folder holds one `*.inter` and one `*.item` file with the columns
    above.
    """
    ratings = _rows(_only(folder, "inter"), INTER)
    films = _rows(_only(folder, "item"), ITEM)
    events: dict[str, list[tuple[float, str]]] = {}
    for user, item, _, time in ratings:
        events.setdefault(user, []).append((_number(folder, time), item))
    lines, tied = [], 0
    for user, own in events.items():
        own.sort(key=lambda event: event[0])  # stable: ties stay in the order of the file
        times = [time for time, _ in own]
        tied += any(times[-back] in times[: -back or None] for back in (1, 2) if len(own) > back)
        lines.append(" ".join([user, *(item for _, item in own)]))
    target.mkdir(parents=True, exist_ok=True)
    (target / SEQUENCES).write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows = ["\t".join(("s3_id", *COLUMNS)), *map(_item, films)]
    (target / ITEMS).write_text("\n".join(rows) + "\n", encoding="utf-8")
    return Converted(target / SEQUENCES, target / ITEMS, len(events), tied)


def _item(film: Sequence[str]) -> str:
    """A film as a row of `ITEMS.tsv`: genres and the year are attributes."""
    number, title, year, genres = film
    attributes = "|".join([*genres.split(), *([year] if year else [])])
    return "\t".join([number, title, "", attributes])


def _only(folder: Path, ending: str) -> Path:
    found = sorted(folder.glob(f"*.{ending}"))
    if len(found) != 1:
        raise BadFile(f"`{folder}` needs one `*.{ending}` file, found {len(found)}.")
    return found[0]


def _rows(path: Path, columns: Sequence[str]) -> list[list[str]]:
    """The `columns` of each line, whose header names them as `name:type`."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(f"`{path}` cannot be read: {error}.") from error
    header = [name.partition(":")[0] for name in lines[0].split("\t")] if lines else []
    if missing := [name for name in columns if name not in header]:
        raise BadFile(f"`{path}` has no column `{missing[0]}`, found {header or 'nothing'}.")
    order = [header.index(name) for name in columns]
    rows = [line.split("\t") for line in lines[1:] if line.strip()]
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise BadFile(
                f"`{path}`, row {number}: {len(row)} fields, the header has {len(header)}."
            )
    return [[row[column].strip() for column in order] for row in rows]


def _number(folder: Path, time: str) -> float:
    try:
        return float(time)
    except ValueError as error:
        raise BadFile(f"`{folder}`: `{time}` is no timestamp.") from error
