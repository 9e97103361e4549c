"""Is the data what the project file says? Every problem at once, not only the first.

In comes a project, out go problems, warnings and, where nothing is wrong, the cleaning report. The
one decision worth knowing: training drops a row whose time cannot be read and counts it, `check`
calls it a problem and names the row, because a person is there to mend it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import polars as pl

from recprism.data.build import load_dataset
from recprism.data.clean import missing, numbers
from recprism.data.dataset import DAY_US, Dataset
from recprism.data.ids import distinct
from recprism.data.items import read_rows
from recprism.data.joins import SectionSource, joins_of, sections_of, time_columns
from recprism.data.reading import Reading
from recprism.data.sources import Progress, Table, check_table, missing_column, open_table
from recprism.data.times import from_micros, parse_times, to_micros
from recprism.errors import DataError, ProjectError, RecPrismError, nearest
from recprism.project import Project
from recprism.project.document import KeyPath
from recprism.project.schema import ProjectFile

_OLD_DAYS = 30
_Found = TypeVar("_Found")


@dataclass
class DataCheck:
    """What a look at the data found.

    `problems` must be mended, `warnings` are sentences worth reading, `report` has the rows of the
    cleaning report (empty when there are problems).
    """

    problems: list[RecPrismError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    report: list[dict[str, Any]] = field(default_factory=list)

    def attempt(self, step: Callable[..., _Found], *given: object) -> _Found | None:
        """What a step returns, or None after noting the problem that it raised."""
        try:
            return step(*given)
        except RecPrismError as problem:
            self.note(problem)
            return None

    def note(self, problem: RecPrismError) -> None:
        """Add a problem, once."""
        if str(problem) not in [str(known) for known in self.problems]:
            self.problems.append(problem)


def check_data(project: Project) -> list[RecPrismError]:
    """Every problem of the project's data at once; empty when it can be used."""
    return examine(project).problems


def examine(project: Project, *, progress: Progress | None = None) -> DataCheck:
    """Problems, warnings and report of the project's data; reads all of it when nothing is wrong.

    Looked for are missing, empty and damaged tables, missing columns, repeated ids, amounts that
    are no numbers, times that cannot be read, joins that match nothing and goals that no event has.
    """
    found = DataCheck()
    tables = {
        section.name: table
        for section in sections_of(project.spec)
        if (table := _open(found, section, project)) is not None
    }
    _check_rows(found, project, tables)
    for name, column in time_columns(project.spec):
        if name in tables:
            found.attempt(_check_times, tables[name], column)
    _check_joins(found, project.spec, tables)
    _check_goals(found, project, tables)
    if not found.problems:
        dataset = found.attempt(lambda: load_dataset(project, progress=progress))
        if dataset is not None:
            found.report = [dict(row) for row in dataset.report]
            found.warnings += _warnings(project, dataset)
    return found


def _open(found: DataCheck, section: SectionSource, project: Project) -> Table | None:
    """The table of a section when it can be read and has every column that the section names."""
    table = found.attempt(open_table, section.source, project.path)
    if table is None or found.attempt(check_table, table) is None:
        return None
    missing = [column for column in section.columns if column not in table.columns]
    for column in missing:
        found.note(missing_column(table, column))
    return None if missing else table


def _check_rows(found: DataCheck, project: Project, tables: dict[str, Table]) -> None:
    """Repeated ids in tables whose rows are users or items, and amounts that are no numbers."""
    spec, reading = project.spec, Reading(project.path)
    if spec.users is not None and "users" in tables:
        found.attempt(read_rows, reading, "users", spec.users, [])
    for name, kind in spec.items.items():
        if kind.rows == "items" and f"items.{name}" in tables:
            found.attempt(read_rows, reading, f"items.{name}", kind, [])
        for column in kind.numbers.values() if f"items.{name}" in tables else ():
            _check_numbers(found, tables[f"items.{name}"], column)
    for n, events in enumerate(spec.events):
        if events.value is not None and f"events[{n}]" in tables:
            _check_numbers(found, tables[f"events[{n}]"], events.value)


def _check_numbers(found: DataCheck, table: Table, column: str) -> None:
    found.attempt(numbers, table.column(column), table, column)


def _check_times(table: Table, column: str) -> None:
    """Raise `DataError` at the first time of a column that cannot be read."""
    values = table.column(column)
    times = parse_times(values, table.name, column)
    wrong = times.is_null() & ~missing(values)
    count = int(wrong.sum())
    if count:
        row = int(wrong.arg_true()[0])
        others = f" ({count} such rows in all)" if count > 1 else ""
        raise DataError(
            table.name,
            f"holds `{str(values[row])[:80]}`, a time is expected{others}.",
            "Write ISO 8601, such as `2017-01-31T18:00:00`.",
            row=row + 1,
            column=column,
        )


def _check_joins(found: DataCheck, spec: ProjectFile, tables: dict[str, Table]) -> None:
    """Columns that should share ids and share none."""
    known: dict[tuple[str, str], pl.Series] = {}

    def ids(place: tuple[str, str]) -> pl.Series:
        if place not in known:
            known[place] = distinct(tables[place[0]].distinct(place[1]))
        return known[place]

    for join in joins_of(spec):
        right = [place for place in join.right if place[0] in tables]
        if join.left[0] not in tables or len(right) < len(join.right):
            continue
        mine, theirs = ids(join.left), pl.concat([ids(place) for place in right])
        if len(mine) == 0 or len(theirs) == 0 or mine.is_in(theirs.implode()).any():
            continue
        other, column = tables[right[0][0]].name, right[0][1]
        found.note(
            DataError(
                tables[join.left[0]].name,
                f"none of the {len(mine)} {join.what} (such as `{mine.sort()[0]}`) is in column "
                f"`{column}` of `{other}` (such as `{theirs.sort()[0]}`).",
                "Name the columns that hold the same ids, written the same way.",
                column=join.left[1],
            )
        )


def _check_goals(found: DataCheck, project: Project, tables: dict[str, Table]) -> None:
    """Goals and actions of funnels that could be in an action column and are in none."""
    spec = project.spec
    for name, task in spec.tasks.items():
        kind = _goal_kind(spec, task.recommend, task.via)
        sections = [(n, events) for n, events in enumerate(spec.events) if events.kind == kind]
        if task.goal is None or all(events.action_column is None for _, events in sections):
            continue
        if any(f"events[{n}]" not in tables for n, _ in sections):
            continue
        actions: set[str] = set()
        for n, events in sections:
            if events.action_column is None:
                actions.add(str(events.action))
            else:
                values = tables[f"events[{n}]"].distinct(events.action_column)
                actions.update(distinct(values).to_list())
        wanted: list[tuple[KeyPath, str]] = [(("tasks", name, "goal"), task.goal)]
        wanted += [(("tasks", name, "funnel", n), action) for n, action in enumerate(task.funnel)]
        for path, action in wanted:
            if action not in actions:
                found.note(_unseen(project, path, action, (kind, actions)))


def _unseen(
    project: Project, path: KeyPath, action: str, seen: tuple[str, set[str]]
) -> ProjectError:
    """No event of a kind has the action; `seen` are the kind and the actions found on it."""
    kind, actions = seen
    listed = ", ".join(f"`{known}`" for known in sorted(actions)[:10]) or "none"
    close = nearest(action, actions)
    return ProjectError(
        project.file,
        project.line_of(*path),
        f"no event has the action `{action}` on `{kind}`; found: {listed}.",
        f"Did you mean `{close}`?" if close else "Name one of these.",
    )


def _goal_kind(spec: ProjectFile, kind: str, via: str | None) -> str:
    """The kind whose events count: the recommended one, or what `via` leads to."""
    if via is None:
        return kind
    own = spec.items[kind].links.get(via)
    return own.kind if own is not None else spec.links[via].to.kind


def _warnings(project: Project, dataset: Dataset) -> Iterator[str]:
    """Sentences about data that can be used but may surprise."""
    if project.spec.clock != "wall" or len(dataset.events) == 0:
        return
    newest = int(dataset.events.time.max())
    days = (to_micros(datetime.now(UTC)) - newest) // DAY_US
    if days > _OLD_DAYS:
        yield (
            f"The newest event is of {from_micros(newest):%Y-%m-%d}, {days} days ago, and the "
            "clock is `wall`, so every habit looks lapsed. Write `clock: data` for old data."
        )
