"""Inferred parts as sections of a project file, each choice with its reason."""

from __future__ import annotations

import time
from typing import Any

import polars as pl

from recprism.data.columns import Column, Profiled
from recprism.data.hints import (
    ACTION,
    GOALS,
    ITEM,
    LABEL,
    LANGUAGE,
    PLACE,
    PRIVATE,
    SESSION,
    TEXT,
    USER,
    VALUE,
    VERBS,
    WISH,
    as_name,
    rank,
    stem,
    words_of,
)
from recprism.data.roles import KindTable, Log, Mailing, Roles, is_text, window_of
from recprism.data.times import from_micros, parse_times
from recprism.errors import DataError

MAX_LABELS, MAX_LABEL_VALUES, MAX_TRAIT_VALUES, MAX_ACTIONS = 4, 500, 100, 30
COUNTED_ROWS = 5_000_000
SELDOM = 0.05
OLD_DAYS = 30

Section = dict[str, Any]


def users_section(table: Profiled, roles: Roles) -> Section:
    """`users:` with traits, texts and the language."""
    assert table.key is not None
    section: Section = {"source": table.source, "id": table.key.name}
    roles.note("users.id", table.key.name, f"{table.key.distinct:,} values, no two alike")
    others = [c for c in table.columns.values() if c is not table.key and c.distinct > 1]
    for column in others:
        private = bool(column.stems & PRIVATE)
        wish = column.sort == "text" and rank(column.words, WISH) < len(WISH)
        if column.stems & LANGUAGE and column.sort == "text" and column.distinct <= 50:
            section["language"] = column.name
            roles.note("users.language", column.name, "its name says language")
        elif not private and is_text(column) and (wish or column.wordiness >= 4):
            section.setdefault("text", []).append(column.name)
            roles.note("users.text", column.name, f"{column.wordiness:.1f} words on average")
        elif not private and _is_trait(column, table):
            section.setdefault("traits", []).append(column.name)
            roles.note("users.traits", column.name, f"{column.distinct:,} distinct values")
    return section


def _is_trait(column: Column, table: Profiled) -> bool:
    few = column.distinct <= min(MAX_TRAIT_VALUES, max(table.rows / 2, 10))
    return few and column.sort in ("text", "whole") and not column.has_id_name


def kind_section(kind: KindTable, roles: Roles) -> Section:
    """A kind with its texts, labels, links and window."""
    where, table = f"items.{kind.name}", kind.table
    section: Section = {"source": table.source, "id": kind.id.name}
    roles.note(f"{where}.id", kind.id.name, f"{kind.id.distinct:,} distinct values")
    if kind.rows != "items":
        section["rows"] = kind.rows
    taken = {kind.id.name, *(column.name for _, column in kind.links.values())}
    columns = [c for c in table.columns.values() if c.name not in taken and c.distinct > 1]
    if kind.rows != "items":
        columns = [c for c in columns if _is_fixed(c, kind)]
    labels = [c for c in columns if _is_label(c, kind)]
    labels.sort(key=lambda c: rank(c.words, LABEL))
    texts = [c for c in columns if c not in labels and _is_item_text(c)] or [
        c for c in labels if is_text(c)
    ]
    texts.sort(key=lambda c: rank(c.words, TEXT))
    if texts:
        section["text"] = [column.name for column in texts]
    for column in texts:
        roles.note(f"{where}.text", column.name, f"{column.wordiness:.1f} words on average")
    for column in labels[:MAX_LABELS]:
        section.setdefault("labels", {})[as_name(column.name, "label")] = column.name
        why = f"{column.distinct:,} distinct values over {column.rows:,} rows"
        roles.note(f"{where}.labels", column.name, why)
    if kind.links:
        section["links"] = {
            name: {"kind": target, "column": column.name}
            for name, (target, column) in kind.links.items()
        }
    if kind.mailing is not None:
        section |= _audience(kind.mailing)
    elif kind.rows == "items" and (window := window_of(table)) is not None:
        start, end = (column.name for column in window)
        section["window"] = {"from": start, "until": end, "inclusive": True}
        why = "the only times whose names speak of a start and an end"
        roles.note(f"{where}.window", f"{start} to {end}", why)
    return section


def _audience(mailing: Mailing) -> Section:
    start, end = window_of(mailing.window) or (None, None)
    key = mailing.window.key
    window = {
        "source": mailing.window.source,
        "offer": key and key.name,
        "from": start and start.name,
        "until": end and end.name,
        "inclusive": True,
    }
    audience = {
        "source": mailing.audience.source,
        "user": mailing.user.name,
        "offer": mailing.offer.name,
        "window": window,
    }
    return {"offer": mailing.offer.name, "audience": audience}


def _is_fixed(column: Column, kind: KindTable) -> bool:
    """Whether a column says the same in all rows of an item (by the sample)."""
    if column.sort != "text":
        return False
    pairs = pl.DataFrame({"id": kind.id.sample, "value": column.sample}).drop_nulls()
    return pairs.n_unique() == pairs["id"].n_unique()


def _is_label(column: Column, kind: KindTable) -> bool:
    if column.sort != "text" or column.has_id_name or column.stems & USER:
        return False
    if rank(column.words, TEXT) < len(TEXT):
        return False
    items = kind.id.distinct
    hinted = rank(column.words, LABEL) < len(LABEL)
    most = items / 2 if hinted or items < 40 else items / 4
    return column.wordiness <= 4 and column.distinct <= min(MAX_LABEL_VALUES, most)


def _is_item_text(column: Column) -> bool:
    """Words that describe; not measures such as `22 LB`, which begin with a digit."""
    if column.sort != "text" or column.has_id_name:
        return False
    hinted = rank(column.words, TEXT) < len(TEXT)
    digits = column.values.str.contains(r"^\s*[\d.]+(\s|$)").sum() / max(len(column.values), 1)
    return hinted or (column.wordiness >= 1.5 and digits < 0.5)


def events_section(n: int, log: Log, kind: str, roles: Roles) -> Section:
    """A log as `events[n]` about `kind`."""
    where, table = f"events[{n}]", log.table
    section: Section = {
        "source": table.source,
        "user": log.user.name,
        "kind": kind,
        "item": log.item.name,
        "time": log.time.name,
    }
    mailing = roles.kinds[kind].mailing
    if mailing is not None and mailing.offer.name in table.columns:
        section["offer"] = mailing.offer.name
    rest = [c for c in table.columns.values() if c.name not in section.values()]
    section |= _action(where, table, rest, roles)
    rest = [c for c in rest if c.name != section.get("action_column")]
    amounts = [c for c in rest if c.sort in ("number", "whole") and not c.has_id_name]
    amounts = [c for c in amounts if rank(c.words, VALUE) < len(VALUE)]
    if amounts:
        value = min(amounts, key=lambda c: rank(c.words, VALUE))
        section["value"] = value.name
        roles.note(f"{where}.value", value.name, "an amount, by its name and its numbers")
    for column in rest:
        if not column.may_be_id or column.stems & (USER | ITEM):
            continue
        if column.stems & SESSION and "session" not in section:
            section["session"] = column.name
            roles.note(f"{where}.session", column.name, "its name says what groups events")
        elif column.stems & PLACE and column.distinct < column.rows / 2:
            context = as_name("_".join(w for w in words_of(column.name) if w != "id"), "place")
            section.setdefault("context", {})[context] = column.name
            why = f"{column.distinct:,} places or channels, by its name"
            roles.note(f"{where}.context", column.name, why)
    return section


def _action(where: str, table: Profiled, columns: list[Column], roles: Roles) -> Section:
    """The column that holds the action, or the action that the table's name speaks of."""
    for column in columns:
        few = 1 < column.distinct <= MAX_ACTIONS
        if column.sort == "text" and few and not ACTION.isdisjoint(column.words):
            why = f"{column.distinct} distinct values: {', '.join(sorted(column.values)[:6])}"
            roles.note(f"{where}.action_column", column.name, why)
            return {"action_column": column.name}
    verbs = [VERBS[w] for w in map(stem, words_of(table.name)) if w in VERBS]
    amounts = [VERBS[w] for c in columns for w in c.words if VERBS.get(w) == "rate"]
    action = next(iter([*verbs, *amounts]), "interact")
    why = "the table's name says so" if verbs else "a column of ratings says so"
    roles.note(f"{where}.action", action, why if verbs or amounts else "nothing names the action")
    return {"action": action}


def tasks(spec: Section, roles: Roles) -> Section:
    """A task for each kind with events or a link to one; by content where there are no events."""
    found: Section = {}
    for n, log in enumerate(roles.logs):
        kind = roles.log_kinds[n]
        if kind not in found:
            found[kind] = {"recommend": kind, "goal": _goal(spec["events"][n], log)}
            why = f"`events[{n}]` records it on `{kind}`"
            roles.note(f"tasks.{kind}.goal", found[kind]["goal"], why)
            found[kind] |= _repeat(kind, log, roles)
    for other in roles.kinds.values():
        via = next((name for name, link in other.links.items() if link[0] in found), None)
        if other.name not in found and via is not None:
            target = other.links[via][0]
            goal = found[target]["goal"]
            found[other.name] = {"recommend": other.name, "goal": goal, "via": via}
            roles.note(f"tasks.{other.name}.via", via, f"no events of its own, but of `{target}`")
    if roles.logs:
        return found
    for name, section in spec["items"].items():
        if section.get("text"):
            found[name] = {"recommend": name}
            roles.note(f"tasks.{name}", "by content", "there are texts, but no events")
    return found


def _goal(section: Section, log: Log) -> str:
    if "action" in section:
        return str(section["action"])
    actions = log.table.columns[section["action_column"]].sample.drop_nulls().cast(pl.String)
    counted = actions.value_counts(sort=True)[actions.name].to_list()
    return str(min(counted, key=lambda a: rank(map(stem, words_of(a)), GOALS)))


def _repeat(kind: str, log: Log, roles: Roles) -> Section:
    """`repeat: never` where hardly anyone comes back to the same item."""
    if log.table.rows > COUNTED_ROWS:
        return {}
    pair = pl.struct(log.user.name, log.item.name)
    counted = log.table.table.collect(log.table.table.lazy.select(pair.n_unique()), stream=True)
    repeated = 1 - int(counted.item()) / log.table.rows
    if repeated >= SELDOM:
        return {}
    why = f"{repeated:.1%} of the events repeat a user's earlier item"
    roles.note(f"tasks.{kind}.repeat", "never", why)
    return {"repeat": "never"}


def settings(roles: Roles) -> Section:
    """Language and clock."""
    section: Section = {}
    texts = [c for k in roles.kinds.values() for c in k.table.columns.values() if is_text(c)]
    if texts:
        values = pl.concat([column.values.head(1_000) for column in texts])
        share = int(values.str.contains(r"\p{Han}").sum()) / max(len(values), 1)
        if share > 0.5:
            section["language"] = "zh"
            roles.note("language", "zh", f"{share:.0%} of the texts are written in Chinese")
    newest = [_newest(log) for log in roles.logs]
    last = max((moment for moment in newest if moment is not None), default=None)
    if last is not None and time.time() * 1e6 - last > OLD_DAYS * 86_400e6:
        section["clock"] = "data"
        why = f"the newest event is of {from_micros(last):%Y-%m-%d}, over {OLD_DAYS} days ago"
        roles.note("clock", "data", why)
    return section


def _newest(log: Log) -> int | None:
    try:
        newest = parse_times(log.time.sample, log.table.source, log.time.name).max()
    except DataError:
        return None
    return newest if isinstance(newest, int) else None
