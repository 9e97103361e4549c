"""A model without some of the people in it.

In comes an opened artifact, out goes a model in which nothing is left of them: no id, trait, text,
event, segment or mailing. The one decision worth knowing: their rows stay, empty and under a name
that nobody can guess, so that all other row numbers, and with them every learned array, stay what
they are. What was learned from everybody together (factors, counts, weights) is only right again
after the next training.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import replace
from typing import Final

import numpy as np
import polars as pl

from recprism.data.dataset import EventLog, Grouped, Ids, KindTable, LongArray, UserTable
from recprism.model import Model

NOBODY: Final = "\x00erased-"
"""How the name of an erased row begins: a control character, which no id may hold."""


def without_people(model: Model, users: Collection[str]) -> Model:
    """`model` without `users` (outside ids); the same object where it knows none of them."""
    table = model.catalog.users
    known = sorted({row for user in users if (row := table.ids.index(user)) >= 0})
    rows = np.array(known, np.int64)
    if not len(rows):
        return model
    catalog = replace(
        model.catalog,
        users=_users(table, rows),
        kinds={name: _kind(kind, rows) for name, kind in model.catalog.kinds.items()},
    )
    segments = model.snapshot.segments
    of_user = segments.of_user.copy()
    of_user[rows] = -1
    setting = replace(model.snapshot.setting, catalog=catalog)
    wishes = model.wishes
    if wishes is not None:
        wishes = wishes.copy()
        wishes[rows] = 0.0
        setting = replace(setting, wishes=wishes)
    snapshot = replace(model.snapshot, setting=setting, segments=replace(segments, of_user=of_user))
    events = _events(model.events, rows)
    return replace(model, catalog=catalog, events=events, snapshot=snapshot, wishes=wishes)


def _users(table: UserTable, rows: LongArray) -> UserTable:
    ids = table.ids.values.to_list()
    for row in rows.tolist():
        ids[row] = f"{NOBODY}{secrets.token_hex(16)}"
    return UserTable(
        Ids(pl.Series(table.ids.values.name, ids, pl.String)),
        table.traits.select(_blank(column, rows) for column in table.traits.get_columns()),
        None if table.text is None else _blank(table.text, rows),
        None if table.language is None else _blank(table.language, rows),
    )


def _blank(column: pl.Series, rows: LongArray) -> pl.Series:
    """A column with nulls in `rows`, in memory of its own: the old values go with the old one."""
    erased = np.zeros(len(column), bool)
    erased[rows] = True
    values = [None if gone else value for gone, value in zip(erased, column, strict=True)]
    return pl.Series(column.name, values, column.dtype)


def _kind(kind: KindTable, rows: LongArray) -> KindTable:
    """The kind, mailed to none of them."""
    if kind.offers is None or kind.offers.audience is None:
        return kind
    audience = kind.offers.audience
    of_row = np.repeat(np.arange(len(audience), dtype=np.int32), np.diff(audience.offsets))
    keep = ~np.isin(of_row, rows)
    left = Grouped.build(of_row[keep], audience.values[keep], len(audience))
    return replace(kind, offers=replace(kind.offers, audience=left))


def _events(log: EventLog, rows: LongArray) -> EventLog:
    return log.take(~np.isin(log.user, rows))
