"""What the sources of a project hold of one person, as they hold it.

In come a project and an id, out go the rows of every table with a column of users. Erasing cannot
reach the sources, so whoever erases is told where rows are left; whoever exports gets them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from recprism.data.ids import as_text
from recprism.data.sources import Table, open_table
from recprism.data.times import parse_times
from recprism.project import Project
from recprism.project.schema import Source


@dataclass(frozen=True)
class Held:
    """Rows about one person: the section that names the source, the source, and the rows as they
    are. `last` is the latest time of an event among them (microseconds), None without."""

    section: str
    source: str
    rows: pl.DataFrame
    last: int | None = None


def rows_about(project: Project, user: str) -> list[Held]:
    """Where the sources hold rows about `user`, in the order of the project file; empty places are
    left out. Raises `DataError` for a source that cannot be read."""
    return [held for held in _looked_up(project, user) if held.rows.height]


def _looked_up(project: Project, user: str) -> Iterator[Held]:
    spec = project.spec
    if spec.users is not None:
        yield _held(project, "users", spec.users, spec.users.id, user)
    for name, kind in spec.items.items():
        if kind.audience is not None:
            source = Source(source=kind.audience.source)
            yield _held(project, f"items.{name}.audience", source, kind.audience.user, user)
    for number, section in enumerate(spec.events):
        label = f"events[{number}]"
        yield _held(project, label, section, section.user, user, section.time)


def _held(
    project: Project, label: str, source: Source, column: str, user: str, time: str | None = None
) -> Held:
    table = open_table(source, project.path)
    table.need([column])
    raw = _raw(table, column, user)
    rows = table.collect(table.lazy.filter(pl.col(column).is_in(raw.implode())))
    last = None
    if time is not None and rows.height:
        newest = parse_times(rows[time], table.name, time).max()
        last = None if newest is None else int(newest)  # type: ignore[arg-type]
    return Held(label, table.name, rows, last)


def _raw(table: Table, column: str, user: str) -> pl.Series:
    """The values of a column that are written like the id outside."""
    values = table.distinct(column)
    return values.filter((as_text(values) == user).fill_null(False))
