"""Which table plays which part: users, logs of events, kinds of items, links between kinds.

In come profiled tables, out come `Roles` and a `Choice` with its reason for everything decided. A
part is given by values first (an id column is one whose values another table's key has), by names
only among columns whose values fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from recprism.data.columns import Column, Profiled
from recprism.data.hints import END, ITEM, PLACE, SESSION, START, USER, as_name, plural

SURE, LIKELY = 0.9, 0.5
FEW_IDS = 50


@dataclass(frozen=True)
class Choice:
    """One thing decided: what, how, and why."""

    what: str
    chosen: str
    why: str


@dataclass(frozen=True)
class Log:
    """A table of events with the columns for who, what and when."""

    table: Profiled
    user: Column
    item: Column
    time: Column


@dataclass(frozen=True)
class Mailing:
    """Who may be shown the offers of a kind, and when.

    `offer` is the column of the kind that names the offer, `audience` the table of (user, offer)
    pairs with its `user` column, `window` the table with a row per offer.
    """

    offer: Column
    audience: Profiled
    user: Column
    window: Profiled


@dataclass
class KindTable:
    """A kind of item: the table that describes it, its id column, what a row is.

    `links` by name: the kind they lead to, and the column that holds its ids.
    """

    name: str
    table: Profiled
    id: Column
    rows: Literal["items", "links", "offers"]
    links: dict[str, tuple[str, Column]] = field(default_factory=dict)
    mailing: Mailing | None = None


@dataclass(frozen=True)
class Pair:
    """A table of links: the columns and the kinds of its two ends."""

    table: Profiled
    columns: tuple[Column, Column]
    kinds: tuple[str, str]


@dataclass
class Roles:
    """All parts found; `log_kinds` names the kind of each log."""

    users: Profiled | None = None
    logs: list[Log] = field(default_factory=list)
    log_kinds: list[str] = field(default_factory=list)
    kinds: dict[str, KindTable] = field(default_factory=dict)
    pairs: list[Pair] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)

    def note(self, what: str, chosen: str, why: str) -> None:
        self.choices.append(Choice(what, chosen, why))

    @property
    def used(self) -> set[str]:
        """The sources that some part is taken from."""
        tables = [log.table for log in self.logs] + [kind.table for kind in self.kinds.values()]
        tables += [pair.table for pair in self.pairs] + ([self.users] if self.users else [])
        for mailing in (kind.mailing for kind in self.kinds.values() if kind.mailing):
            tables += [mailing.audience, mailing.window]
        return {table.source for table in tables}


def assign_roles(tables: Sequence[Profiled]) -> Roles:
    """The parts that the tables play; tables without a part are in none of them."""
    roles = Roles()
    roles.logs = [log for table in tables if (log := _as_log(table, tables)) is not None]
    logged = {log.table.source for log in roles.logs}
    rest = [table for table in tables if table.source not in logged]
    roles.users = _find_users(rest, roles)
    _note_logs(roles)
    things = [table for table in rest if table is not roles.users]
    for log in roles.logs:
        roles.log_kinds.append(_kind_of_log(log, things, roles))
    if not roles.logs:
        _kinds_by_text(things, roles)
    _add_linked(things, roles)
    _add_pairs(things, roles)
    return roles


def is_text(column: Column) -> bool:
    """Whether a column holds words rather than codes."""
    return column.sort == "text" and column.wordiness >= 1.5


def has_words(table: Profiled) -> bool:
    """Whether a table says anything in words."""
    return any(is_text(column) for column in table.columns.values())


def id_columns(table: Profiled, tables: Iterable[Profiled]) -> list[Column]:
    """Columns that look like ids by value and, by name, like ids of something."""
    keys = {other.key.name for other in tables if other.key is not None}
    named = USER | ITEM
    return [
        column
        for column in table.columns.values()
        if column.may_be_id and (column.has_id_name or column.stems & named or column.name in keys)
    ]


def match(column: Column, tables: Iterable[Profiled]) -> tuple[Profiled, float] | None:
    """The table whose key has the values of `column`, with the share found there.

    Tables named like the column, and those with words, are preferred. Without such a name nearly
    all of at least 50 distinct values must be found, because small numbers are in every key.
    """
    best: tuple[float, Profiled, float] | None = None
    for table in tables:
        if table.key is None or table.key is column:
            continue
        share = column.share_in(table.key)
        is_named = column.name == table.key.name or bool(
            column.stems & (table.stems | table.key.stems)
        )
        enough = column.distinct >= FEW_IDS and share >= SURE
        if share >= LIKELY and (is_named or enough):
            score = share + is_named + bool(column.stems & table.stems) + has_words(table) / 2
            if best is None or score > best[0]:
                best = (score, table, share)
    return (best[1], best[2]) if best else None


def _as_log(table: Profiled, tables: Sequence[Profiled]) -> Log | None:
    """The table as a log of events, or None when it lacks a time, a user or an item."""
    ids = [c for c in id_columns(table, tables) if not _names_row(c, table)]
    if not table.times or len(ids) < 2:
        return None
    users = [c for c in ids if c.stems & USER]
    if not users and table.key is not None and table.key.stems & table.stems:
        return None
    user = _preferred(users) if users else next((c for c in ids if not c.meant), ids[0])
    things = [c for c in ids if c is not user and not c.stems & SESSION]
    if not things:
        return None
    item = max(things, key=lambda c: (_likely_item(c, table, tables), c.distinct))
    bounds = window_of(table) or ()
    time = _preferred([c for c in table.times if c not in bounds] or table.times)
    return Log(table, user, item, time)


def _preferred(columns: Sequence[Column]) -> Column:
    """The first column, or the first that a language model picked among them."""
    return next((column for column in columns if column.meant), columns[0])


def _names_row(column: Column, table: Profiled) -> bool:
    """Whether a column is the table's own key, such as the number of an event."""
    return column is table.key and not column.stems & (USER | ITEM)


def _likely_item(column: Column, table: Profiled, tables: Sequence[Profiled]) -> int:
    found = match(column, [other for other in tables if other is not table])
    is_user = found is not None and bool(found[0].stems & USER)
    named = bool(column.stems & ITEM)
    of_table = bool(column.stems & table.stems)
    return (
        2 * of_table
        + 2 * named
        + 2 * (found is not None and not is_user)
        - 3 * bool(column.stems & PLACE)
    )


def _find_users(tables: Sequence[Profiled], roles: Roles) -> Profiled | None:
    """The table with one row per user: named so, or holding the ids of the logs' users."""
    best: tuple[float, Profiled] | None = None
    for table in tables:
        if table.key is None:
            continue
        named = bool((table.stems | table.key.stems) & USER)
        shares = [log.user.share_in(table.key) for log in roles.logs]
        if table.key.meant and roles.logs and not any(shares):
            continue  # so a language model says, but no user of any event is there
        alike = any(log.user.name == table.key.name for log in roles.logs)
        score = named + max(shares, default=0.0)
        if (named or (alike and score > 0)) and (best is None or score > best[0]):
            best = (score, table)
    if best is None:
        if roles.logs:
            roles.note("users", "none", "no table has one row per user; events alone name them")
        return None
    table = best[1]
    assert table.key is not None
    why = f"`{table.key.name}` names a user and no two of {table.rows:,} rows share one"
    roles.note("users.source", table.source, why)
    return table


def _note_logs(roles: Roles) -> None:
    for n, log in enumerate(roles.logs):
        roles.note(
            f"events[{n}].source",
            log.table.source,
            f"rows have a time (`{log.time.name}`), a user (`{log.user.name}`) and an item "
            f"(`{log.item.name}`)",
        )


def _new_name(wanted: str, roles: Roles) -> str:
    name, n = as_name(wanted, "items"), 2
    while name in roles.kinds:
        name, n = f"{as_name(wanted, 'items')}_{n}", n + 1
    return name


def _kind_of_log(log: Log, tables: Sequence[Profiled], roles: Roles) -> str:
    """The kind of a log's items, from the table that describes them, else from the log itself."""
    found = match(log.item, tables)
    if found is not None and found[0].key is not None:
        why = f"its key has {found[1]:.0%} of the values of `{log.table.name}.{log.item.name}`"
        return _add_kind(found[0], found[0].key, "items", why, roles)
    for table in tables:
        column = table.columns.get(log.item.name)
        if column is not None and log.item.share_in(column) >= LIKELY:
            why = f"it repeats each `{column.name}` of `{log.table.name}`, once per link or offer"
            return _add_kind(table, column, "offers", why, roles)
    for kind in roles.kinds.values():
        if kind.id.name == log.item.name and kind.table.source in {
            other.table.source for other in roles.logs
        }:
            return kind.name
    why = f"no table has one row per `{log.item.name}`; the events tell what there is"
    return _add_kind(log.table, log.item, "offers", why, roles)


def _add_kind(
    table: Profiled,
    column: Column,
    rows: Literal["items", "links", "offers"],
    why: str,
    roles: Roles,
) -> str:
    for kind in roles.kinds.values():
        if kind.table is table:
            return kind.name
    is_log = any(log.table is table for log in roles.logs)
    words = [w for w in as_name(column.name, "item").split("_") if w not in ("id", "key", "code")]
    name = _new_name(plural("_".join(words) or "item") if is_log else table.name, roles)
    roles.kinds[name] = KindTable(name, table, column, rows)
    roles.note(f"items.{name}.source", table.source, why)
    if rows != "items":
        roles.note(f"items.{name}.rows", rows, f"`{column.name}` repeats in `{table.name}`")
    return name


def _kinds_by_text(tables: Sequence[Profiled], roles: Roles) -> None:
    """Without events, whatever has a key and words can be recommended by its content."""
    for table in tables:
        if table.key is not None and has_words(table):
            why = f"one row per `{table.key.name}`, with texts, and no table has events"
            _add_kind(table, table.key, "items", why, roles)


def _add_linked(tables: Sequence[Profiled], roles: Roles) -> None:
    """Links from columns of kinds, and keyed tables that lead to a kind or are led to."""
    for table in tables:
        if table.key is None or table.source in roles.used or _has_user(table, tables):
            continue
        if len(id_columns(table, tables)) == len(table.columns):
            continue  # nothing but ids: pairs, even where one of them happens not to repeat
        targets = [k.table for k in roles.kinds.values() if k.rows == "items"]
        leads = [c for c in id_columns(table, tables) if c is not table.key and match(c, targets)]
        if leads:
            why = f"one row per `{table.key.name}`, linked to others by `{leads[0].name}`"
            _add_kind(table, table.key, "items", why, roles)
    for kind in list(roles.kinds.values()):
        _link_kind(kind, tables, roles)


def _has_user(table: Profiled, tables: Sequence[Profiled]) -> bool:
    return any(c.stems & USER for c in id_columns(table, tables))


def _link_kind(kind: KindTable, tables: Sequence[Profiled], roles: Roles) -> None:
    """The links and the audience that columns of a kind's own table tell of."""
    if any(log.table is kind.table for log in roles.logs):
        return
    described = [t for t in tables if has_words(t)]
    for column in id_columns(kind.table, tables):
        found = match(column, described) if column is not kind.id else None
        if found is None or found[0].key is None:
            continue
        table, share = found
        kind.mailing = kind.mailing or _mailing(kind, column, table, tables, roles)
        if kind.mailing is not None and kind.mailing.offer is column:
            continue
        why = f"`{kind.table.name}.{column.name}` names its rows"
        target = _add_kind(table, found[0].key, "items", why, roles)
        link = as_name(column.name, "link").removesuffix("_id")
        kind.links[link] = (target, column)
        why = f"{share:.0%} of `{column.name}` are ids of `{target}`"
        roles.note(f"items.{kind.name}.links.{link}", target, why)
    if kind.rows == "offers" and kind.links:
        kind.rows = "links"
        roles.note(f"items.{kind.name}.rows", "links", "each row leads to another kind")


def _mailing(
    kind: KindTable, offer: Column, window: Profiled, tables: Sequence[Profiled], roles: Roles
) -> Mailing | None:
    """The audience of a kind: `window` bounds its offers, another table pairs them with users."""
    if window_of(window) is None:
        return None
    for table in tables:
        ids = id_columns(table, tables)
        users = [c for c in ids if _is_user(c, roles)]
        if not table.times and len(ids) == 2 and len(users) == 1 and offer.name in table.columns:
            why = f"`{table.name}` pairs users with `{offer.name}`, `{window.name}` bounds it"
            roles.note(f"items.{kind.name}.audience", table.source, why)
            return Mailing(offer, table, users[0], window)
    return None


def _is_user(column: Column, roles: Roles) -> bool:
    return bool(column.stems & USER) or any(column.name == log.user.name for log in roles.logs)


def window_of(table: Profiled) -> tuple[Column, Column] | None:
    """The columns with the first and the last moment, where one pair of names says so."""
    starts = [c for c in table.times if not START.isdisjoint(c.words)]
    ends = [c for c in table.times if not END.isdisjoint(c.words)]
    return (starts[0], ends[0]) if len(starts) == len(ends) == 1 and starts != ends else None


def _add_pairs(tables: Sequence[Profiled], roles: Roles) -> None:
    """Tables of two ids, each of a known kind, are links."""
    keyed = {k.table.source: k for k in roles.kinds.values() if k.rows == "items"}
    targets = [kind.table for kind in keyed.values()]
    for table in tables:
        ids = id_columns(table, tables)
        if table.source in roles.used or table.times or len(ids) != 2:
            continue
        ends = [match(column, targets) for column in ids]
        if ends[0] is None or ends[1] is None:
            continue
        kinds = (keyed[ends[0][0].source].name, keyed[ends[1][0].source].name)
        roles.pairs.append(Pair(table, (ids[0], ids[1]), kinds))
        why = f"rows pair `{ids[0].name}` ({kinds[0]}) with `{ids[1].name}` ({kinds[1]})"
        roles.note(f"links.{as_name(table.name, 'links')}", table.source, why)
