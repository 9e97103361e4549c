"""From the sources of a project to a `Dataset`: read, clean, number, link.

In comes a project, out go catalog, events and the report of what cleaning did. The order of work
matters in one place only: users and items are numbered after the events were read, because an id
that only an event knows is a full row too.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from recprism.data.clean import ID, apply_missing, bad_ids
from recprism.data.dataset import (
    UNKNOWN,
    Catalog,
    Dataset,
    Grouped,
    Ids,
    KindTable,
    Links,
    LongArray,
    Offers,
)
from recprism.data.events import (
    CONTEXT,
    EventFrame,
    actions_of,
    build_log,
    note_unknown_offers,
    read_events,
)
from recprism.data.ids import as_text, distinct, encode, is_valid, union, vocabulary
from recprism.data.items import (
    ItemFrame,
    build_users,
    describe,
    read_rows,
    spread,
    written_columns,
)
from recprism.data.offers import OfferRows, build_offers, columns_of, has_offers
from recprism.data.online import Online, online_frames, said_online
from recprism.data.reading import Note, Reading
from recprism.data.sources import Progress, Table
from recprism.data.times import OPEN_END, OPEN_START
from recprism.data.windows import audience_groups, read_audience, read_windows, row_windows
from recprism.project import Project
from recprism.project.schema import Kind, LinkTable, Period

_AHEAD_US = 300_000_000
"""How far ahead of now an event may lie before it counts as one from the future."""


@dataclass(frozen=True)
class KindSource:
    """One kind's source, cleaned but not yet numbered.

    `own` are the ids it knows, `rows` has one row for each of them (None where nothing is written
    about the items), `pairs` the (user, offer) pairs of its audience.
    """

    kind: Kind
    table: Table
    note: Note
    lazy: pl.LazyFrame
    own: pl.Series
    rows: ItemFrame | None
    pairs: tuple[pl.DataFrame, Note] | None

    def column(self, name: str) -> pl.Series:
        """One column of the cleaned source, in the order of its rows."""
        return self.table.collect(self.lazy.select(name))[name]

    def distinct(self, name: str) -> pl.Series:
        """The distinct valid ids of one column of the cleaned source."""
        values = self.lazy.select(pl.col(name).unique())
        return distinct(self.table.collect(values, stream=True)[name])


def load_dataset(
    project: Project, *, progress: Progress | None = None, online: Online | None = None
) -> Dataset:
    """All data of a project, cleaned and numbered, events of all times included.

    `online` are events beside those of the sources, and who is left out of both.
    `progress` is called with a phrase and the part done (0 to 1). Raises `DataError` for the first
    source that cannot be used and `MissingExtra` for a database without its driver.
    """
    spec = project.spec
    report_progress = progress or (lambda _phrase, _part: None)
    reading = open_reading(project)
    if online is not None:
        reading.left_out = online.left_out
    report_progress("reading users and events", 0.0)
    users = None
    if spec.users is not None:
        language = [spec.users.language] if spec.users.language else []
        named = [*spec.users.traits, *spec.users.text, *language]
        users = read_rows(reading, "users", spec.users, named)
    frames = [read_events(reading, n, section) for n, section in enumerate(spec.events)]
    report_progress("reading items", 0.3)
    sources = {name: _read_kind(reading, name, kind) for name, kind in spec.items.items()}
    put = {} if online is None else online.items
    if online is not None:
        frames += online_frames(reading, spec, online)
    user_ids = _user_ids(reading, users, frames, sources)
    contexts = _contexts(frames, sources)
    report_progress("building offers and links", 0.5)
    item_ids = _item_ids(reading, frames, sources, put)
    kinds = _build_kinds(reading, sources, item_ids, user_ids, contexts)
    for name, items in put.items():
        table = said_online(kinds[name].table, kinds[name].ids, items)
        kinds[name] = replace(kinds[name], table=table)
    for name, section in spec.links.items():
        kinds = _add_links(reading, kinds, name, section)
    report_progress("sorting events", 0.9)
    note_unknown_offers(reading, frames, kinds)
    actions = actions_of(frames)
    log = build_log(frames, user_ids, kinds, actions, contexts)
    catalog = Catalog(build_users(spec.users, users, user_ids), kinds, actions, contexts)
    report_progress("data read", 1.0)
    return Dataset(catalog, log, reading.report.rows())


def open_reading(project: Project) -> Reading:
    """A fresh reading of a project's sources, with its idea of now."""
    wall = project.spec.clock == "wall"
    now = time.time_ns() // 1000 + _AHEAD_US if wall else None
    return Reading(project.path, now)


def _read_kind(reading: Reading, name: str, kind: Kind) -> KindSource:
    """Read a kind's ids; the columns of a large source are left where they are until needed."""
    section = f"items.{name}"
    pairs = read_audience(reading, name, kind.audience) if kind.audience is not None else None
    written, used = written_columns(kind), columns_of(kind)
    if kind.rows == "items":
        rows = read_rows(reading, section, kind, list(dict.fromkeys([*written, *used[1:]])))
        frame = rows.frame
        return KindSource(kind, rows.table, rows.note, frame.lazy(), frame[ID], rows, pairs)
    table, note = reading.open(section, kind)
    table.need([*written, *used])
    lazy = apply_missing(table, table.lazy, written, kind.missing, note)

    described: ItemFrame | None = None
    if written:
        first = lazy.group_by(kind.id, maintain_order=True).agg(
            pl.col(name).drop_nulls().first() for name in written if name != kind.id
        )
        frame = table.collect(first)
        text = as_text(frame[kind.id])
        frame = frame.with_columns(text.alias(ID)).filter(is_valid(text))
        described = ItemFrame(table, note, frame)
    unread = KindSource(kind, table, note, lazy, pl.Series(dtype=pl.String), described, pairs)
    return replace(unread, own=unread.distinct(kind.id).sort())


def _user_ids(
    reading: Reading,
    users: ItemFrame | None,
    frames: Sequence[EventFrame],
    sources: Mapping[str, KindSource],
) -> Ids:
    """Users of the table, then those seen only in events or audiences, sorted."""
    table = None if users is None else users.frame[ID]
    seen = union(table, [distinct(events.frame["user"]) for events in frames])
    audiences = [distinct(s.pairs[0]["user"]) for s in sources.values() if s.pairs is not None]
    ids = union(table, [seen.values, *audiences])
    listed = 0 if table is None else len(table)
    new = seen.values.slice(listed)
    reading.report.add("only-in-events", "users", len(new), new.head(3), of=len(ids))
    mailed = ids.values.filter(~ids.values.is_in(seen.values.implode()))
    reading.report.add("only-in-audience", "users", len(mailed), mailed.head(3), of=len(ids))
    return ids


def _item_ids(
    reading: Reading,
    frames: Sequence[EventFrame],
    sources: Mapping[str, KindSource],
    put: Mapping[str, pl.DataFrame],
) -> dict[str, Ids]:
    """Items of each kind's own source, then those `put` online, then those seen only in events,
    sorted each."""
    found = {}
    for name, source in sources.items():
        own = source.own
        if name in put:
            own = union(own, [put[name]["id"]]).values
            some = put[name]["id"].sort().head(3)
            reading.report.add("put-online", f"items.{name}", put[name].height, some, of=len(own))
        seen = [distinct(e.frame["item"]) for e in frames if e.section.kind == name]
        ids = union(own, seen)
        new = ids.values.slice(len(own))
        reading.report.add("only-in-events", f"items.{name}", len(new), new.head(3), of=len(ids))
        found[name] = ids
    return found


def _contexts(
    frames: Sequence[EventFrame], sources: Mapping[str, KindSource]
) -> dict[str, list[str]]:
    """The vocabulary of each context over events and offers, so that codes order like ids."""
    columns: dict[str, list[pl.Series]] = {}
    for source in sources.values():
        for name, column in source.kind.available.items():
            if not isinstance(column, Period):
                columns.setdefault(name, []).append(source.distinct(column))
    for events in frames:
        for name in events.section.context:
            column_ids = distinct(events.frame[f"{CONTEXT}{name}"])
            columns.setdefault(name, []).append(column_ids)
    return {name: vocabulary(parts) for name, parts in columns.items()}


def _build_kinds(
    reading: Reading,
    sources: Mapping[str, KindSource],
    ids: Mapping[str, Ids],
    users: Ids,
    contexts: Mapping[str, Sequence[str]],
) -> dict[str, KindTable]:
    """Every kind's table, links and offers; kinds follow one another in the project's order."""
    sizes = [len(ids[name]) for name in sources]
    starts = dict(zip(sources, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))
    kinds = {}
    for name, source in sources.items():
        kind = source.kind
        offers: Offers | None = None
        links: dict[str, Links] = {}
        if has_offers(kind) or kind.links or kind.rows != "items":
            rows = OfferRows(
                kind, source.table, source.note, source.column, ids[name], ids, contexts
            )
            windows = read_windows(reading, name, kind)
            offers, links = build_offers(rows, windows, starts)
            if offers is not None and source.pairs is not None:
                groups = audience_groups(*source.pairs, users, offers.names)
                offers = replace(offers, audience=groups)
        kinds[name] = KindTable(
            name=name,
            ids=ids[name],
            start=starts[name],
            table=_describe(source, ids[name]),
            links=links,
            offers=offers,
            window=None if offers is not None else _own_window(source, len(ids[name])),
        )
    return kinds


def _describe(source: KindSource, ids: Ids) -> pl.DataFrame:
    if source.rows is not None:
        return spread(describe(source.rows, source.kind), ids)
    nothing = pl.Series([None] * len(ids), dtype=pl.String)
    return pl.DataFrame([nothing.alias("title"), nothing.alias("text")])


def _own_window(source: KindSource, n: int) -> tuple[LongArray, LongArray] | None:
    """The window of each item from its own row; open for items that only events know."""
    window = source.kind.window
    if window is None or source.rows is None:
        return None
    starts, ends = row_windows(window, source.rows.frame, source.table, source.note)
    rest = n - len(starts)
    return (
        np.concatenate([starts, np.full(rest, OPEN_START, np.int64)]),
        np.concatenate([ends, np.full(rest, OPEN_END, np.int64)]),
    )


def _add_links(
    reading: Reading, kinds: dict[str, KindTable], name: str, section: LinkTable
) -> dict[str, KindTable]:
    """`kinds` with the links of a table of edges; edges with an unknown end are counted."""
    table, note = reading.open(f"links.{name}", section)
    ends = (section.from_.column, section.to.column)
    raw = table.read(ends)
    frame = raw.select(pl.col(ends[0]).alias("from"), pl.col(ends[1]).alias("to"))
    stays = bad_ids(frame["from"], ends[0], note)
    stays = bad_ids(frame["to"], ends[1], note, stays)
    source, target = kinds[section.from_.kind], kinds[section.to.kind]
    for end, column, kind in (("from", ends[0], source), ("to", ends[1], target)):
        lost = pl.Series(encode(frame[end], kind.ids) == UNKNOWN) & stays
        examples = as_text(frame[end].filter(lost).unique().sort().head(3))
        note[0].add("unknown-end", note[1], int(lost.sum()), examples, column=column)
        stays = stays & ~lost
    kept = frame.filter(stays)
    once = kept.unique(maintain_order=True)
    note[0].add("exact-duplicate", note[1], kept.height - once.height)
    note[0].kept(note[1], once.height)
    to = encode(once["to"], target.ids) + np.int32(target.start)
    grouped = Grouped.build(encode(once["from"], source.ids), to, len(source))
    links = {**source.links, name: Links(name, target.name, grouped)}
    return {**kinds, source.name: replace(source, links=links)}
