"""What the steps of one load share: where sources lie, the report, what time it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from recprism.data.forgotten import NOBODY, Forgotten
from recprism.data.report import CleaningReport
from recprism.data.sources import Table, check_table, open_table
from recprism.project.schema import Source

Note = tuple[CleaningReport, str]
"""A report and the label under which a source stands in it."""


@dataclass
class Reading:
    """One load of a project's data.

    `now` is the latest moment an event may have, in microseconds; None when nothing is ever in the
    future (`clock: data`). Rows of `forgotten` people are counted and not read.
    """

    base: Path
    now: int | None = None
    forgotten: Forgotten = NOBODY
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

    def without_forgotten(
        self, frame: pl.DataFrame, user: str, note: Note, time: pl.Series | None = None
    ) -> pl.DataFrame:
        """The rows of people who may be read; `user` is the column of ids, `time` as in
        `Forgotten.may_read`. No example is noted."""
        if not self.forgotten:
            return frame
        stays = self.forgotten.may_read(frame[user], time)
        note[0].add("erased-person", note[1], int((~stays).sum()), column=user)
        return frame.filter(stays)
