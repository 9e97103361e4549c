"""What the steps of one load share: where sources lie, the report, what time it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from recprism.data.ids import as_text
from recprism.data.report import CleaningReport
from recprism.data.sources import Table, check_table, open_table
from recprism.project.schema import Source

LeftOut = Callable[[Sequence[str]], Mapping[str, int]]
"""Of some users, those whose rows are left out, and up to which moment (microseconds)."""
Note = tuple[CleaningReport, str]
"""A report and the label under which a source stands in it."""


@dataclass
class Reading:
    """One load of a project's data.

    `now` is the latest moment an event may have, in microseconds; None when nothing is ever in the
    future (`clock: data`). Rows of people who are `left_out` are counted and not read.
    """

    base: Path
    now: int | None = None
    left_out: LeftOut | None = None
    report: CleaningReport = field(default_factory=CleaningReport)
    _tables: dict[tuple[str, str | None], tuple[Table, int]] = field(default_factory=dict)

    def open(self, section: str, source: Source) -> tuple[Table, Note]:
        """The table of a section, checked, and where to note what cleaning does to it.

        A source that two sections name is opened and checked once, and reported for each. Raises
        `DataError` as `open_table` and `check_table` do.
        """
        key = (source.source, source.query)
        if key not in self._tables:
            table = open_table(source, self.base)
            self._tables[key] = (table, check_table(table))
        table, rows = self._tables[key]
        label = f"{section}: {table.name}"
        self.report.read(label, rows)
        return table, (self.report, label)

    def without_left_out(
        self, frame: pl.DataFrame, user: str, note: Note, time: pl.Series | None = None
    ) -> pl.DataFrame:
        """The rows of people who may be read, before anything else is noted of them.

        `user` is the column of raw ids, `time` microseconds; a row without one is as old as can be.
        """
        if self.left_out is None:
            return frame
        users = as_text(frame[user])
        found = self.left_out(users.unique().drop_nulls().to_list())
        if not found:
            return frame
        known = pl.DataFrame({"id": list(found), "until": list(found.values())})
        until = users.to_frame("id").join(known, on="id", how="left", maintain_order="left")[
            "until"
        ]
        stays = until.is_null()
        if time is not None:
            stays = stays | (time >= until).fill_null(False)
        note[0].add("left-out", note[1], int((~stays).sum()))
        return frame.filter(stays)
