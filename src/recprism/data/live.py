"""Events in a span of time, for a few users or all, read straight from the sources.

In come a project and an existing catalog, out go the events that lie between the end of what an
artifact learned from and the moment of a request. The one decision worth knowing: users keep a
numbering of their own here, because some of them may be new since the catalog was built.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from recprism.data.build import open_reading
from recprism.data.clean import apply_missing, is_missing
from recprism.data.dataset import UNKNOWN, Catalog, EventLog, Ids
from recprism.data.events import EventFrame, build_log, clean_events, columns_of
from recprism.data.ids import as_text, distinct, encode
from recprism.data.reading import LeftOut
from recprism.data.report import CleaningReport
from recprism.data.sources import Table, open_table
from recprism.data.times import temporal
from recprism.errors import DataError
from recprism.project import Project
from recprism.project.schema import Events

FIRST_SESSION = 2**30
"""Session codes begin here, so that they never meet those of an artifact's log."""


@dataclass(frozen=True)
class LiveEvents:
    """Events in a span of time. `log` numbers its users by `users`, not by the catalog.

    Items, actions, offers and contexts are the catalog's. `skipped` counts events on items or with
    actions that the catalog does not know.
    """

    users: Ids
    log: EventLog
    skipped: int

    def span(self, user_id: str, before: int | None = None) -> slice:
        """Where one user's events lie in `log`, oldest first; empty for somebody without any."""
        return self.log.span(self.users.index(user_id), before)


def load_events(
    project: Project,
    catalog: Catalog,
    *,
    since: int,
    before: int | None = None,
    users: Sequence[str] | None = None,
    left_out: LeftOut | None = None,
) -> LiveEvents:
    """The project's events with since <= time < before, of `users` or of everyone.

    Times are microseconds on the clock of the sources; `before` None means without end. Filters on
    users and times reach the files, so that one user's events do not cost a whole table. What
    people did who are `left_out` is not among them. Raises `DataError` as `load_dataset`
    does.
    """
    reading = open_reading(project)
    reading.left_out = left_out
    frames = []
    for section in project.spec.events:
        table = open_table(section, project.path)
        table.need(columns_of(section).values())
        raw = table.collect(_narrowed(table, section, since, before, users))
        note = (CleaningReport(), table.name)
        note[0].read(table.name, raw.height)
        frame = clean_events(raw, table, section, note, reading.now)
        frame = frame.filter(pl.col("time") >= since)
        frame = reading.without_left_out(frame, "user", note, frame["time"])
        if before is not None:
            frame = frame.filter(pl.col("time") < before)
        if users is not None:
            wanted = Ids(pl.Series(list(dict.fromkeys(users)), dtype=pl.String))
            frame = frame.filter(pl.Series(encode(frame["user"], wanted) != UNKNOWN))
        frames.append(EventFrame(section, frame, table.name))
    known = [_known(events, catalog) for events in frames]
    skipped = sum(e.frame.height for e in frames) - sum(e.frame.height for e in known)
    people = [distinct(events.frame["user"]) for events in known]
    ids = Ids(pl.concat(people).unique().sort() if people else pl.Series([], dtype=pl.String))
    log = build_log(known, ids, catalog.kinds, catalog.actions, catalog.contexts)
    session = np.where(log.session == UNKNOWN, UNKNOWN, log.session + FIRST_SESSION)
    return LiveEvents(ids, replace(log, session=session.astype(np.int32)), skipped)


def _narrowed(
    table: Table, section: Events, since: int, before: int | None, users: Sequence[str] | None
) -> pl.LazyFrame:
    """The rows that may matter, columns renamed to roles; what cannot be told here stays in."""
    roles = columns_of(section)
    optional = [roles[role] for role in roles if role not in ("user", "item", "time", "action")]
    lazy = table.lazy
    if any(rule != "mark" for rule in section.missing.values()):
        # What to impute is a matter of the whole table, not of one user's rows.
        lazy = apply_missing(table, lazy, [], section.missing, (CleaningReport(), table.name))
    micros = temporal(pl.col(section.time), table.schema[section.time])
    if micros is not None:
        lazy = lazy.filter(micros >= since)
        lazy = lazy if before is None else lazy.filter(micros < before)
    raw = None if users is None else _raw_ids(users, table.schema[section.user])
    if raw is not None:
        lazy = lazy.filter(pl.col(section.user).is_in(raw.implode()))
    gaps = [
        pl.when(~is_missing(name, table.schema[name])).then(name).alias(name)
        for name in dict.fromkeys(optional)
    ]
    return lazy.with_columns(gaps).select(
        pl.col(column).alias(role) for role, column in roles.items()
    )


def _raw_ids(users: Sequence[str], dtype: pl.DataType) -> pl.Series | None:
    """Outside ids as a source of this type holds them; None for types not worth a filter."""
    text = pl.Series(list(dict.fromkeys(users)), dtype=pl.String)
    if dtype == pl.String:
        return text
    if dtype.is_integer():
        raw = text.cast(dtype, strict=False)
        return raw.filter((as_text(raw) == text).fill_null(False))
    return None


def _known(events: EventFrame, catalog: Catalog) -> EventFrame:
    """The events on items and with actions that the catalog knows."""
    section, frame = events.section, events.frame
    kind = catalog.kinds.get(section.kind)
    if kind is None:
        raise DataError(
            events.label,
            f"has events on the kind `{section.kind}`, which was not there in training.",
            "Train again.",
        )
    keep = encode(frame["item"], kind.ids) != UNKNOWN
    actions = Ids(pl.Series(list(catalog.actions), dtype=pl.String))
    if section.action is None:
        keep &= encode(frame["action"], actions) != UNKNOWN
    elif section.action not in catalog.actions:
        keep[:] = False
    return replace(events, frame=frame.filter(pl.Series(keep)))
