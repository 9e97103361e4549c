"""Sequence files and their item tables, read with care."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl
from benchmarks.leave_out import STEP, TEST, VALID

FEWEST = 3
"""A user with fewer events is training only."""
COLUMNS = ("title", "short_text", "attributes")


class BadFile(Exception):
    """A file that cannot be used: what was found, what was expected."""


@dataclass(frozen=True)
class SequenceFile:
    """Users with their items in order of time."""

    users: list[str]
    items: list[list[str]]

    def events(self) -> pl.DataFrame:
        """All events as a table; of users with one or two events all are training."""
        users: list[str] = []
        times: list[datetime] = []
        for user, items in zip(self.users, self.items, strict=True):
            last = TEST if len(items) >= FEWEST else VALID - STEP
            users += [user] * len(items)
            times += [last - STEP * back for back in range(len(items) - 1, -1, -1)]
        flat = [item for items in self.items for item in items]
        table = pl.DataFrame({"user": users, "item": flat, "time": times})
        return table.with_columns(action=pl.lit("interact"))

    def last(self) -> dict[str, str]:
        """The test item of every user that has one."""
        pairs = zip(self.users, self.items, strict=True)
        return {user: items[-1] for user, items in pairs if len(items) >= FEWEST}

    def last_but_one(self, users: Collection[str] | None) -> dict[str, str]:
        """The validation item of every user that has one, or of those among `users`."""
        pairs = zip(self.users, self.items, strict=True)
        return {
            user: items[-2]
            for user, items in pairs
            if len(items) >= FEWEST and (users is None or user in users)
        }

    def sizes(self, n_items: int) -> dict[str, int]:
        return {
            "users": len(self.users),
            "items": n_items,
            "events": sum(map(len, self.items)),
            "tested": len(self.last()),
        }


def read_sequences(path: Path) -> SequenceFile:
    """Read `user item item ...` lines; empty lines are skipped.

    Raises `BadFile` when there is no such file, no line, a line with a user alone, or a user twice.
    """
    users: list[str] = []
    items: list[list[str]] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(_lines(path), start=1):
        user, *rest = line.split() or [""]
        if not user:
            continue
        if not rest:
            raise BadFile(f"`{path}`, line {number}: user `{user}` has no item.")
        if user in seen:
            raise BadFile(
                f"`{path}`, line {number}: user `{user}` stands in line {seen[user]} too."
            )
        seen[user] = number
        users.append(user)
        items.append(rest)
    if not users:
        raise BadFile(f"`{path}` holds no line `user item item ...`.")
    if max(map(len, items)) < FEWEST:
        raise BadFile(f"`{path}` has no user with three items: none can be held out.")
    return SequenceFile(users, items)


def read_items(path: Path | None, sequences: SequenceFile) -> pl.DataFrame:
    """The item table: ids of the file and of `ITEMS.tsv`, with whatever columns say something.

    Columns: `id`, and where any item has them `title` (else its short text), `attributes` as words,
    `first` and `last` attribute as labels. Raises `BadFile`.
    """
    ids = pl.DataFrame({"id": list(dict.fromkeys(i for row in sequences.items for i in row))})
    if path is None:
        return ids
    table = _item_table(path)
    title = pl.coalesce(pl.col("title"), pl.col("short_text"))
    parts = pl.col("attributes").str.split("|")
    told = table.select(
        id="s3_id",
        title=title,
        attributes=pl.col("attributes").str.replace_all("|", ", ", literal=True),
        first=parts.list.first(),
        last=parts.list.last(),
    ).unique("id", keep="first", maintain_order=True)
    known = ids.join(told, on="id", how="full", coalesce=True)
    empty = [name for name in known.columns if known[name].null_count() == len(known)]
    return known.drop(empty)


def _item_table(path: Path) -> pl.DataFrame:
    lines = _lines(path)
    header = lines[0].rstrip("\r").split("\t") if lines else []
    if "s3_id" not in header:
        found = ", ".join(f"`{name}`" for name in header) or "nothing"
        raise BadFile(f"`{path}` needs a column `s3_id`, found {found}.")
    rows = [line.rstrip("\r").split("\t") for line in lines[1:] if line.strip()]
    for number, row in enumerate(rows, start=2):
        if len(row) > len(header):
            raise BadFile(
                f"`{path}`, row {number}: {len(row)} fields, the header has {len(header)}."
            )
    padded = [row + [""] * (len(header) - len(row)) for row in rows]
    table = pl.DataFrame(padded, schema=dict.fromkeys(header, pl.String), orient="row")
    missing = [pl.lit("").alias(name) for name in COLUMNS if name not in header]
    wanted = table.with_columns(missing).select("s3_id", *COLUMNS)
    stripped = wanted.with_columns(pl.all().str.strip_chars())
    return stripped.with_columns(
        pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in COLUMNS
    ).filter(pl.col("s3_id") != "")


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise BadFile(f"`{path}` cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise BadFile(f"`{path}` is not UTF-8 text (byte {error.start}).") from error
